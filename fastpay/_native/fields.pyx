"""Parts of a response's head: status lines, and checks of field names and values."""

from http import HTTPStatus

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(str text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(str text) noexcept
    void* PyUnicode_DATA(str text) noexcept

cdef enum:
    LENGTH_DIGITS_MAX = 15

cdef unsigned long long SPACES = 0x2020202020202020
cdef unsigned long long HIGH_BITS = 0x8080808080808080

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


cdef bint is_text(str text, const char* ascii, Py_ssize_t length) noexcept:
    # Compares the characters: the application's literals are other objects than these.
    return (
        text is not None
        and PyUnicode_IS_ASCII(text)
        and PyUnicode_GET_LENGTH(text) == length
        and memcmp(PyUnicode_DATA(text), ascii, length) == 0
    )


cdef bint is_clean(bytes text) noexcept:
    # Eight bytes at a time while none of them is below a space; then one by one.
    cdef const char* data = PyBytes_AS_STRING(text)
    cdef size_t length = PyBytes_GET_SIZE(text)
    cdef size_t at = 0
    cdef unsigned long long eight
    while at + 8 <= length:
        memcpy(&eight, data + at, 8)
        if (eight - SPACES) & ~eight & HIGH_BITS:
            break
        at += 8
    while at < length and data[at] not in (c"\n", c"\r", 0):
        at += 1
    return at == length


cdef bint is_name(bytes name, const char* lower) noexcept:
    # Compare case-insensitively; the caller has compared the lengths.
    cdef const char* text = PyBytes_AS_STRING(name)
    cdef Py_ssize_t index
    for index in range(PyBytes_GET_SIZE(name)):
        if text[index] == lower[index]:
            continue
        if not c"A" <= text[index] <= c"Z" or text[index] | 32 != lower[index]:
            return False
    return True


cdef char* copy(char* out, bytes piece) noexcept:
    memcpy(out, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
    return out + PyBytes_GET_SIZE(piece)


cdef bytes join_answer(
    int status, bytes head, bytes body, str request_id, bytes version, bytes closing, bytes date
):
    # One allocation: status line, the response's lines, the request's own lines, an empty line, the body.
    cdef bytes line = <bytes>STATUS_LINES[status]
    cdef Py_ssize_t name_bytes = PyUnicode_GET_LENGTH(request_id)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(line) + PyBytes_GET_SIZE(head) + 14 + name_bytes
    cdef char* out
    assert PyUnicode_IS_ASCII(request_id)
    size += PyBytes_GET_SIZE(closing) + PyBytes_GET_SIZE(date) + 2 + PyBytes_GET_SIZE(body)
    if version is not None:
        size += 18 + PyBytes_GET_SIZE(version)
    cdef bytes wire = PyBytes_FromStringAndSize(NULL, size)
    out = copy(copy(PyBytes_AS_STRING(wire), line), head)
    memcpy(out, <const char*>b"request-id: ", 12)
    memcpy(out + 12, PyUnicode_DATA(request_id), name_bytes)
    out = copy(out + 12 + name_bytes, b"\r\n")
    if version is not None:
        out = copy(copy(copy(out, b"stripe-version: "), version), b"\r\n")
    out = copy(copy(copy(copy(out, closing), date), b"\r\n"), body)
    assert out == PyBytes_AS_STRING(wire) + size
    return wire
