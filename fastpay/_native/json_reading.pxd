# Reads plainly written JSON from a buffer: without escapes, signs, fractions and the like.
#
# Everything is inline, because a call costs as much as most reads. After False the caller leaves the text
# to the general JSON decoder: it may be invalid, or valid in an unusual spelling.

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp


cdef enum:
    # The largest number of digits that always fits a signed 64-bit number.
    _INTEGER_DIGITS_MAX = 18


cdef struct Text:
    const char* at
    const char* end


cdef inline void skip(Text* text) noexcept nogil:
    while text.at < text.end and (text.at[0] == c" " or c"\t" <= text.at[0] <= c"\n" or text.at[0] == c"\r"):
        text.at += 1


cdef inline bint take(Text* text, char wanted) noexcept nogil:
    """Skip white space and this character, if it is next."""
    skip(text)
    if text.at == text.end or text.at[0] != wanted:
        return False
    text.at += 1
    return True


cdef inline bint read_string(Text* text, const char** start, Py_ssize_t* size) noexcept nogil:
    """Read a string without escapes."""
    cdef const char* at
    if not take(text, c'"'):
        return False
    at = text.at
    # Control characters must be escaped (RFC 8259 7). The decoder checks bytes from 128 on.
    while at < text.end and at[0] != c'"' and at[0] != c"\\" and <uint8_t>at[0] >= 0x20:
        at += 1
    if at == text.end or at[0] != c'"':
        return False
    start[0], size[0] = text.at, at - text.at
    text.at = at + 1
    return True


cdef inline bint read_name(Text* text, const char** start, Py_ssize_t* size) noexcept nogil:
    """Read the name of a member and its colon."""
    return read_string(text, start, size) and take(text, c":")


cdef inline bint read_integer(Text* text, int64_t* number) noexcept nogil:
    """Read a whole number without a sign. The caller checks the next character."""
    cdef const char* start
    cdef int64_t read = 0
    skip(text)
    start = text.at
    while text.at < text.end and c"0" <= text.at[0] <= c"9":
        if text.at - start == _INTEGER_DIGITS_MAX:
            return False
        read = 10 * read + (text.at[0] - c"0")
        text.at += 1
    number[0] = read
    # No leading zeros (RFC 8259 6).
    return text.at > start and (start[0] != c"0" or text.at == start + 1)


cdef inline bint read_boolean(Text* text, bint* flag) noexcept nogil:
    skip(text)
    if text.end - text.at >= 4 and memcmp(text.at, b"true", 4) == 0:
        flag[0] = True
        text.at += 4
        return True
    if text.end - text.at >= 5 and memcmp(text.at, b"false", 5) == 0:
        flag[0] = False
        text.at += 5
        return True
    return False
