"""What the API needs of the legacy API: the one that fastpay stands in front of, and replaces."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

Fields = Sequence[tuple[bytes, bytes]]


class PassedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the client sent it, and what this server knows of it.

    `target` is the path with its query as written. `client` is the address that the request came from, as
    trusted proxies tell it. `trace` are the headers traceparent and tracestate, if this server made a span.
    """

    method: str
    target: bytes
    fields: Fields
    http_version: str
    scheme: str
    client: str | None
    request_id: str
    trace: tuple[str, str] | None = None


class PassedBody(Protocol):
    """The body of a request, while the client sends it."""

    first: bytes
    # Whether `first` is all of it.
    is_whole: bool

    async def next(self) -> bytes | None:
        """Return the next piece behind `first`, None at the end. Raises: ClientLeft."""

    async def until_left(self) -> None:
        """Return once the client has left. Only after the end of the body, if the answer takes long."""


class ClientLeft(Exception):
    """The client disconnected, so nobody waits for an answer."""


class PassedAnswer(Protocol):
    """An answer of the legacy API, while it comes."""

    status: int
    fields: Fields

    @property
    def is_over(self) -> bool:
        """Whether `next` would return None at once."""

    async def next(self) -> bytes | None:
        """Return the next piece of the body, None at the end.

        Raises: FastpayError if it breaks off, ClientLeft.
        """

    def close(self) -> None:
        """Let go of the connection, whose next answer could be mistaken for this one if it was not read."""


class Legacy(Protocol):
    """Passes requests to the legacy API."""

    async def ask(self, request: PassedRequest, body: PassedBody) -> PassedAnswer:
        """Send a request; return its answer once the head is here. `close` it.

        Raises: ClientLeft, LegacyUnavailable and Overloaded if nothing was sent; LegacyFailed, LegacyTimedOut
        for requests that change nothing; LegacyBroke, LegacySilent if the outcome is not known.
        """
