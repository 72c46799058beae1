# cython: autotestdict=False
"""Where a long JSON array can be split. The contract is in json_pieces.pyi."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from fastpay import limits

# One bit for each open level.
cdef enum:
    _LEVELS_MAX = 64

cdef const char* _SPACES = b"        "
cdef Py_ssize_t _DEPTH_MAX = limits.json_depth_max
assert _DEPTH_MAX < _LEVELS_MAX


class TooManyValues(ValueError):
    pass


@cython.boundscheck(False)
@cython.wraparound(False)
def split(
    bytes body not None, bytes name not None, Py_ssize_t size, Py_ssize_t piece_values, Py_ssize_t values_max
):
    cdef const char* text = PyBytes_AS_STRING(body)
    cdef const char* wanted = PyBytes_AS_STRING(name)
    cdef Py_ssize_t wanted_size = PyBytes_GET_SIZE(name)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(body)
    cdef Py_ssize_t at = 0, depth = 0
    # Bit n says whether level n is an array.
    cdef uint64_t arrays = 0
    cdef Py_ssize_t string = 0, string_size = -1
    cdef bint is_named = False, in_array = False, was_found = False
    cdef Py_ssize_t begun = 0, count = 0, start = 0, start_count = 0, start_begun = 0
    cdef unsigned char byte
    cdef list pieces = []
    while at < end:
        byte = <unsigned char>text[at]
        at += 1
        if byte == c" ":
            at = _after_spaces(text, at, end)
        elif byte == c'"':
            begun += 1
            string, at = at, _string_end(text, at, end)
            string_size = at - string
            at += 1
        elif byte == c":":
            begun -= 1
            is_named = (
                depth == 1 and string_size == wanted_size and memcmp(text + string, wanted, wanted_size) == 0
            )
        elif byte == c"{" or byte == c"[":
            begun += 1
            if depth == _DEPTH_MAX:
                return None
            arrays &= ~(<uint64_t>1 << depth)
            if byte == c"[":
                arrays |= <uint64_t>1 << depth
                if depth == 1 and is_named:
                    if was_found:
                        return None
                    was_found = in_array = True
                    start, start_begun = at, begun
            depth += 1
            is_named = False
        elif byte == c"}" or byte == c"]":
            depth -= 1
            if depth < 0 or (arrays >> depth & 1) != (byte == c"]"):
                return None
            if depth == 1 and in_array:
                in_array = False
                count += 1
                pieces.append((start, at - 1))
        elif byte == c",":
            is_named = False
            if depth == 2 and in_array:
                count += 1
                if count - start_count == size or begun - start_begun >= piece_values:
                    pieces.append((start, at - 1))
                    start, start_count, start_begun = at, count, begun
        elif c"0" <= byte <= c"9":
            begun += 1
            while at < end and c"0" <= text[at] <= c"9":
                at += 1
        elif byte == c"t" or byte == c"f" or byte == c"n":
            begun += 1
        if begun > values_max + 1:
            raise TooManyValues
    if depth != 0 or not was_found:
        return None
    return pieces, count


cdef inline Py_ssize_t _string_end(const char* text, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Return the position of the closing quotation mark; `end` or more if there is none."""
    while at < end and text[at] != c'"':
        at += 2 if text[at] == c"\\" else 1
    return at


cdef inline Py_ssize_t _after_spaces(const char* text, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Skip eight spaces at a time: indented JSON is mostly spaces."""
    while at + 8 <= end and memcmp(text + at, _SPACES, 8) == 0:
        at += 8
    return at
