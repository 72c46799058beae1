"""The target of a request: its host and its path, and what is not allowed in them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

from fastpay._native.gate cimport REFUSED_METHOD

cdef dict METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}


def read_target(bytes target, bytes host, str method, dict scope):
    """Store path, raw path and query of a target in a scope; return 0 or the refusal."""
    if method not in METHODS.values():
        return int(REFUSED_METHOD)
    if not target:
        return int(REFUSED_TARGET_FORM)
    return split_target(target, host, method, scope)


cdef str find_method(const unsigned char* data, Py_ssize_t length):
    # The name of the method; None for one that is not supported.
    if length == 3 and memcmp(data, b"GET", 3) == 0:
        return "GET"
    if length == 4 and memcmp(data, b"POST", 4) == 0:
        return "POST"
    return METHODS.get(data[:length])


def check_host(bytes value):
    """Return whether this is a valid host of a request."""
    return is_host(value)


cdef bint is_host(bytes value) noexcept:
    # RFC 9110 7.2 with RFC 3986 3.2.2, restricted to names and addresses that occur in practice.
    cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t at = 0
    if length and text[0] == c"[":
        at = 1
        while at < length and (is_hex(text[at]) or text[at] == c":" or text[at] == c"."):
            at += 1
        if at == 1 or at == length or text[at] != c"]":
            return False
        at += 1
    else:
        while at < length and is_name(text[at]):
            at += 1
        if at == 0:
            return False
    if at < length and text[at] != c":":
        return False
    at += 1
    while at < length:
        if not c"0" <= text[at] <= c"9":
            return False
        at += 1
    return True


cdef bint is_hex(unsigned char byte) noexcept:
    return c"0" <= byte <= c"9" or c"a" <= (byte | 32) <= c"f"


cdef bint is_name(unsigned char byte) noexcept:
    return (
        c"a" <= (byte | 32) <= c"z"
        or c"0" <= byte <= c"9"
        or byte == c"."
        or byte == c"-"
        or byte == c"_"
        or byte == c"~"
    )


cdef int split_target(bytes target, bytes host, str method, dict parts) except -1:
    # Store path, raw path and query in `parts`, the scope. Return 0 or a refusal.
    cdef bytes raw = target
    cdef bytes query = b""
    cdef Py_ssize_t mark
    cdef Py_ssize_t slash
    cdef const char* question
    if raw[0] != c"/":
        if raw == b"*" and method == "OPTIONS":
            parts["fastpay.target"] = raw
            parts["path"] = "*"
            parts["raw_path"] = raw
            parts["query_string"] = b""
            return 0
        if raw[:7].lower() == b"http://":
            raw = raw[7:]
        elif raw[:8].lower() == b"https://":
            raw = raw[8:]
        else:
            return REFUSED_TARGET_FORM
        slash = raw.find(b"/")
        mark = raw.find(b"?")
        if mark >= 0 and (slash < 0 or mark < slash):
            slash = mark
        if slash < 0:
            slash = len(raw)
        # RFC 9112 3.2.2 prefers the target's host to the field. Two different ones could be read either
        # way, so they are refused.
        if host is None or raw[:slash].lower() != host.lower():
            return REFUSED_HOST_DIFFERENT
        raw = raw[slash:]
        if raw[:1] != b"/":
            raw = b"/" + raw
    # Signatures cover this: path and query in one, so that a question mark without a query counts.
    parts["fastpay.target"] = raw
    question = <const char*>memchr(PyBytes_AS_STRING(raw), c"?", PyBytes_GET_SIZE(raw))
    if question != NULL:
        mark = question - PyBytes_AS_STRING(raw)
        query = PyBytes_FromStringAndSize(question + 1, PyBytes_GET_SIZE(raw) - mark - 1)
        raw = PyBytes_FromStringAndSize(PyBytes_AS_STRING(raw), mark)
    parts["raw_path"] = raw
    parts["query_string"] = query
    if memchr(PyBytes_AS_STRING(raw), c"%", PyBytes_GET_SIZE(raw)) == NULL:
        parts["path"] = raw.decode("ascii")
        return 0
    path = decode_path(raw)
    if path is None:
        return REFUSED_TARGET_ESCAPE
    parts["path"] = path
    return 0


cdef str decode_path(bytes raw):
    # Return None for an escape that is not two hex digits. Invalid UTF-8 becomes U+FFFD, which no route
    # contains, so that the application answers 404.
    cdef bytearray decoded = bytearray()
    cdef list pieces = raw.split(b"%")
    decoded += pieces[0]
    for piece in pieces[1:]:
        try:
            byte = bytes.fromhex(piece[:2].decode("ascii"))
        except ValueError:
            return None
        if len(byte) != 1:
            return None
        decoded += byte
        decoded += piece[2:]
    return decoded.decode("utf-8", "replace")
