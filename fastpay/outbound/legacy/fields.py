"""The rules for header fields between two connections, in both directions.

Only end-to-end fields go on (RFC 9110 7.6.1): not those of a connection, nor any that a Connection field
names. How a body ends is decided anew for each connection, from a length that the parser has found valid.
All names are in lower case: ASGI has them so, and so has `answers.py`.
"""

from typing import NamedTuple

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
_DROPPED_OF_REQUESTS = _HOP_BY_HOP | _REPLACED
# What an answer says of this server.
_DROPPED_OF_ANSWERS = _HOP_BY_HOP | {b"fastpay-served-by", b"fastpay-request-id"}
_TRACE = frozenset((b"traceparent", b"tracestate"))
# They name no field.
_OPTIONS = frozenset((b"close", b"keep-alive"))
_VIA = (b"via", b"1.1 " + PSEUDONYM)
_SERVED_BY = (b"fastpay-served-by", b"legacy")


class Said(NamedTuple):
    """What a request says to the legacy API: lines of its head, without those about the body.

    `length` is how long the body is, as the client said it: the server has checked it. With `is_loop` the
    request has come through here before: the legacy API sends it back.
    """

    lines: list[bytes]
    length: int | None
    is_loop: bool


def for_legacy(request: PassedRequest) -> Said:
    """Return what goes on of a request.

    The client's Host is kept: the legacy API makes its own links with it, as it did before.
    """
    fields = request.fields
    special: dict[bytes, bytes] = {}
    lines = [b""]
    named = _named(fields)
    for name, value in fields:
        if name in _DROPPED_OF_REQUESTS:
            # A field that is there twice is a list (RFC 9110 5.3).
            special[name] = special[name] + b", " + value if name in special else value
        elif name not in named and (request.trace is None or name not in _TRACE):
            lines.append(b"%b: %b" % (name, value))
    host, via, length = special.get(b"host", b""), special.get(b"via"), special.get(b"content-length")
    lines[0] = b"host: " + host
    version = request.http_version.encode()
    before = b"" if via is None else via + b", "
    lines.append(b"via: %b%b %b" % (before, version, PSEUDONYM))
    lines += _forwarded(request, host)
    lines.append(b"request-id: " + request.request_id.encode())
    if request.trace is not None:
        traceparent, tracestate = request.trace
        lines.append(b"traceparent: " + traceparent.encode("latin-1"))
        if tracestate:
            lines.append(b"tracestate: " + tracestate.encode("latin-1"))
    is_loop = via is not None and any(one.split()[1:2] == [PSEUDONYM] for one in via.split(b","))
    return Said(lines, int(length) if length else None, is_loop)


def for_client(status: int, fields: Fields, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return the fields of an answer."""
    named = _named(fields)
    kept: list[tuple[bytes, bytes]] = []
    has_request_id = False
    for field in fields:
        name = field[0]
        if name in _DROPPED_OF_ANSWERS or name in named or (status == 204 and name == b"content-length"):
            continue
        has_request_id = has_request_id or name == b"request-id"
        kept.append(field)
    own = request_id.encode()
    kept += (_VIA, _SERVED_BY, (b"fastpay-request-id", own))
    if not has_request_id:
        kept.append((b"request-id", own))
    return kept


def _forwarded(request: PassedRequest, host: bytes) -> list[bytes]:
    """Return where the request is from, by RFC 7239 and by the names that most servers read."""
    scheme = request.scheme.encode()
    if request.client is None:
        return [b'forwarded: for=unknown;host="%b";proto=%b' % (host, scheme)]
    client = request.client.encode("ascii", "replace")
    node = b'"[%b]"' % client if b":" in client else client
    return [
        b'forwarded: for=%b;host="%b";proto=%b' % (node, host, scheme),
        b"x-forwarded-for: " + client,
        b"x-forwarded-host: " + host,
        b"x-forwarded-proto: " + scheme,
    ]


def _named(fields: Fields) -> frozenset[bytes]:
    """Return the fields that Connection fields name."""
    named: frozenset[bytes] = frozenset()
    for name, value in fields:
        if name == b"connection" and (options := value.lower()) not in _OPTIONS:
            named |= {option.strip() for option in options.split(b",")} - _OPTIONS
    return named
