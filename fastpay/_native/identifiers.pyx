# cython: autotestdict=False
"""Identifiers: new ones, digit by digit, and the parts of others. The contract is in identifiers.pyi."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_GET_LENGTH, PyUnicode_Substring
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy


cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(str text)
    void* PyUnicode_DATA(str text)
    str PyUnicode_New(Py_ssize_t length, Py_UCS4 largest)


cdef enum:
    _DIGITS = 32
    _HALF_DIGITS = 16
    _TAIL_BYTES = 8

# The variant of RFC 9562 and two clear bits, above 60 bits of the tail.
cdef uint64_t _VARIANT = <uint64_t>0b1000 << 60
cdef uint64_t _TAIL_MASK = (<uint64_t>1 << 60) - 1
cdef char* _HEXADECIMAL = b"0123456789abcdef"


@cython.final
cdef class IdentifierSequence:
    def __init__(self, head, bytes tail not None):
        cdef int at
        cdef const unsigned char* drawn = <const unsigned char*>PyBytes_AS_STRING(tail)
        if PyBytes_GET_SIZE(tail) != _TAIL_BYTES:
            raise ValueError("a tail must have 8 bytes")
        self._head = head
        self._tail = 0
        for at in range(_TAIL_BYTES):
            self._tail = self._tail << 8 | drawn[at]
        self._tail = self._tail & _TAIL_MASK | _VARIANT
        _write(self._digits, self._head)
        _write(self._digits + _HALF_DIGITS, self._tail)

    @property
    def moment_ms(self):
        return self._head >> 16

    def next(self, str prefix not None) -> str:
        return self.make(prefix)

    cdef str make(self, str prefix):
        cdef Py_ssize_t length = PyUnicode_GET_LENGTH(prefix)
        cdef str made
        cdef char* out
        if not PyUnicode_IS_COMPACT_ASCII(prefix):
            raise ValueError("a prefix must be ASCII")
        # Two clear bits below the variant: it never overflows within one command.
        self._tail += 1
        if self._tail & 0xFF:
            self._digits[_DIGITS - 2] = _HEXADECIMAL[self._tail >> 4 & 0xF]
            self._digits[_DIGITS - 1] = _HEXADECIMAL[self._tail & 0xF]
        else:
            _write(self._digits + _HALF_DIGITS, self._tail)
        made = PyUnicode_New(length + 1 + _DIGITS, 127)
        out = <char*>PyUnicode_DATA(made)
        memcpy(out, PyUnicode_DATA(prefix), length)
        out[length] = c"_"
        memcpy(out + length + 1, self._digits, _DIGITS)
        return made


def prefix_of(str identifier not None) -> str:
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(identifier)
    cdef const char* text
    cdef const char* found
    if not PyUnicode_IS_COMPACT_ASCII(identifier):
        return identifier.partition("_")[0]
    text = <const char*>PyUnicode_DATA(identifier)
    found = <const char*>memchr(text, c"_", length)
    return identifier if found == NULL else PyUnicode_Substring(identifier, 0, found - text)


def digits(str identifier not None) -> str:
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(identifier)
    return identifier if length <= _DIGITS else PyUnicode_Substring(identifier, length - _DIGITS, length)


def is_well_formed(str identifier not None, str prefix not None) -> bool:
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(prefix)
    cdef const char* text
    cdef char sign
    cdef Py_ssize_t at
    if PyUnicode_GET_LENGTH(identifier) != length + 1 + _DIGITS:
        return False
    if not PyUnicode_IS_COMPACT_ASCII(identifier) or not PyUnicode_IS_COMPACT_ASCII(prefix):
        return False
    text = <const char*>PyUnicode_DATA(identifier)
    if memcmp(text, PyUnicode_DATA(prefix), length) != 0 or text[length] != c"_":
        return False
    for at in range(length + 1, length + 1 + _DIGITS):
        sign = text[at]
        if not (c"0" <= sign <= c"9" or c"a" <= sign <= c"f"):
            return False
    return True


cdef void _write(char* out, uint64_t number) noexcept nogil:
    """Write the 16 hexadecimal digits of a number."""
    cdef int at
    for at in range(_HALF_DIGITS - 1, -1, -1):
        out[at] = _HEXADECIMAL[number & 0xF]
        number >>= 4
