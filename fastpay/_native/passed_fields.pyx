"""The fields of a request that is passed on, and of its answer. The contract is in passed_fields.pyi."""

from fastpay._native.fields cimport is_clean

# Who this is in Via fields (RFC 9110 7.6.3).
cdef bytes PSEUDONYM = b"fastpay"
cdef frozenset HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"http2-settings", b"proxy-authenticate", b"proxy-authorization", b"proxy-authentication-info",
))
# What this server says itself. A client's own word on where it is from counts only if a trusted proxy
# confirmed it, and then the scope says it.
cdef frozenset DROPPED_OF_REQUESTS = HOP_BY_HOP | frozenset((
    b"host", b"content-length", b"expect", b"via", b"forwarded", b"x-forwarded-for", b"x-real-ip",
    b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"request-id",
))
# The last two are what an answer says of this server.
cdef frozenset DROPPED_OF_ANSWERS = HOP_BY_HOP | frozenset((b"fastpay-served-by", b"fastpay-request-id"))
# Options of Connection fields that name no field.
cdef frozenset OPTIONS = frozenset((b"close", b"keep-alive"))
cdef tuple VIA = (b"via", b"1.1 " + PSEUDONYM)
cdef bytes VIA_END = b" " + PSEUDONYM + b"\r\n"
cdef tuple SERVED_BY = (b"fastpay-served-by", b"legacy")


def request_head(bytes start, fields, str version, str scheme, str client, str request_id, tuple trace):
    cdef bytes name, value
    cdef bytes host = None, via = None, length = None, http_version = version.encode()
    cdef list kept = []
    cdef list parts
    cdef set named = None
    for pair in fields:
        name, value = pair
        if name not in DROPPED_OF_REQUESTS:
            if trace is None or (name != b"traceparent" and name != b"tracestate"):
                kept.append(pair)
        # A field that is there twice is a list (RFC 9110 5.3).
        elif name == b"host":
            host = value if host is None else host + b", " + value
        elif name == b"via":
            via = value if via is None else via + b", " + value
        elif name == b"content-length":
            length = value if length is None else length + b", " + value
        elif name == b"connection":
            named = _add_named(named, value)
    if host is None:
        host = b""
    parts = [_clean(start), b"\r\nhost: ", _clean(host), b"\r\nvia: "]
    if via is not None:
        parts.append(_clean(via))
        parts.append(b", ")
    parts.append(http_version)
    parts.append(VIA_END)
    for name, value in kept:
        if named is None or name not in named:
            parts.append(_clean(name))
            parts.append(b": ")
            parts.append(_clean(value))
            parts.append(b"\r\n")
    _add_forwarded(parts, host, scheme, client)
    parts.append(b"request-id: ")
    parts.append(_clean(request_id.encode()))
    parts.append(b"\r\n")
    if trace is not None:
        traceparent, tracestate = trace
        parts += (b"traceparent: ", _clean(traceparent.encode("latin-1")), b"\r\n")
        if tracestate:
            parts += (b"tracestate: ", _clean(tracestate.encode("latin-1")), b"\r\n")
    return b"".join(parts), int(length) if length else None, via is not None and _is_loop(via)


def answer_fields(int status, fields, str request_id):
    cdef bytes name, value, own = request_id.encode()
    cdef list kept = []
    cdef set named = None
    cdef bint has_request_id = False
    for name, value in fields:
        if name == b"connection":
            named = _add_named(named, value)
    for pair in fields:
        name, value = pair
        if name in DROPPED_OF_ANSWERS or (named is not None and name in named):
            continue
        if status == 204 and name == b"content-length":
            continue
        has_request_id = has_request_id or name == b"request-id"
        kept.append(pair)
    kept.append(VIA)
    kept.append(SERVED_BY)
    kept.append((b"fastpay-request-id", own))
    if not has_request_id:
        kept.append((b"request-id", own))
    return kept


cdef set _add_named(set named, bytes value):
    # Add the fields that a Connection field names; None for none.
    if value is None:
        raise TypeError("the value of a field must be bytes")
    options = value.lower()
    if options in OPTIONS:
        return named
    if named is None:
        named = set()
    named.update([option.strip() for option in options.split(b",")])
    named -= OPTIONS
    return named


cdef bytes _clean(bytes text):
    # Nothing may end a line before its end, or be read so by the next server.
    if text is None:
        raise TypeError("the names and values of fields must be bytes")
    if not is_clean(text):
        raise ValueError("a line break or NUL in a field")
    return text


cdef int _add_forwarded(list parts, bytes host, str scheme, str client) except -1:
    # Say where the request is from, by RFC 7239 and by the names that most servers read.
    cdef bytes address, proto = scheme.encode()
    if client is None:
        parts += (b'forwarded: for=unknown;host="', host, b'";proto=', proto, b"\r\n")
        return 0
    address = _clean(client.encode("ascii", "replace"))
    if b":" in address:
        parts += (b'forwarded: for="[', address, b']"')
    else:
        parts += (b"forwarded: for=", address)
    parts += (b';host="', host, b'";proto=', proto, b"\r\nx-forwarded-for: ", address)
    parts += (b"\r\nx-forwarded-host: ", host, b"\r\nx-forwarded-proto: ", proto, b"\r\n")
    return 0


cdef bint _is_loop(bytes via) except -1:
    for one in via.split(b","):
        if one.split()[1:2] == [PSEUDONYM]:
            return True
    return False
