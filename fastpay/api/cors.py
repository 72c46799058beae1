"""Which answers a page of another origin may read, and what it may send (CORS).

A preflight is answered before anything is looked up: it names neither a key nor an object. No answer allows
cookies, since nothing here reads any. Source: Fetch standard, 3.2 "CORS protocol".
"""

from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay.engine.identity import IdentifierFactory

Header = tuple[bytes, bytes]

# What the SDKs read of an answer, beside what every page may read.
EXPOSED = (
    b"ETag, Idempotency-Key, Idempotent-Replayed, Original-Request, Request-Id, Retry-After, "
    b"Stripe-Should-Retry, Stripe-Version"
)
# What the SDKs send. The wildcard does not cover Authorization, so all are named.
_SENT = (
    b"Authorization, Content-Type, Fastpay-Timeout-Ms, Idempotency-Key, If-None-Match, Stripe-Account, "
    b"Stripe-Context, Stripe-Version, User-Agent, X-Requested-With, X-Stripe-Client-Telemetry, "
    b"X-Stripe-Client-User-Agent"
)
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE"),
    (b"access-control-allow-headers", _SENT),
    (b"access-control-max-age", b"%d" % limits.preflight_max_age_s),
)
_PREFLIGHT_NAMES = frozenset((b"origin", b"access-control-request-method"))


class Cors:
    """The origins whose pages may read answers; all origins if none is named."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._any = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED))

    def headers(self, origin: str) -> tuple[Header, ...]:
        """Return the headers of an answer to a request with this Origin."""
        if not self._origins:
            return self._any
        varies = (b"vary", b"origin")
        if origin not in self._origins:
            return (varies,)
        return (varies, (b"access-control-allow-origin", origin.encode("latin-1")), *self._any[1:])


class Preflight:
    """Answers preflights, for every path alike: the request that follows says what is wrong with it."""

    def __init__(self, cors: Cors, identifiers: IdentifierFactory) -> None:
        self._cors = cors
        self._identifiers = identifiers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one preflight."""
        origin = next(value for name, value in scope["headers"] if name == b"origin")
        headers = [
            (b"request-id", self._identifiers.request_id().encode()),
            *self._cors.headers(origin.decode("latin-1")),
            *_PREFLIGHT,
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def is_preflight(scope: Scope) -> bool:
    """Tell whether a browser asks for leave. A plain OPTIONS is a method like others."""
    return scope["method"] == "OPTIONS" and {name for name, _ in scope["headers"]} >= _PREFLIGHT_NAMES
