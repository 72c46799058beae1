# cython: autotestdict=False
"""Arrays in PostgreSQL's binary format. The contract is in arrays.pyi."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from uuid import UUID


cdef enum _Kind:
    _UUID
    _BOOLEAN
    _SMALLINT
    _INTEGER
    _BIGINT
    _MOMENT
    _TEXT
    _BYTEA

# Number of dimensions, a flag for nulls, element type, length, lower bound.
cdef Py_ssize_t _HEAD = 20
cdef Py_ssize_t _EMPTY_HEAD = 12
cdef Py_ssize_t _UUID_DIGITS = 32
# Instead of a column number, when there are items and no records.
cdef Py_ssize_t _FLAT = -1
# PostgreSQL's timestamps count from the year 2000.
cdef int64_t _EPOCH_MS = 946_684_800_000
cdef int64_t _MOMENT_MAX = 9_223_372_036_854_775 - 1

# By name: the kind, the element type and the element size; 0 for variable size.
_TYPES = {
    "uuid": (_UUID, 2950, 16),
    "boolean": (_BOOLEAN, 16, 1),
    "smallint": (_SMALLINT, 21, 2),
    "integer": (_INTEGER, 23, 4),
    "bigint": (_BIGINT, 20, 8),
    "timestamptz": (_MOMENT, 1184, 8),
    "text": (_TEXT, 25, 0),
    "bytea": (_BYTEA, 17, 0),
}


@cython.final
cdef class ArrayType:
    cdef _Kind kind
    cdef uint32_t oid
    cdef Py_ssize_t size

    def __init__(self, str name not None):
        kind, oid, size = _TYPES[name]
        self.kind = kind
        self.oid = oid
        self.size = size

    def encode(self, items) -> bytes:
        if type(items) is bytes:
            return <bytes>items
        return _encode(self, items if type(items) is list else list(items), _FLAT)


def encode_columns(tuple types not None, list records not None) -> list:
    cdef Py_ssize_t column
    cdef tuple record
    for record in records:
        if record is None or len(record) != len(types):
            raise ValueError("a record must have one value for each type")
    return [_encode(<ArrayType?>types[column], records, column) for column in range(len(types))]


@cython.boundscheck(False)
@cython.wraparound(False)
cdef bytes _encode(ArrayType array, list records, Py_ssize_t column):
    """Encode one column of records that are known to have it, or the items themselves."""
    cdef Py_ssize_t count = len(records)
    cdef Py_ssize_t at, nulls = 0, total = _HEAD + 4 * count
    cdef object item
    cdef bytes encoded
    cdef char* out
    if count == 0:
        encoded = PyBytes_FromStringAndSize(NULL, _EMPTY_HEAD)
        out = PyBytes_AS_STRING(encoded)
        _put_32(out, 0)
        _put_32(out + 4, 0)
        _put_32(out + 8, array.oid)
        return encoded
    for at in range(count):
        item = records[at] if column == _FLAT else (<tuple>records[at])[column]
        if item is None:
            nulls += 1
        elif array.size == 0:
            total += _length(array.kind, item)
    if array.size != 0:
        total += (count - nulls) * array.size
    if total > 0x7FFF_FFFF:
        raise ValueError("the array does not fit into one message")
    encoded = PyBytes_FromStringAndSize(NULL, total)
    out = PyBytes_AS_STRING(encoded)
    _put_32(out, 1)
    _put_32(out + 4, nulls != 0)
    _put_32(out + 8, array.oid)
    _put_32(out + 12, <uint32_t>count)
    _put_32(out + 16, 1)
    out += _HEAD
    for at in range(count):
        item = records[at] if column == _FLAT else (<tuple>records[at])[column]
        if item is None:
            _put_32(out, <uint32_t>-1)
            out += 4
        else:
            out += _put(array.kind, item, out)
    assert out == PyBytes_AS_STRING(encoded) + total
    return encoded


cdef Py_ssize_t _length(_Kind kind, object item) except -1:
    cdef Py_ssize_t size
    if kind == _BYTEA:
        return PyBytes_GET_SIZE(<bytes?>item)
    PyUnicode_AsUTF8AndSize(<str?>item, &size)
    return size


cdef Py_ssize_t _put(_Kind kind, object item, char* out) except -1:
    """Write one element after its length, and return the number of bytes."""
    cdef Py_ssize_t size
    cdef const char* text
    cdef int64_t number
    if kind == _UUID:
        _put_32(out, 16)
        if type(item) is not str and isinstance(item, UUID):
            memcpy(out + 4, PyBytes_AS_STRING(<bytes?>item.bytes), 16)
        else:
            _put_uuid(<str?>item, out + 4)
        return 20
    if kind == _TEXT:
        text = PyUnicode_AsUTF8AndSize(<str?>item, &size)
        _put_32(out, <uint32_t>size)
        memcpy(out + 4, text, size)
        return 4 + size
    if kind == _BYTEA:
        size = PyBytes_GET_SIZE(<bytes?>item)
        _put_32(out, <uint32_t>size)
        memcpy(out + 4, PyBytes_AS_STRING(item), size)
        return 4 + size
    if kind == _BOOLEAN:
        if type(item) is not bool:
            raise TypeError("a boolean must be True or False")
        _put_32(out, 1)
        out[4] = item is True
        return 5
    if type(item) is not int:
        raise TypeError("a number must be an int")
    try:
        number = item
    except OverflowError:
        raise ValueError("a number is out of its type's range") from None
    if kind == _BIGINT:
        _put_32(out, 8)
        _put_64(out + 4, <uint64_t>number)
        return 12
    if kind == _MOMENT:
        if not -_MOMENT_MAX <= number - _EPOCH_MS <= _MOMENT_MAX:
            raise ValueError("a timestamp is out of its type's range")
        _put_32(out, 8)
        _put_64(out + 4, <uint64_t>((number - _EPOCH_MS) * 1000))
        return 12
    if kind == _INTEGER:
        if number != <int32_t>number:
            raise ValueError("a number is out of its type's range")
        _put_32(out, 4)
        _put_32(out + 4, <uint32_t><int32_t>number)
        return 8
    if number != <int16_t>number:
        raise ValueError("a number is out of its type's range")
    _put_32(out, 2)
    out[4] = <char>(<uint16_t><int16_t>number >> 8)
    out[5] = <char>(<uint16_t><int16_t>number & 0xFF)
    return 6


cdef int _put_uuid(str item, char* out) except -1:
    """Write the 16 bytes of a UUID whose digits are the last 32 characters."""
    cdef Py_ssize_t size
    cdef const char* text = PyUnicode_AsUTF8AndSize(item, &size)
    cdef int at, high, low
    if size < _UUID_DIGITS:
        raise ValueError("an identifier must have 32 hexadecimal digits")
    text += size - _UUID_DIGITS
    for at in range(16):
        high = _digit(text[2 * at])
        low = _digit(text[2 * at + 1])
        if high < 0 or low < 0:
            raise ValueError("an identifier must have 32 hexadecimal digits")
        out[at] = <char>(high << 4 | low)
    return 0


cdef inline int _digit(char character) noexcept nogil:
    if c"0" <= character <= c"9":
        return character - c"0"
    if c"a" <= character <= c"f":
        return character - c"a" + 10
    return -1


cdef inline void _put_32(char* out, uint32_t number) noexcept nogil:
    out[0] = <char>(number >> 24)
    out[1] = <char>(number >> 16 & 0xFF)
    out[2] = <char>(number >> 8 & 0xFF)
    out[3] = <char>(number & 0xFF)


cdef inline void _put_64(char* out, uint64_t number) noexcept nogil:
    _put_32(out, <uint32_t>(number >> 32))
    _put_32(out + 4, <uint32_t>number)
