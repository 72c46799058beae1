# The bytes of a form: their classes, and the decoding of pieces of it.

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy


cdef extern from *:
    """
    /* What a byte can be beside plain ASCII: see the names below. */
    static const unsigned char FORM_MARKS[256] = {
        [0] = 8, ['%'] = 1, ['+'] = 1, ['['] = 4, [']'] = 4, [0x80 ... 0xff] = 2,
    };
    /* The value of a hexadecimal digit and one, 0 for every other byte. */
    static const unsigned char FORM_DIGITS[256] = {
        ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
        ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
        ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    """
    const unsigned char* FORM_MARKS
    const unsigned char* FORM_DIGITS


cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void* PyUnicode_DATA(object text)


cdef enum:
    ESCAPED = 1
    WIDE = 2
    BRACKETED = 4
    NUL = 8
    # The largest number of digits that always fits a signed 64-bit number.
    _DIGITS_MAX = 18


cdef struct Piece:
    const unsigned char* text
    Py_ssize_t size
    # Whether it contains non-ASCII bytes.
    bint is_wide


cdef inline bint unescape(Piece* piece, int marks, unsigned char* scratch) noexcept:
    """Resolve the escapes of a piece into `scratch`; return false for a broken escape or a NUL."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t written = 0
    cdef unsigned char byte, high, low
    piece.is_wide = (marks & WIDE) != 0
    if marks & NUL:
        return False
    if not marks & ESCAPED:
        return True
    while at < piece.size:
        byte = piece.text[at]
        at += 1
        if byte == c"+":
            byte = c" "
        elif byte == c"%":
            if at + 2 > piece.size:
                return False
            high = FORM_DIGITS[piece.text[at]]
            low = FORM_DIGITS[piece.text[at + 1]]
            at += 2
            if high == 0 or low == 0:
                return False
            byte = (high - 1) << 4 | (low - 1)
            if byte == 0:
                return False
            if byte >= 0x80:
                piece.is_wide = True
        scratch[written] = byte
        written += 1
    piece.text, piece.size = scratch, written
    return True


cdef inline object decode(const Piece* piece):
    """Return the text of a piece, or None if it is not UTF-8."""
    cdef object text
    if not piece.is_wide:
        text = PyUnicode_New(piece.size, 127)
        memcpy(PyUnicode_DATA(text), piece.text, piece.size)
        return text
    try:
        return PyUnicode_DecodeUTF8(<const char*>piece.text, piece.size, NULL)
    except UnicodeDecodeError:
        return None


cdef inline bint read_integer(const Piece* piece, long long* number) noexcept:
    """Read a decimal number with an optional minus sign; return false for anything else or too many digits.
    """
    cdef Py_ssize_t at = 0
    cdef long long total = 0
    cdef bint negative = piece.size > 1 and piece.text[0] == c"-"
    if negative:
        at = 1
    if piece.size == 0 or piece.size - at > _DIGITS_MAX:
        return False
    while at < piece.size:
        if not c"0" <= piece.text[at] <= c"9":
            return False
        total = total * 10 + (piece.text[at] - c"0")
        at += 1
    number[0] = -total if negative else total
    return True
