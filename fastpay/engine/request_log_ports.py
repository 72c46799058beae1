"""The request log as other floors see it: what is kept of a request, and where."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from fastpay.domain.identifiers import Scope


class LoggedError(msgspec.Struct, frozen=True, gc=False):
    """What the answer said of an error, without anything that a client has written."""

    type: str
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    message: str | None = None


class LoggedRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is kept of a request and its answer.

    `scope` is None if nobody was authenticated. `parameters` is JSON, redacted; None if they were too long or
    unreadable. `object_id` and `sequence` say which object a command answered with, and as of when; of a
    refusal, which payment it was about.
    `original_request_id` is the first request with the idempotency key, if this one is a replay.
    """

    request_id: str
    scope: Scope | None
    moment_ms: int
    duration_us: int
    method: str
    path: str
    status: int
    key_id: str | None = None
    idempotency_key: str | None = None
    original_request_id: str | None = None
    parameters: str | None = None
    object_id: str | None = None
    sequence: int | None = None
    error: LoggedError | None = None
    user_agent: str | None = None


class RequestStore(Protocol):
    """Where requests are kept."""

    async def write(self, requests: Sequence[LoggedRequest]) -> None:
        """Keep requests, all with a scope. Those that are kept already stay as they are.

        Raises: DatabaseUnavailable, Overloaded.
        """

    async def find(self, scope: Scope, request_id: str) -> LoggedRequest | None:
        """Return a request of this tenant and mode. Raises: DatabaseUnavailable, Overloaded."""

    async def make_partitions(self) -> None:
        """Make partitions for the next days. Raises: DatabaseUnavailable, Overloaded."""

    async def drop_partitions(self, *, retention_days: int) -> None:
        """Drop the partitions that are too old. Raises: DatabaseUnavailable, Overloaded."""
