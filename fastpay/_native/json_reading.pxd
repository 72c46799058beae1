# JSON read from a buffer, as far as it is written plainly: without escapes, signs, fractions and the like.
#
# Everything is inline, since a call costs as much as most of what is read. Whoever is told False leaves the
# text to the decoder of all JSON: it may be wrong, or right in a way that few write it in.

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp


cdef enum:
    # As many digits as always fit a signed 64-bit number.
    _INTEGER_DIGITS_MAX = 18


cdef struct Text:
    const char* at
    const char* end


cdef inline void skip(Text* text) noexcept nogil:
    while text.at < text.end and (text.at[0] == c" " or c"\t" <= text.at[0] <= c"\n" or text.at[0] == c"\r"):
        text.at += 1


cdef inline bint take(Text* text, char wanted) noexcept nogil:
    """Go past one character and the space before it, if it is the next."""
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
    # What is no control character may stand there as it is; bytes from 128 on are looked at by the decoder.
    while at < text.end and at[0] != c'"' and at[0] != c"\\" and <uint8_t>at[0] >= 0x20:
        at += 1
    if at == text.end or at[0] != c'"':
        return False
    start[0], size[0] = text.at, at - text.at
    text.at = at + 1
    return True


cdef inline bint read_name(Text* text, const char** start, Py_ssize_t* size) noexcept nogil:
    """Read the name of a member and the colon behind it."""
    return read_string(text, start, size) and take(text, c":")


cdef inline bint read_integer(Text* text, int64_t* number) noexcept nogil:
    """Read a whole number without a sign. What follows it is for the caller to see."""
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
    # No zero stands before other digits.
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
