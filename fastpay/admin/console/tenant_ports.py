"""What the console's pages of one tenant ask of other floors."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class TenantSettings(msgspec.Struct, frozen=True):
    """A tenant's name and money rules in one mode, as people type them.

    `seen` changes with every change: what is sent from a page that is out of date is refused.
    """

    name: str
    created_ms: int
    rules: Mapping[str, str]
    seen: str


class Account(msgspec.Struct, frozen=True):
    """An account of a tenant that payments move. Amounts are in the smallest unit of the currency."""

    code: str
    currency: str
    balance: int
    pending: int


class Line(msgspec.Struct, frozen=True):
    """A line of an account's statement. `source_id` names what it was for; `balance` is the one after it."""

    transfer_id: str
    source_id: str | None
    moment_ms: int
    side: str
    phase: str
    amount: int
    balance: int


class Key(msgspec.Struct, frozen=True):
    """An API key, of which only the last four characters are known."""

    key_id: str
    kind: str
    last4: str
    state: str
    created_ms: int
    expires_ms: int | None
    signing: str
    must_sign: bool
    signing_secrets: int

    @property
    def is_valid(self) -> bool:
        """Whether requests can be made with it."""
        return self.state in ("good", "expiring")


class Endpoint(msgspec.Struct, frozen=True):
    """A webhook endpoint of a tenant, and how far its deliveries are.

    `version` changes with every change of it. Of headers only the names are shown.
    """

    endpoint_id: str
    version: int
    url: str
    description: str
    events: Sequence[str]
    order: str
    payload: str
    requests_per_second: int | None
    header_names: Sequence[str]
    secrets: int
    status: str
    disabled_reason: str | None
    circuit: str
    delivered_through: int
    lag: int
    failing_since_s: int | None


class Replay(msgspec.Struct, frozen=True):
    """Events that somebody wanted delivered again. `types` is empty for all, `event` for a range."""

    created_s: int
    from_sequence: int
    to_sequence: int
    types: Sequence[str]
    event: str


class Attempt(msgspec.Struct, frozen=True):
    """An attempt to deliver an event to an endpoint. `position` orders them by time."""

    position: str
    moment_ms: int
    event_id: str
    event_type: str
    sequence: int
    number: int
    outcome: str
    latency_ms: int
    excerpt: str
    is_delivered: bool
    next_attempt_s: int | None


class TenantStore(Protocol):
    """What the pages of one tenant show. All raise DatabaseUnavailable, Overloaded."""

    async def settings(self, tenant_id: str, livemode: bool) -> TenantSettings | None:
        """Return the name and the money rules, None if there is no such tenant."""

    async def accounts(self, tenant_id: str, livemode: bool, moment_ms: int | None = None) -> list[Account]:
        """Return the accounts that payments move, as they are or as they were at a time."""

    async def statement(
        self, tenant_id: str, livemode: bool, currency: str, code: str, before: str
    ) -> tuple[Account, list[Line]] | None:
        """Return an account with its lines older than a transfer, or the latest, newest first.

        None if there is no such account.
        """

    async def verify(self, tenant_id: str, livemode: bool) -> Sequence[str]:
        """Compare counters with transfers, and payments with both. Return what is wrong."""

    async def endpoints(self, tenant_id: str, livemode: bool) -> list[Endpoint]:
        """Return the webhook endpoints, newest first."""

    async def attempts(
        self,
        tenant_id: str,
        livemode: bool,
        endpoint_id: str,
        *,
        below: str = "",
        event: str = "",
        failed: bool = False,
    ) -> list[Attempt]:
        """Return attempts to deliver to an endpoint, newest first: those below a position, or the latest.

        Of one event, or of those that failed, if that is wanted.
        """

    async def replays(self, tenant_id: str, livemode: bool, endpoint_id: str) -> list[Replay]:
        """Return what was to be delivered again to an endpoint, newest first."""

    async def keys(self, tenant_id: str, livemode: bool) -> list[Key]:
        """Return the API keys, oldest first."""

    async def request(self, tenant_id: str, livemode: bool, request_id: str) -> Mapping[str, object] | None:
        """Return what the request log has of a request, as the API shows it; None if it has nothing."""
