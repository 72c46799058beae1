"""The headers of an ordinary request for one object: those that its answer depends on, and harmless ones.

An allow-list, so that a header which means something one day goes the long way until it is read here too.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.string cimport memcmp

cdef enum:
    VERSION_CHARS_MAX = 64
    HARMLESS_MAX = 64
    NAME_BYTES_MAX = 40

# Headers that the long way does not read: of the client, of browsers, and of proxies in between.
HARMLESS = (
    b"host", b"user-agent", b"accept", b"baggage", b"connection",
    b"accept-charset", b"accept-language", b"cache-control", b"cookie", b"date", b"dnt", b"from",
    b"keep-alive", b"pragma", b"priority", b"referer", b"sec-ch-ua", b"sec-ch-ua-mobile",
    b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user",
    b"sec-gpc", b"upgrade-insecure-requests",
    b"cdn-loop", b"cf-connecting-ip", b"cf-ipcountry", b"cf-ray", b"cf-visitor", b"forwarded",
    b"true-client-ip", b"via", b"x-amzn-trace-id", b"x-client-ip", b"x-cloud-trace-context",
    b"x-correlation-id", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port",
    b"x-forwarded-prefix", b"x-forwarded-proto", b"x-forwarded-server", b"x-real-ip", b"x-request-id",
    b"x-request-start", b"x-requested-with", b"x-stripe-client-telemetry", b"x-stripe-client-user-agent",
)
# Read while traces are made, and harmless otherwise.
OF_TRACES = (b"traceparent", b"tracestate")

# Both lists, sorted by length: the names of a length are those from `first[length]` to `first[length + 1]`.
cdef const char* names[HARMLESS_MAX]
cdef int first[NAME_BYTES_MAX + 2]


cdef int _fill() except -1:
    cdef bytes name
    cdef int count = 0
    for length in range(NAME_BYTES_MAX + 2):
        first[length] = count
        for name in HARMLESS + OF_TRACES:
            if len(name) == length:
                names[count] = PyBytes_AS_STRING(name)
                count += 1
    return 0


if len(HARMLESS + OF_TRACES) > HARMLESS_MAX or max(map(len, HARMLESS + OF_TRACES)) > NAME_BYTES_MAX:
    raise ValueError("the list of harmless headers has outgrown its table")
_fill()


@cython.final
cdef class Fields:
    """The values that an answer depends on."""


def read_headers(list headers, *, bint is_tracing):
    """Return the values as `read` finds them, None for the long way; for the tests."""
    cdef Fields fields = Fields.__new__(Fields)
    if not read(fields, headers, is_tracing):
        return None
    shown = (fields.authorization, fields.if_none_match, fields.version, fields.accepted)
    return (*shown, fields.traceparent, fields.tracestate)


cdef bint read(Fields fields, list headers, bint is_tracing) except -1:
    # Whether all headers are read here or harmless.
    cdef tuple pair
    cdef bytes name, value
    cdef Py_ssize_t size
    cdef const char* text
    fields.authorization = None
    fields.if_none_match = None
    fields.version = None
    fields.accepted = None
    fields.traceparent = None
    fields.tracestate = None
    for pair in headers:
        name = <bytes>PyTuple_GET_ITEM(pair, 0)
        value = <bytes>PyTuple_GET_ITEM(pair, 1)
        size = PyBytes_GET_SIZE(name)
        text = PyBytes_AS_STRING(name)
        if size == 13 and memcmp(text, b"authorization", 13) == 0:
            if fields.authorization is not None:
                return False
            fields.authorization = value
        elif size == 13 and memcmp(text, b"if-none-match", 13) == 0:
            if fields.if_none_match is not None:
                return False
            fields.if_none_match = value
        elif size == 14 and memcmp(text, b"stripe-version", 14) == 0:
            if fields.version is not None or not is_plain_version(value):
                return False
            fields.version = value
        elif size == 15 and memcmp(text, b"accept-encoding", 15) == 0:
            if fields.accepted is not None:
                return False
            fields.accepted = value
        elif is_tracing and size == 11 and memcmp(text, b"traceparent", 11) == 0:
            if fields.traceparent is not None:
                return False
            fields.traceparent = value
        elif is_tracing and size == 10 and memcmp(text, b"tracestate", 10) == 0:
            if fields.tracestate is not None:
                return False
            fields.tracestate = value
        elif not _is_harmless(text, size):
            return False
    return fields.authorization is not None


cdef bint _is_harmless(const char* text, Py_ssize_t size) noexcept:
    cdef int index
    if size > NAME_BYTES_MAX:
        return False
    for index in range(first[size], first[size + 1]):
        if text[0] == names[index][0] and memcmp(text, names[index], size) == 0:
            return True
    return False


cdef bint is_plain_version(bytes value) noexcept:
    # Whether this is plainly a version: a date, and a name behind it or none. All else is for the long way.
    cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t index
    cdef int month, day
    if not 10 <= size <= VERSION_CHARS_MAX or size == 11:
        return False
    for index in range(10):
        if index == 4 or index == 7:
            if text[index] != c"-":
                return False
        elif not c"0" <= text[index] <= c"9":
            return False
    month = (text[5] - c"0") * 10 + text[6] - c"0"
    day = (text[8] - c"0") * 10 + text[9] - c"0"
    if text[0] == c"0" or not 1 <= month <= 12 or not 1 <= day <= 31:
        return False
    if day > 28 and (month == 2 or (day == 31 and (month == 4 or month == 6 or month == 9 or month == 11))):
        return False
    if size > 10 and text[10] != c".":
        return False
    for index in range(11, size):
        if not c"a" <= text[index] <= c"z":
            return False
    return True
