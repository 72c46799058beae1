"""The rules for HTTP/2 requests: those of HTTP/1.1, in the terms of RFC 9113."""

from typing import Any

Headers = list[tuple[bytes, bytes]]

# Keys of REFUSALS in server/refusal.py.
LENGTH_DIFFERENT: int
TRAILERS_REFUSED: int

class Reading:
    """What the transport needs of a request's fields."""

    @property
    def fault(self) -> int:
        """0, or the refusal; without a refusal the others are set."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for a response 100 before it sends the body."""

    @property
    def length(self) -> int:
        """Content-Length, or -1."""

    @property
    def head_bytes(self) -> int:
        """How many bytes names and values have."""

class RequestPolicy:
    """Builds ASGI scopes from the fields of HTTP/2 requests, or returns the refusal."""

    def __init__(self, settings: Any) -> None: ...
    def build_scope(self, fields: Headers, scope: dict[str, Any]) -> Reading:
        """Fill a scope from the fields of a request."""

    def check_trailers(self, fields: Headers) -> int:
        """Return 0, or the refusal for trailer fields."""
