"""Whether a text may contain a card number: a check of every thirteenth character before the exact one.

The contract is in digit_runs.pyi. A number of thirteen or more digits, in any spelling, is a run of
characters that can be part of a number. So one of every thirteen characters falls into such a run, or there
is none. If one does, the run is measured; if it is long enough, its digits are counted. Most texts end at
the first step, so the check costs a payment some hundred instructions.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from fastpay import limits


cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    Py_UCS4 PyUnicode_READ(int kind, void* data, Py_ssize_t index)


cdef enum:
    # The class of a character: ends a number, is a digit, or may separate two digits.
    _OTHER = 0
    _DIGIT = 1
    _SEPARATOR = 2
    # The second and later bytes of a UTF-8 character.
    _CONTINUATION = 3

cdef enum:
    # How a text encodes its characters.
    _PLAIN = 0
    _FORM = 1
    _JSON = 2

cdef unsigned char[256] _CLASSES
# By encoding: whether a byte can be part of a number.
cdef unsigned char[3][256] _PARTS
# Whether a character may follow a backslash in JSON.
cdef unsigned char[256] _ESCAPED
cdef int _DIGITS_MIN = limits.card_number_digits_min
cdef int _SEPARATORS_MAX = limits.card_number_separators_max
cdef bytes _SPELLED_IN_FORMS = b"%+0123456789abcdefABCDEF"
cdef bytes _SPELLED_IN_JSON = b"\\\"/bfnrtu0123456789abcdefABCDEF"


cdef void _fill() noexcept:
    cdef int code, spelling
    for code in range(256):
        if c"0" <= code <= c"9":
            _CLASSES[code] = _DIGIT
        elif code in (9, 10, 11, 12, 13, 28, 29, 30, 31, c" ", c"-", c".", c"_"):
            _CLASSES[code] = _SEPARATOR
        elif 0x80 <= code <= 0xBF:
            _CLASSES[code] = _CONTINUATION
        elif code > 0xBF:
            # The first byte of a non-ASCII character, which may be a digit. It counts as one.
            _CLASSES[code] = _DIGIT
        else:
            _CLASSES[code] = _OTHER
        for spelling in range(3):
            _PARTS[spelling][code] = _CLASSES[code] != _OTHER
    for code in b"\"\\/bfnrt":
        _ESCAPED[code] = True
    for code in _SPELLED_IN_FORMS:
        _PARTS[_FORM][code] = True
    for code in _SPELLED_IN_JSON:
        _PARTS[_JSON][code] = True


_fill()


def in_form(bytes text not None):
    return _look(<const unsigned char*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), _FORM)


def in_json(bytes text not None):
    return _look(<const unsigned char*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), _JSON)


def in_text(str text not None):
    return may_hold_number(text)


cdef bint may_hold_number(str text) except -1:
    cdef int kind = PyUnicode_KIND(text), digits = 0, separators = 0
    cdef void* data = PyUnicode_DATA(text)
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text), position
    cdef Py_UCS4 sign
    cdef unsigned char part
    if PyUnicode_IS_ASCII(text):
        return _look(<const unsigned char*>data, length, _PLAIN)
    for position in range(length):
        sign = PyUnicode_READ(kind, data, position)
        part = _CLASSES[sign] if sign < 0x80 else _DIGIT
        if part == _DIGIT:
            digits += 1
            separators = 0
            if digits >= _DIGITS_MIN:
                return True
        else:
            separators += 1
            if part == _OTHER or separators > _SEPARATORS_MAX:
                digits = 0
    return False


cdef bint _look(const unsigned char* text, Py_ssize_t length, int spelling) noexcept:
    cdef const unsigned char* parts = _PARTS[spelling]
    cdef Py_ssize_t position = _DIGITS_MIN - 1, start, end
    while position < length:
        if not parts[text[position]]:
            position += _DIGITS_MIN
            continue
        start, end = position, position + 1
        while start > 0 and parts[text[start - 1]]:
            start -= 1
        while end < length and parts[text[end]]:
            end += 1
        if end - start >= _DIGITS_MIN and _count(text + start, text + end, spelling):
            return True
        # The character at `end` is not part of a number, so the next run begins after it.
        position = end + _DIGITS_MIN
    return False


cdef bint _count(const unsigned char* position, const unsigned char* end, int spelling) noexcept:
    # Return whether a run of possible parts contains enough digits without a break.
    cdef int digits = 0, separators = 0, high, low
    cdef unsigned char sign, part
    while position < end:
        sign = position[0]
        position += 1
        part = _CLASSES[sign]
        if spelling == _FORM:
            if sign == c"+":
                part = _SEPARATOR
            elif sign == c"%" and end - position >= 2:
                high, low = _hex(position[0]), _hex(position[1])
                if high >= 0 and low >= 0:
                    part = _CLASSES[high << 4 | low]
                    position += 2
        elif spelling == _JSON and sign == c"\\" and position < end:
            part = _escaped(&position, end)
        if part == _DIGIT:
            digits += 1
            separators = 0
            if digits >= _DIGITS_MIN:
                return True
        elif part == _SEPARATOR:
            separators += 1
            if separators > _SEPARATORS_MAX:
                digits = 0
        elif part == _OTHER:
            digits = 0
    return False


cdef inline unsigned char _escaped(const unsigned char** position, const unsigned char* end) noexcept:
    # Return the class of an escaped JSON character, and skip the escape.
    cdef int code = 0, index, digit
    if position[0][0] != c"u":
        if not _ESCAPED[position[0][0]]:
            # No escape of JSON: the character is what it is.
            return _OTHER
        # An escape of two characters is white space, or ends a number.
        position[0] += 1
        return _SEPARATOR
    position[0] += 1
    if end - position[0] < 4:
        return _OTHER
    for index in range(4):
        digit = _hex(position[0][index])
        if digit < 0:
            return _OTHER
        code = code << 4 | digit
    position[0] += 4
    return _CLASSES[code] if code < 0x80 else _DIGIT


cdef inline int _hex(unsigned char sign) noexcept nogil:
    # The value of a hexadecimal digit, -1 for any other character.
    if c"0" <= sign <= c"9":
        return sign - c"0"
    sign |= 32
    return sign - c"a" + 10 if c"a" <= sign <= c"f" else -1
