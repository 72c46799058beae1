"""What the head of a response is made of: status lines, and what a field may be."""

from http import HTTPStatus

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy

cdef enum:
    LENGTH_DIGITS_MAX = 15

cdef list STATUS_LINES = [None] * 600
for _status in range(100, 600):
    try:
        _phrase = HTTPStatus(_status).phrase
    except ValueError:
        _phrase = ""
    STATUS_LINES[_status] = f"HTTP/1.1 {_status} {_phrase}\r\n".encode()


cdef Py_ssize_t parse_length(bytes value) except -1:
    cdef const char* digits = PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t result = 0
    cdef Py_ssize_t index
    if not 0 < length <= LENGTH_DIGITS_MAX:
        raise ValueError("content-length of a response is not a number")
    for index in range(length):
        if not c"0" <= digits[index] <= c"9":
            raise ValueError("content-length of a response is not a number")
        result = result * 10 + digits[index] - c"0"
    return result


cdef bint is_clean(bytes text) noexcept:
    cdef const char* data = PyBytes_AS_STRING(text)
    cdef size_t length = PyBytes_GET_SIZE(text)
    return (
        memchr(data, c"\n", length) == NULL
        and memchr(data, c"\r", length) == NULL
        and memchr(data, 0, length) == NULL
    )


cdef bint is_name(bytes name, const char* lower) noexcept:
    # Whether this is that name, letter case aside; the length was compared before.
    cdef const char* text = PyBytes_AS_STRING(name)
    cdef Py_ssize_t index
    for index in range(PyBytes_GET_SIZE(name)):
        if text[index] == lower[index]:
            continue
        if not c"A" <= text[index] <= c"Z" or text[index] | 32 != lower[index]:
            return False
    return True


cdef char* copy(char* place, bytes piece) noexcept:
    memcpy(place, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
    return place + PyBytes_GET_SIZE(piece)
