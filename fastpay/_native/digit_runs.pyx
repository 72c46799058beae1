"""Whether a text may hold a card number: a look at every thirteenth character, before anything careful.

The contract is in digit_runs.pyi. A number of thirteen digits or more, however it is spelled, is a run of
characters that may be a part of one: every thirteenth character meets such a run or there is none. Where one
is met, it is measured; where it is long enough, its digits are counted. Most texts end at the first step, so
that looking for card numbers costs a payment some hundred instructions.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from fastpay import limits


cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    int PyUnicode_1BYTE_KIND
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    Py_UCS4 PyUnicode_READ(int kind, void* data, Py_ssize_t place)


cdef enum:
    # What a character is to a number: the end of it, a digit of it, or what may stand between two digits.
    _OTHER = 0
    _DIGIT = 1
    _SEPARATOR = 2
    # The second and later bytes of a character in UTF-8.
    _CONTINUATION = 3

cdef enum:
    # How a text spells its characters.
    _PLAIN = 0
    _FORM = 1
    _JSON = 2

cdef unsigned char[256] _CLASSES
# By spelling: whether a byte may be a part of a number.
cdef unsigned char[3][256] _PARTS
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
            # The first byte of a character that is not ASCII, which may be a digit: it counts as one.
            _CLASSES[code] = _DIGIT
        else:
            _CLASSES[code] = _OTHER
        for spelling in range(3):
            _PARTS[spelling][code] = _CLASSES[code] != _OTHER
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
    cdef int kind = PyUnicode_KIND(text), digits = 0, separators = 0
    cdef void* data = PyUnicode_DATA(text)
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text), place
    cdef Py_UCS4 sign
    cdef unsigned char part
    if kind == PyUnicode_1BYTE_KIND and text.isascii():
        return _look(<const unsigned char*>data, length, _PLAIN)
    for place in range(length):
        sign = PyUnicode_READ(kind, data, place)
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
    cdef Py_ssize_t place = _DIGITS_MIN - 1, start, end
    while place < length:
        if not parts[text[place]]:
            place += _DIGITS_MIN
            continue
        start, end = place, place + 1
        while start > 0 and parts[text[start - 1]]:
            start -= 1
        while end < length and parts[text[end]]:
            end += 1
        if end - start >= _DIGITS_MIN and _count(text + start, text + end, spelling):
            return True
        # What stands at the end is no part, so that the next run begins behind it.
        place = end + _DIGITS_MIN
    return False


cdef bint _count(const unsigned char* place, const unsigned char* end, int spelling) noexcept:
    # Whether enough digits belong together in what may be parts of a number.
    cdef int digits = 0, separators = 0, high, low
    cdef unsigned char sign, part
    while place < end:
        sign = place[0]
        place += 1
        part = _CLASSES[sign]
        if spelling == _FORM:
            if sign == c"+":
                part = _SEPARATOR
            elif sign == c"%" and end - place >= 2:
                high, low = _hex(place[0]), _hex(place[1])
                if high >= 0 and low >= 0:
                    part = _CLASSES[high << 4 | low]
                    place += 2
        elif spelling == _JSON and sign == c"\\" and place < end:
            part = _escaped(&place, end)
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


cdef inline unsigned char _escaped(const unsigned char** place, const unsigned char* end) noexcept:
    # What the rest of an escape in JSON stands for; it is passed over.
    cdef int code = 0, index, digit
    if place[0][0] != c"u":
        # All that an escape of two characters can mean is a blank, or ends a number.
        place[0] += 1
        return _SEPARATOR
    place[0] += 1
    if end - place[0] < 4:
        return _OTHER
    for index in range(4):
        digit = _hex(place[0][index])
        if digit < 0:
            return _OTHER
        code = code << 4 | digit
    place[0] += 4
    return _CLASSES[code] if code < 0x80 else _DIGIT


cdef inline int _hex(unsigned char sign) noexcept nogil:
    # The value of a hexadecimal digit, -1 for any other sign.
    if c"0" <= sign <= c"9":
        return sign - c"0"
    sign |= 32
    return sign - c"a" + 10 if c"a" <= sign <= c"f" else -1
