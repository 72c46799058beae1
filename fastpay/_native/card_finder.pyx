# cython: autotestdict=False
"""Finds card numbers in texts. The contract is in card_finder.pyi.

The text is converted to signs once: the value of a digit of any script, or the class of another character.
Then each run of digits is checked. A run is divided into groups, and no candidate has more digits than the
longest card number, so that each digit is checked a bounded number of times.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc

from fastpay import limits


cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    Py_UCS4 PyUnicode_READ(int kind, void* data, Py_ssize_t index)
    int Py_UNICODE_TODECIMAL(unsigned int sign)
    int Py_UNICODE_ISSPACE(unsigned int sign)


cdef enum:
    # The class of a character. Digits are their own value.
    _SEPARATOR = 10
    _HEXADECIMAL = 11
    _LETTER = 12
    _PLUS = 13
    _HYPHEN = 14
    _OTHER = 15
    # How many characters before a number are checked for letters of the same word.
    _WORD_CHARS_MAX = 64
    # E.164
    _PHONE_DIGITS_MAX = 15
    # Inside a longer run of digits, every group of a card number except the last has at least this many
    # digits.
    _GROUP_DIGITS_MIN = 3
    # Groups of equal size, of which the last may be shorter, have at most this many digits.
    _GROUP_DIGITS_MAX = 6
    _PREFIX_DIGITS = 4
    _PREFIXES = 10_000
    _UUID_CHARS = 36
    # Texts up to this length need no allocation.
    _SHORT_CHARS = 512

cdef Py_ssize_t _DIGITS_MIN = limits.card_number_digits_min
cdef Py_ssize_t _DIGITS_MAX = limits.card_number_digits_max
cdef Py_ssize_t _SEPARATORS_MAX = limits.card_number_separators_max
cdef unsigned char[128] _ASCII


cdef void _fill() noexcept:
    cdef int code
    for code in range(128):
        _ASCII[code] = _sign(code)


cdef unsigned char _sign(unsigned int sign) noexcept:
    cdef int digit = Py_UNICODE_TODECIMAL(sign)
    if digit >= 0:
        return digit
    if c"a" <= sign | 32 <= c"z":
        return _HEXADECIMAL if sign | 32 <= c"f" else _LETTER
    if sign == c"+":
        return _PLUS
    if sign == c"-":
        return _HYPHEN
    if sign == c"." or sign == c"_" or Py_UNICODE_ISSPACE(sign):
        return _SEPARATOR
    if sign in (0xAD, 0xB7, 0x2060, 0xFEFF) or 0x200B <= sign <= 0x2015:
        return _SEPARATOR
    return _OTHER


_fill()


@cython.final
cdef class CardFinder:
    # By prefix: one bit for each length that a number may have.
    cdef unsigned int[_PREFIXES] lengths

    def __init__(self, schemes):
        cdef int prefix
        for prefix in range(_PREFIXES):
            self.lengths[prefix] = 0
        for prefixes, lengths in schemes:
            for low, high in prefixes:
                for prefix in range(low, high + 1):
                    for length in lengths:
                        assert _DIGITS_MIN <= length <= _DIGITS_MAX < 32
                        self.lengths[prefix] |= 1u << <int>length

    def holds(self, str text not None):
        cdef unsigned char[_SHORT_CHARS] short
        cdef unsigned char* signs = short
        cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text), position
        cdef int kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int sign
        cdef bint found
        if length < _DIGITS_MIN:
            return False
        if length > _SHORT_CHARS:
            signs = <unsigned char*>PyMem_Malloc(length)
            if signs == NULL:
                raise MemoryError
        for position in range(length):
            sign = PyUnicode_READ(kind, data, position)
            signs[position] = _ASCII[sign] if sign < 128 else _sign(sign)
        _strike_uuids(signs, length)
        found = self._holds(signs, length)
        if signs != short:
            PyMem_Free(signs)
        return found

    cdef bint _holds(self, const unsigned char* signs, Py_ssize_t length) noexcept nogil:
        cdef Py_ssize_t position = 0, end, digits
        while position < length:
            if signs[position] > 9:
                position += 1
                continue
            end = _end_of_run(signs, position, length, &digits)
            if digits >= _DIGITS_MIN and self._is_in_run(signs, position, end, length, digits):
                return True
            position = end
        return False

    cdef bint _is_in_run(
        self,
        const unsigned char* signs,
        Py_ssize_t start,
        Py_ssize_t end,
        Py_ssize_t length,
        Py_ssize_t digits,
    ) noexcept nogil:
        # Return whether a run of digits contains a card number.
        cdef Py_ssize_t position
        if start > 0 and signs[start - 1] == _PLUS and digits <= _PHONE_DIGITS_MAX:
            return False
        position = _end_of_group(signs, start, end)
        if _is_hexadecimal(signs, start, position, length):
            start = position
        position = end
        while position > start and signs[position - 1] <= 9:
            position -= 1
        if start < end and _is_hexadecimal(signs, position, end, length):
            end = position
        # The whole run, with groups of any size.
        if self._begins_at(signs, start, end, 0, True):
            return True
        position = start
        while position < end:
            if signs[position] > 9:
                position += 1
                continue
            if self._begins_at(signs, position, end, _GROUP_DIGITS_MIN, False):
                return True
            position = _end_of_group(signs, position, end)
        return False

    cdef bint _begins_at(
        self,
        const unsigned char* signs,
        Py_ssize_t position,
        Py_ssize_t end,
        Py_ssize_t group_min,
        bint is_whole,
    ) noexcept nogil:
        # Return whether consecutive groups from here on are a card number; with `is_whole`, all groups up
        # to the end.
        cdef unsigned char[32] digits
        cdef Py_ssize_t[32] sizes
        cdef Py_ssize_t count = 0, groups = 0, before
        while position < end:
            if signs[position] > 9:
                position += 1
                continue
            before = count
            while position < end and signs[position] <= 9:
                if count == _DIGITS_MAX:
                    return False
                digits[count] = signs[position]
                count += 1
                position += 1
            sizes[groups] = count - before
            groups += 1
            if not is_whole and self._is_number(digits, count) and _is_grouped(sizes, groups):
                return True
            if count - before < group_min:
                return False
        return is_whole and self._is_number(digits, count) and _is_grouped(sizes, groups)

    cdef bint _is_number(self, const unsigned char* digits, Py_ssize_t count) noexcept nogil:
        cdef int prefix = 0, total = 0, value
        cdef Py_ssize_t position
        if not _DIGITS_MIN <= count <= _DIGITS_MAX:
            return False
        for position in range(_PREFIX_DIGITS):
            prefix = 10 * prefix + digits[position]
        if not self.lengths[prefix] >> count & 1:
            return False
        # Source: ISO/IEC 7812-1 annex B, as in `domain.cards.passes_luhn`.
        for position in range(count):
            value = digits[count - 1 - position] << (position & 1)
            total += value - 9 if value > 9 else value
        return total % 10 == 0


cdef bint _is_grouped(const Py_ssize_t* sizes, Py_ssize_t groups) noexcept nogil:
    # Return whether the group sizes are those of written card numbers.
    cdef Py_ssize_t size = sizes[0], position
    if groups == 1:
        return True
    # American Express and Diners Club.
    if groups == 3 and size == 4 and sizes[1] == 6 and 4 <= sizes[2] <= 5:
        return True
    for position in range(1, groups - 1):
        if sizes[position] != size:
            return False
    return size <= _GROUP_DIGITS_MAX and sizes[groups - 1] <= size


cdef void _strike_uuids(unsigned char* signs, Py_ssize_t length) noexcept nogil:
    # Overwrite UUIDs with letters: their digits are neither a number nor part of one.
    cdef Py_ssize_t position = 0, index
    cdef bint is_behind_word = False
    while position + _UUID_CHARS <= length:
        if is_behind_word or not _is_uuid(signs + position, length - position):
            is_behind_word = _is_hex(signs[position])
            position += 1
            continue
        for index in range(_UUID_CHARS):
            signs[position + index] = _LETTER
        position += _UUID_CHARS
        is_behind_word = True


cdef bint _is_uuid(const unsigned char* signs, Py_ssize_t length) noexcept nogil:
    cdef int position
    for position in range(_UUID_CHARS):
        if position == 8 or position == 13 or position == 18 or position == 23:
            if signs[position] != _HYPHEN:
                return False
        elif not _is_hex(signs[position]):
            return False
    return length == _UUID_CHARS or not _is_hex(signs[_UUID_CHARS])


cdef inline bint _is_hex(unsigned char sign) noexcept nogil:
    return sign <= 9 or sign == _HEXADECIMAL


cdef inline Py_ssize_t _end_of_group(
    const unsigned char* signs, Py_ssize_t position, Py_ssize_t end
) noexcept nogil:
    while position < end and signs[position] <= 9:
        position += 1
    return position


cdef Py_ssize_t _end_of_run(
    const unsigned char* signs, Py_ssize_t position, Py_ssize_t length, Py_ssize_t* count
) noexcept nogil:
    # Return the end of the run of digits that begins here, and count its digits.
    cdef Py_ssize_t end = position, digits = 0
    while position < length:
        if signs[position] <= 9:
            digits += 1
            position += 1
            end = position
        elif signs[position] in (_SEPARATOR, _HYPHEN) and position - end < _SEPARATORS_MAX:
            position += 1
        else:
            break
    count[0] = digits
    return end


cdef bint _is_hexadecimal(
    const unsigned char* signs, Py_ssize_t start, Py_ssize_t end, Py_ssize_t length
) noexcept nogil:
    # Return whether these digits are part of a hexadecimal word with letters.
    cdef Py_ssize_t first = start, last = end
    while first > 0 and start - first < _WORD_CHARS_MAX and _is_word(signs[first - 1]):
        first -= 1
        if signs[first] == _LETTER:
            return False
    while last < length and _is_word(signs[last]):
        if signs[last] == _LETTER:
            return False
        last += 1
    return first < start or last > end


cdef inline bint _is_word(unsigned char sign) noexcept nogil:
    return sign <= 9 or sign == _HEXADECIMAL or sign == _LETTER
