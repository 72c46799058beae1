"""The headers of a request, of which some may be repeated."""

from collections.abc import Iterable

from starlette.types import Scope

from fastpay._native.headers import Headers, decode
from fastpay.api.authentication import SIGNATURE_HEADER
from fastpay.errors import InvalidRequest

_SINGLE_HEADERS = frozenset(
    ("authorization", "content-length", "content-type", "idempotency-key", "stripe-account", "stripe-context")
)
# A list may come in several lines (RFC 9110 5.3). Two signatures are invalid, so neither may be dropped.
# Two of traceparent are no valid one, and so there is none.
_JOINED_HEADERS = frozenset(("accept-encoding", SIGNATURE_HEADER, "traceparent", "tracestate"))


def read_headers(scope: Scope) -> Headers:
    """Return the headers of a request by name, in lower case.

    Raises: InvalidRequest for a repeated header of which two readers may use different values.
    """
    headers = decode(scope["headers"])
    return _merged(scope["headers"]) if headers is None else headers


def origin_of(scope: Scope) -> Headers:
    """Return the Origin alone, so that a page can read why its headers were refused."""
    return Headers([pair for pair in scope["headers"] if pair[0] == b"origin"][-1:])


def _merged(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return headers of which some are repeated."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        if key in merged:
            if key in _SINGLE_HEADERS:
                raise InvalidRequest(f"The header {key} was sent twice.")
            if key in _JOINED_HEADERS:
                text = f"{merged[key]}, {text}"
        merged[key] = text
    return Headers((name.encode("latin-1"), text.encode("latin-1")) for name, text in merged.items())
