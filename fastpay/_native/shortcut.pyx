"""The short way to an answer: a GET whose key is known and whose answer is rendered leaves here at once.

Everything that the long way checks is checked here too, or the request is left to it: whatever is out of the
ordinary is. So nothing is decided here but that a request is an ordinary one.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM
from cpython.unicode cimport PyUnicode_Substring
from libc.string cimport memcmp

from fastpay._native.cache cimport Cache, Entry, Rendition, Shelf
from fastpay._native.exchange cimport DONE, Exchange

cdef extern from "Python.h":
    int PyCFunction_Check(object value)
    PyObject* PyCFunction_GET_SELF(object function)
    Py_ssize_t PyUnicode_FindChar(object text, Py_UCS4 sign, Py_ssize_t start, Py_ssize_t end, int direction)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    Py_ssize_t PyUnicode_Tailmatch(object text, object part, Py_ssize_t start, Py_ssize_t end, int direction)

cdef enum:
    VERSION_CHARS_MAX = 64


@cython.final
cdef class Access:
    """Whose shelf a header opens, and until when that is believed."""

    cdef Shelf shelf
    cdef long long until_ns


@cython.final
cdef class Fields:
    """What a request says that matters here."""

    cdef bytes authorization
    cdef bytes if_none_match
    cdef bytes version
    cdef bint accepts_encodings


@cython.final
cdef class Shortcut:
    """Answers what can be answered without waiting for anything."""

    cdef Cache cache
    cdef object monotonic_ns
    cdef object request_id
    cdef Py_ssize_t accesses_max
    cdef dict accesses
    cdef Fields fields
    cdef public bint is_open
    cdef readonly long long answered

    def __init__(self, Cache cache not None, monotonic_ns, request_id, Py_ssize_t accesses_max):
        self.cache = cache
        self.monotonic_ns = monotonic_ns
        self.request_id = request_id
        self.accesses_max = accesses_max
        self.accesses = {}
        self.fields = Fields.__new__(Fields)
        self.is_open = True

    def admit(self, bytes authorization not None, Shelf shelf not None, long long until_ns):
        cdef Access access = Access.__new__(Access)
        access.shelf = shelf
        access.until_ns = until_ns
        if len(self.accesses) >= self.accesses_max:
            self.accesses.clear()
        self.accesses[authorization] = access

    def answer(self, dict scope not None, send):
        cdef Fields fields = self.fields
        cdef Exchange exchange
        cdef Access access
        cdef Entry entry
        cdef Rendition rendition
        cdef long long now_ns
        cdef int status
        if not self.is_open or not PyCFunction_Check(send):
            return None
        owner = <object>PyCFunction_GET_SELF(send)
        if type(owner) is not Exchange:
            return None
        exchange = <Exchange>owner
        if PyBytes_GET_SIZE(<bytes>scope["query_string"]) or not _read(fields, <list>scope["headers"]):
            return None
        found = self.accesses.get(fields.authorization)
        if found is None:
            return None
        access = <Access>found
        now_ns = self.monotonic_ns()
        if now_ns >= access.until_ns:
            return None
        entry = _find(access.shelf, <str>scope["path"])
        if entry is None:
            return None
        rendition = entry.rendition
        if fields.accepts_encodings and rendition.is_encodable:
            return None
        status = 200
        if fields.if_none_match is not None:
            if fields.if_none_match == rendition.etag:
                status = 304
            elif rendition.etag in fields.if_none_match or b"*" in fields.if_none_match:
                return None
        if self.cache.look(access.shelf, entry.identifier, now_ns) is None:
            return None
        self.answered += 1
        exchange.answer(
            status,
            rendition.head if status == 200 else rendition.short_head,
            rendition.body if status == 200 else b"",
            <str>self.request_id(),
            fields.version,
        )
        return DONE


cdef Entry _find(Shelf shelf, str path):
    # The entry that a path names and whose answer is rendered; None where there is none.
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(path)
    cdef Py_ssize_t cut = PyUnicode_FindChar(path, c"/", 0, length, -1)
    cdef Entry entry
    if cut < 0:
        return None
    found = shelf.entries.get(PyUnicode_Substring(path, cut + 1, length))
    if found is None:
        return None
    entry = <Entry>found
    if entry.rendition is None:
        return None
    # An identifier tells the kind of its object, but not that this path leads there.
    if PyUnicode_GET_LENGTH(entry.rendition.path) != cut + 1:
        return None
    if PyUnicode_Tailmatch(path, entry.rendition.path, 0, length, -1) != 1:
        return None
    return entry


cdef bint _read(Fields fields, list headers) except -1:
    # Whether these are the headers of an ordinary request.
    cdef tuple pair
    cdef bytes name, value
    cdef Py_ssize_t size
    cdef const char* text
    fields.authorization = None
    fields.if_none_match = None
    fields.version = None
    fields.accepts_encodings = False
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
            if fields.version is not None or not _is_fit(value):
                return False
            fields.version = value
        elif size == 15 and memcmp(text, b"accept-encoding", 15) == 0:
            fields.accepts_encodings = True
        elif text[0] == c"s" or text[0] == c"f" or text[0] == c"c" or text[0] == c"t" or text[0] == c"i":
            if not _is_harmless(text, size):
                return False
    return fields.authorization is not None


cdef bint _is_harmless(const char* text, Py_ssize_t size) noexcept:
    # Headers of ours, and of a body, are for the long way: content-*, fastpay-*, idempotency-key, stripe-*,
    # te, trailer and transfer-encoding. A name ends with a NUL, so that comparing stops there.
    return not (
        (size >= 8 and memcmp(text, b"content-", 8) == 0)
        or (size >= 8 and memcmp(text, b"fastpay-", 8) == 0)
        or (size >= 7 and memcmp(text, b"stripe-", 7) == 0)
        or (size == 15 and memcmp(text, b"idempotency-key", 15) == 0)
        or (text[0] == c"t")
    )


cdef bint _is_fit(bytes value) noexcept:
    # Whether a value may be sent back.
    cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t index
    if not 0 < size <= VERSION_CHARS_MAX:
        return False
    for index in range(size):
        if not 0x20 <= text[index] < 0x7F:
            return False
    return True
