"""The rules for header fields between two connections, in both directions.

Only end-to-end fields go on (RFC 9110 7.6.1): not those of a connection, nor any that a Connection field
names. How a body ends is decided anew for each connection, from a length that the parser has found valid.
"""

import re

from fastpay.engine.rollout.ports import Fields, PassedRequest

# Who this is in Via fields (RFC 9110 7.6.3).
PSEUDONYM = b"fastpay"
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding"),
        *(b"upgrade", b"http2-settings", b"proxy-authenticate", b"proxy-authorization"),
        b"proxy-authentication-info",
    )
)
# What this server says itself. A client's own word on where it is from counts only if a trusted proxy
# confirmed it, and then it is in `PassedRequest.client`.
_REPLACED = frozenset(
    (
        *(b"host", b"content-length", b"expect", b"via", b"forwarded", b"x-forwarded-for", b"x-real-ip"),
        *(b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"request-id"),
    )
)
# What an answer says of this server.
_OWN = frozenset((b"fastpay-served-by", b"fastpay-request-id"))
_TRACE = frozenset((b"traceparent", b"tracestate"))
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class FieldsMalformedError(Exception):
    """A head that must not go on: two readers could understand it differently."""


def for_legacy(request: PassedRequest) -> list[tuple[bytes, bytes]]:
    """Return the fields of a request without those about its body.

    The client's Host is kept: the legacy API makes its own links with it, as it did before.
    """
    dropped = _connection_fields(request.fields) | _HOP_BY_HOP | _REPLACED
    if request.trace is not None:
        dropped |= _TRACE
    host = _joined(request.fields, b"host")
    kept = [
        (b"host", host),
        *((name, value) for name, value in request.fields if name.lower() not in dropped),
    ]
    received = request.http_version.encode() + b" " + PSEUDONYM
    before = _joined(request.fields, b"via")
    kept.append((b"via", before + b", " + received if before else received))
    kept += _forwarded(request, host)
    kept.append((b"request-id", request.request_id.encode()))
    if request.trace is not None:
        traceparent, tracestate = request.trace
        kept.append((b"traceparent", traceparent.encode("latin-1")))
        if tracestate:
            kept.append((b"tracestate", tracestate.encode("latin-1")))
    return kept


def for_client(
    status: int, fields: Fields, request_id: str, *, is_chunked: bool
) -> list[tuple[bytes, bytes]]:
    """Return the fields of an answer. Raises: FieldsMalformedError."""
    dropped = _connection_fields(fields) | _HOP_BY_HOP | _OWN
    if is_chunked or status == 204:
        dropped |= {b"content-length"}
    kept: list[tuple[bytes, bytes]] = []
    has_request_id = False
    for name, value in fields:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise FieldsMalformedError("a header field of the answer is not valid")
        lower = name.lower()
        if lower in dropped:
            continue
        has_request_id = has_request_id or lower == b"request-id"
        kept.append((lower, value))
    own = request_id.encode()
    kept += [
        (b"via", b"1.1 " + PSEUDONYM),
        (b"fastpay-served-by", b"legacy"),
        (b"fastpay-request-id", own),
    ]
    if not has_request_id:
        kept.append((b"request-id", own))
    return kept


def length_of(fields: Fields) -> int | None:
    """Return how long a request's body is, as its client said it. The server has checked it."""
    value = _joined(fields, b"content-length")
    return int(value) if value else None


def is_loop(fields: Fields) -> bool:
    """Tell whether a request has come through here before: the legacy API sends it back."""
    entries = _joined(fields, b"via").split(b",")
    return any(entry.split()[1:2] == [PSEUDONYM] for entry in entries)


def _forwarded(request: PassedRequest, host: bytes) -> list[tuple[bytes, bytes]]:
    """Return where the request is from, by RFC 7239 and by the names that most servers read."""
    scheme = request.scheme.encode()
    if request.client is None:
        return [(b"forwarded", b'for=unknown;host="%b";proto=%b' % (host, scheme))]
    client = request.client.encode("ascii", "replace")
    node = b'"[%b]"' % client if b":" in client else client
    return [
        (b"forwarded", b'for=%b;host="%b";proto=%b' % (node, host, scheme)),
        (b"x-forwarded-for", client),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", scheme),
    ]


def _connection_fields(fields: Fields) -> frozenset[bytes]:
    """Return the fields that a Connection field names."""
    named = _joined(fields, b"connection")
    return frozenset(name.strip().lower() for name in named.split(b",")) if named else frozenset()


def _joined(fields: Fields, name: bytes) -> bytes:
    """Return the values of a field as one list (RFC 9110 5.3)."""
    return b", ".join([value for own, value in fields if own.lower() == name])
