# cython: autotestdict=False
"""Requests of the HTTP client, and plain answers, in one step each. The contract is in plain_http.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free
from libc.string cimport memchr, memcmp

from fastpay import limits
from fastpay._native.json_text cimport Out, put


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    _STACK_BYTES = 2048
    _SPACES_MAX = 2
    _LENGTH_DIGITS_MAX = 15
    # "HTTP/1.1 200 "
    _STATUS_AT = 9
    _REASON_AT = 13

cdef Py_ssize_t _FIELDS_MAX = limits.outbound_head_fields_max
cdef Py_ssize_t _LINE_BYTES_MAX = limits.outbound_head_line_bytes_max
cdef bytes _LENGTH = b"content-length"
# What decides on the framing, or on what becomes of the connection.
cdef frozenset _RULED = frozenset((b"transfer-encoding", b"connection", b"proxy-connection", b"upgrade"))

# For each byte the one in lower case if it may be in the name of a field (RFC 9110 5.6.2), or else 0.
cdef unsigned char[256] _NAME
cdef bytes _OF_NAMES = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def write_request(str method not None, str target not None, str host not None, headers, bytes body not None):
    cdef char[_STACK_BYTES] stack
    cdef Out out
    cdef Py_ssize_t length = PyBytes_GET_SIZE(body)
    cdef int spaces
    cdef str name, value
    out.data, out.size, out.room, out.heap = stack, 0, _STACK_BYTES, NULL
    try:
        spaces = _put_text(&out, method) + 1
        put(&out, b" ", 1)
        spaces += _put_text(&out, target) + 1
        if spaces > _SPACES_MAX:
            raise ValueError("a line of the head is not valid")
        put(&out, b" HTTP/1.1\r\nHost: ", 17)
        _put_text(&out, host)
        for name, value in headers.items():
            put(&out, b"\r\n", 2)
            _put_text(&out, name)
            put(&out, b": ", 2)
            _put_text(&out, value)
        if length or method != "GET":
            put(&out, b"\r\nContent-Length: ", 18)
            _put_text(&out, str(length))
        put(&out, b"\r\n\r\n", 4)
        put(&out, PyBytes_AS_STRING(body), length)
        return PyBytes_FromStringAndSize(out.data, out.size)
    finally:
        PyMem_Free(out.heap)


def read_answer(bytes data not None):
    cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = _REASON_AT, length = -1
    cdef int status
    cdef bytes name, value
    cdef list fields = []
    if size < _REASON_AT or memcmp(text, b"HTTP/1.1 ", _STATUS_AT) != 0:
        return None
    status = _number(text + _STATUS_AT, 3)
    # Below there is no final status, and two others have no body whatever their heads say.
    if not 200 <= status <= 599 or status == 204 or status == 304 or text[_REASON_AT - 1] != c" ":
        return None
    at = _line_end(text, size, at)
    while at > 0 and text[at] != c"\r":
        name = _take_name(text, size, &at)
        if name is None:
            return None
        value = _take_value(text, size, &at)
        if value is None or len(fields) >= _FIELDS_MAX:
            return None
        if PyBytes_GET_SIZE(name) + PyBytes_GET_SIZE(value) > _LINE_BYTES_MAX:
            return None
        if name == _LENGTH:
            if length >= 0 or PyBytes_GET_SIZE(value) > _LENGTH_DIGITS_MAX:
                return None
            length = _number(<const unsigned char*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            if length < 0:
                return None
        elif name in _RULED and (name != b"connection" or value.lower() != b"keep-alive"):
            return None
        fields.append((name, value))
    # The bytes object ends with a zero, so each look at the next byte is within it.
    if at <= 0 or text[at + 1] != c"\n" or length != size - at - 2 or length < 0:
        return None
    return status, fields, PyBytes_FromStringAndSize(<const char*>text + at + 2, length)


cdef int _put_text(Out* out, str text) except -1:
    """Append a text of a head, and return how many spaces are in it. Raises: ValueError."""
    cdef Py_ssize_t size = 0, at
    cdef const char* piece = PyUnicode_AsUTF8AndSize(text, &size)
    cdef int faults = 0, spaces = 0
    for at in range(size):
        # Nothing may end a line but what is between the lines.
        faults |= (piece[at] == c"\r") | (piece[at] == c"\n") | (piece[at] == 0)
        spaces += piece[at] == c" "
    if faults:
        raise ValueError("a line of the head is not valid")
    put(out, piece, size)
    return spaces


cdef Py_ssize_t _line_end(const unsigned char* text, Py_ssize_t size, Py_ssize_t at) noexcept:
    """Return where the next line begins, -1 if this one has anything but visible ASCII and spaces."""
    while at < size and 0x20 <= text[at] <= 0x7E:
        at += 1
    return at + 2 if at + 2 < size and text[at] == c"\r" and text[at + 1] == c"\n" else -1


cdef bytes _take_name(const unsigned char* text, Py_ssize_t size, Py_ssize_t* at):
    """Return the name of a field in lower case and go behind its colon; None if it is not plain."""
    cdef Py_ssize_t start = at[0], index
    cdef const void* colon = memchr(text + start, c":", min(size - start, _LINE_BYTES_MAX))
    cdef Py_ssize_t length = 0 if colon == NULL else <const unsigned char*>colon - text - start
    cdef bytes name
    cdef char* written
    if length == 0:
        return None
    name = PyBytes_FromStringAndSize(NULL, length)
    written = PyBytes_AS_STRING(name)
    for index in range(length):
        written[index] = <char>_NAME[text[start + index]]
        if written[index] == 0:
            return None
    at[0] = start + length + 1
    return name


cdef bytes _take_value(const unsigned char* text, Py_ssize_t size, Py_ssize_t* at):
    """Return the value of a field and go to the next line; None if it is empty, or not plain."""
    cdef Py_ssize_t start = at[0], following
    while start < size and text[start] == c" ":
        start += 1
    following = _line_end(text, size, start)
    if following < start + 3 or text[following - 3] == c" ":
        return None
    at[0] = following
    return PyBytes_FromStringAndSize(<const char*>text + start, following - 2 - start)


cdef Py_ssize_t _number(const unsigned char* text, Py_ssize_t digits) noexcept:
    """Return a number of so many digits, -1 if it is none. Nothing that it must be below can overflow."""
    cdef Py_ssize_t number = 0, index
    for index in range(digits):
        if not c"0" <= text[index] <= c"9":
            return -1
        number = number * 10 + text[index] - c"0"
    return number


cdef int _fill_names() except -1:
    cdef unsigned char small, byte
    for byte, small in zip(_OF_NAMES, _OF_NAMES.lower(), strict=True):
        _NAME[byte] = small
    return 0


_fill_names()
