"""The rules for HTTP/2 requests: those of HTTP/1.1, in the terms of RFC 9113.

The codec decodes fields without checking them, so that an error affects only its request. This module
checks what h2 would check, and more:

| rule | clause | refusal |
|---|---|---|
| names: lower-case tokens, no colon, never empty | 8.2.1 | 9 |
| names without underscores | policy | 10 |
| values without control characters, NUL, CR and LF among them | 8.2.1 | 11 |
| values without white space at their ends | 8.2.1 | 51 |
| no Connection, Proxy-Connection, Keep-Alive, Transfer-Encoding, Upgrade | 8.2.2 | 49 |
| TE only `trailers` | 8.2.2 | 50 |
| pseudo-header fields: known ones, each once, before all others | 8.3 | 48 |
| `:method`, `:scheme` and `:path` are present; `:status` and `:protocol` are not | 8.3.1, RFC 8441 4 | 48 |
| `:method` is a token, `:scheme` is http or https, `:path` is a path or `*` | 8.3.1 | 48, 46 |
| Host equals `:authority` if both are present, and one of them is | 8.3.1 | 33 to 36 |
| no CONNECT, in either form | 8.5 | 8 |
| Content-Length is one number, and the length of the body | 8.1.1 | 41, 42, 52 |
| trailers: valid fields, no pseudo-header fields, no lengths, at the end of the request | 8.1 | 53, 13, 14 |

A refusal with status 400 means that the request is malformed (8.1.1).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_CheckExact
from libc.string cimport memcmp

from fastpay._native.target cimport (
    REFUSED_EXPECTATION,
    REFUSED_FIELD_REPEATED,
    REFUSED_HOST_DIFFERENT,
    REFUSED_HOST_INVALID,
    REFUSED_HOST_MISSING,
    REFUSED_HOST_REPEATED,
    REFUSED_LENGTH_INVALID,
    REFUSED_LENGTH_REPEATED,
    REFUSED_TARGET_FORM,
    find_method,
    is_host,
    split_target,
)

cdef enum:
    # Keys of REFUSALS in server/refusal.py, beside those of `Refusal`.
    REFUSED_TARGET_CHARACTER = 5
    REFUSED_TARGET_LENGTH = 6
    REFUSED_METHOD = 8
    REFUSED_NAME = 9
    REFUSED_UNDERSCORE = 10
    REFUSED_VALUE = 11
    REFUSED_COUNT = 13
    REFUSED_BYTES = 14
    REFUSED_BODY_LENGTH = 18
    REFUSED_PSEUDO = 48
    REFUSED_CONNECTION = 49
    REFUSED_TE = 50
    REFUSED_VALUE_ENDS = 51

    # What a byte may be part of.
    IN_NAME = 1
    IN_VALUE = 2
    IN_METHOD = 4
    IN_TARGET = 8

    LENGTH_DIGITS_MAX = 15

LENGTH_DIFFERENT = 52
TRAILERS_REFUSED = 53

cdef unsigned char PARTS[256]


cdef int _fill() except -1:
    cdef int byte
    for byte in range(256):
        PARTS[byte] = 0
        if byte == 9 or (32 <= byte != 127):
            PARTS[byte] |= IN_VALUE
    for byte in b"!#$%&'*+-.^`|~0123456789abcdefghijklmnopqrstuvwxyz":
        PARTS[byte] |= IN_NAME | IN_METHOD
    for byte in b"_ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        PARTS[byte] |= IN_METHOD
    for byte in b"-._~!$&'()*+,;=:@/?%[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        PARTS[byte] |= IN_TARGET
    return 0


_fill()


cdef inline bint _consists_of(bytes text, unsigned char part) noexcept:
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(text)
    cdef Py_ssize_t index
    for index in range(PyBytes_GET_SIZE(text)):
        if not PARTS[data[index]] & part:
            return False
    return True


cdef inline bint _is(bytes text, const char* other, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(text) == size and memcmp(PyBytes_AS_STRING(text), other, size) == 0


cdef inline bint _is_white(char byte) noexcept:
    return byte == c" " or byte == c"\t"


@cython.final
@cython.freelist(8)
cdef class Pseudo:
    """The pseudo-header fields of a request; None is one that is missing."""

    cdef int read(self, list fields) except -1:
        cdef bytes name, value
        for name, value in fields:
            if not PyBytes_GET_SIZE(name) or PyBytes_AS_STRING(name)[0] != c":":
                return 0
            self.count += 1
            if _is(name, b":method", 7):
                self.fault |= self.method is not None
                self.method = value
            elif _is(name, b":scheme", 7):
                self.fault |= self.scheme is not None
                self.scheme = value
            elif _is(name, b":authority", 10):
                self.fault |= self.authority is not None
                self.authority = value
            elif _is(name, b":path", 5):
                self.fault |= self.path is not None
                self.path = value
            else:
                self.fault = 1
        return 0

    cdef int judge(self, Py_ssize_t target_bytes_max) except -1:
        if self.fault or self.method is None or self.scheme is None or self.path is None:
            return REFUSED_PSEUDO
        if not PyBytes_GET_SIZE(self.method) or not _consists_of(self.method, IN_METHOD):
            return REFUSED_PSEUDO
        if self.scheme != b"https" and self.scheme.lower() not in (b"http", b"https"):
            return REFUSED_PSEUDO
        if PyBytes_GET_SIZE(self.path) > target_bytes_max:
            return REFUSED_TARGET_LENGTH
        if not _consists_of(self.path, IN_TARGET):
            return REFUSED_TARGET_CHARACTER
        # RFC 9113 8.3.1: there is no absolute form.
        if PyBytes_AS_STRING(self.path)[0] == c"/" or _is(self.path, b"*", 1):
            return 0
        return REFUSED_TARGET_FORM


@cython.final
cdef class RequestPolicy:
    """Builds ASGI scopes from the fields of HTTP/2 requests, or returns the refusal."""

    def __init__(self, settings):
        self.single = frozenset(name.lower().encode() for name in settings.single_headers)
        self.target_bytes_max = settings.target_bytes_max
        self.header_bytes_max = settings.header_bytes_max
        self.header_count_max = settings.header_count_max
        self.body_bytes_max = settings.body_bytes_max

    def build_scope(self, list fields not None, dict scope not None):
        return self.build(fields, scope)

    def check_trailers(self, list fields not None):
        return self.judge_trailers(fields)

    cdef Reading build(self, list fields, dict scope):
        cdef Pseudo pseudo = Pseudo.__new__(Pseudo)
        cdef Reading reading = Reading.__new__(Reading)
        cdef str method
        pseudo.read(fields)
        method = None
        if pseudo.method is not None:
            method = find_method(
                <const unsigned char*>PyBytes_AS_STRING(pseudo.method), PyBytes_GET_SIZE(pseudo.method)
            )
        reading.length = -1
        scope["method"] = method if method is not None else (pseudo.method or b"").decode("latin-1")
        if pseudo.method is not None and _is(pseudo.method, b"CONNECT", 7):
            reading.fault = REFUSED_METHOD
        elif len(fields) > self.header_count_max:
            reading.fault = REFUSED_COUNT
        else:
            reading.fault = pseudo.judge(self.target_bytes_max)
        if reading.fault:
            return reading
        reading.fault = self._read_fields(reading, fields, pseudo, scope)
        if not reading.fault:
            if method is None:
                reading.fault = REFUSED_METHOD
            else:
                reading.fault = split_target(pseudo.path, reading.host, method, scope)
        return reading

    cdef int judge_trailers(self, list fields) except -1:
        cdef Reading reading = Reading.__new__(Reading)
        cdef Py_ssize_t size = 0
        cdef bytes name, value
        if len(fields) > self.header_count_max:
            return REFUSED_COUNT
        for name, value in fields:
            size += PyBytes_GET_SIZE(name) + PyBytes_GET_SIZE(value) + 4
        if size > self.header_bytes_max:
            return REFUSED_BYTES
        for name, value in fields:
            if _is(name, b"content-length", 14) or self._judge(reading, name, value):
                return TRAILERS_REFUSED
        return 0

    cdef int _read_fields(self, Reading reading, list fields, Pseudo pseudo, dict scope) except -1:
        """Put the fields into the scope, the host first, and return 0 or the first refusal."""
        cdef list headers = [None]
        cdef list cookies = None
        cdef Py_ssize_t index, size = 0
        cdef bytes name, value
        cdef int fault = 0
        reading.host = pseudo.authority if pseudo.authority is not None else b""
        for index in range(len(fields)):
            field = <tuple>fields[index]
            name, value = <tuple>field
            size += PyBytes_GET_SIZE(name) + PyBytes_GET_SIZE(value)
            if index < pseudo.count:
                continue
            if not fault:
                fault = self._judge(reading, name, value)
            if _is(name, b"host", 4):
                if not fault and pseudo.authority is not None and value != pseudo.authority:
                    fault = REFUSED_HOST_DIFFERENT
                reading.host = value
            elif _is(name, b"cookie", 6):
                if cookies is None:
                    cookies = []
                cookies.append(value)
            else:
                headers.append(field if PyTuple_CheckExact(field) else (name, value))
        headers[0] = (b"host", reading.host)
        if cookies is not None:
            # RFC 9113 8.2.3: the parts of a split cookie field are joined again.
            headers.append((b"cookie", b"; ".join(cookies)))
        scope["headers"] = headers
        reading.head_bytes = size
        if size + 4 * len(fields) > self.header_bytes_max:
            return REFUSED_BYTES
        if not fault and not reading.host:
            return REFUSED_HOST_MISSING
        if not fault and not is_host(reading.host):
            return REFUSED_HOST_INVALID
        return fault

    cdef int _judge(self, Reading reading, bytes name, bytes value) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(name), value_size = PyBytes_GET_SIZE(value)
        cdef const char* text = PyBytes_AS_STRING(value)
        if not size or not _consists_of(name, IN_NAME):
            return REFUSED_UNDERSCORE if b"_" in name else REFUSED_NAME
        if not _consists_of(value, IN_VALUE):
            return REFUSED_VALUE
        if value_size and (_is_white(text[0]) or _is_white(text[value_size - 1])):
            return REFUSED_VALUE_ENDS
        if _is(name, b"te", 2):
            if value.lower() != b"trailers":
                return REFUSED_TE
        elif _is(name, b"host", 4):
            if reading.has_host:
                return REFUSED_HOST_REPEATED
            reading.has_host = True
            return 0
        elif _is(name, b"content-length", 14):
            if reading.has_length:
                return REFUSED_LENGTH_REPEATED
            reading.has_length = True
            return self._read_length(reading, value)
        elif _is(name, b"expect", 6):
            if value.lower() != b"100-continue":
                return REFUSED_EXPECTATION
            reading.expects_continue = True
        elif (
            _is(name, b"connection", 10)
            or _is(name, b"proxy-connection", 16)
            or _is(name, b"keep-alive", 10)
            or _is(name, b"transfer-encoding", 17)
            or _is(name, b"upgrade", 7)
        ):
            return REFUSED_CONNECTION
        return self._judge_repetition(reading, name)

    cdef int _judge_repetition(self, Reading reading, bytes name) except -1:
        if name not in self.single:
            return 0
        if reading.single_seen is None:
            reading.single_seen = {name}
        elif name in reading.single_seen:
            return REFUSED_FIELD_REPEATED
        else:
            reading.single_seen.add(name)
        return 0

    cdef int _read_length(self, Reading reading, bytes value) except -1:
        cdef long long length = 0
        cdef char digit
        if not 0 < PyBytes_GET_SIZE(value) <= LENGTH_DIGITS_MAX:
            return REFUSED_LENGTH_INVALID
        for digit in value:
            if not c"0" <= digit <= c"9":
                return REFUSED_LENGTH_INVALID
            length = length * 10 + digit - c"0"
        if length > self.body_bytes_max:
            return REFUSED_BODY_LENGTH
        reading.length = length
        return 0


@cython.final
@cython.freelist(8)
cdef class Reading:
    """What the transport needs of a request's fields."""
