# cython: autotestdict=False
"""Arrays in PostgreSQL's binary format. The contract is in arrays.pyi."""

import typing

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from uuid import UUID

from fastpay._native.json_text cimport FALSE, TRUE
from fastpay._native.structs cimport offset_of


cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(list items)
    bint PyObject_TypeCheck(PyObject* value, PyTypeObject* kind)
    bint PyTuple_Check(PyObject* value)
    Py_ssize_t PyTuple_GET_SIZE(PyObject* value)
    PyObject* PyTuple_GET_ITEM(PyObject* value, Py_ssize_t index)
    bint PyLong_CheckExact(PyObject* value)
    int64_t PyLong_AsLongLongAndOverflow(PyObject* value, int* overflow) except? -1
    bint PyUnicode_CheckExact(PyObject* value)
    bint PyUnicode_IS_COMPACT_ASCII(PyObject* text)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)
    void* PyUnicode_DATA(PyObject* text)


cdef enum:
    _UUID_DIGITS = 32
    _UUID_BYTES = 16
    _IS_BYTE = 0x100

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
        cdef list all_items = <list>items if type(items) is list else list(items)
        return _encode(self, PySequence_Fast_ITEMS(all_items), len(all_items))


cdef enum:
    _STEPS_MAX = 4

cdef struct _Step:
    # Of which type a value must be for this step, and the offset of the field in it; or, for a tuple, NULL
    # and the index of the item.
    PyTypeObject* owner
    Py_ssize_t place


@cython.final
cdef class Field:
    cdef ArrayType array
    # Which part has the values, and how they are found in its items.
    cdef Py_ssize_t part
    cdef _Step[_STEPS_MAX] steps
    cdef int count
    # References to the types that steps point to.
    cdef list owners

    def __init__(self, ArrayType array not None, tuple parts not None, str path not None):
        first, *names = path.split(".")
        if len(names) > _STEPS_MAX:
            raise ValueError(f"too many steps: {path}")
        self.array = array
        self.owners = []
        self.part = int(first)
        self.count = 0
        owner = parts[int(first)] if names else None
        for name in names:
            if isinstance(owner, tuple):
                self.steps[self.count].owner = NULL
                self.steps[self.count].place = int(name)
                following = owner[int(name)]
            elif issubclass(owner, tuple):
                self.steps[self.count].owner = NULL
                self.steps[self.count].place = owner._fields.index(name)
                following = None
            else:
                self.owners.append(owner)
                self.steps[self.count].owner = <PyTypeObject*>owner
                self.steps[self.count].place = offset_of(owner, name)
                following = None
            self.count += 1
            if following is None and self.count < len(names):
                following = typing.get_type_hints(owner)[name]
            owner = following


def encode_table(tuple fields not None, tuple parts not None) -> list:
    cdef list encoded = []
    _append_columns(encoded, fields, parts)
    return encoded


def encode_tables(
    dict fields not None,
    list tables not None,
    list names not None,
    list encoded not None,
    Py_ssize_t rows_max,
) -> bool:
    cdef Py_ssize_t rows = 0
    cdef tuple table
    for table in tables:
        rows += len(<list?>(<tuple?>table[1])[0])
    if rows > rows_max:
        return False
    for table in tables:
        if len(<list>(<tuple>table[1])[0]) > 0:
            _append_columns(encoded, <tuple?>fields[table[0]], <tuple>table[1])
            names.append(table[0])
    return True


cdef int _append_columns(list encoded, tuple fields, tuple parts) except -1:
    cdef Py_ssize_t count = len(<list?>parts[0])
    cdef Field field
    # Borrowed: the parts hold what their items refer to.
    cdef PyObject** items = <PyObject**>PyMem_Malloc(count * sizeof(PyObject*))
    if items == NULL:
        raise MemoryError
    try:
        for field in fields:
            if field is None:
                raise TypeError("a field must not be None")
            _find_all(field, parts, items, count)
            encoded.append(_encode(field.array, items, count))
    finally:
        PyMem_Free(items)
    return 0


cdef int _find_all(Field field, tuple parts, PyObject** items, Py_ssize_t count) except -1:
    """Find the value of a field in each row."""
    cdef list part
    cdef PyObject** owners
    cdef Py_ssize_t at
    if not 0 <= field.part < len(parts):
        raise TypeError("a row must have all parts")
    part = <list?>parts[field.part]
    if len(part) != count:
        raise ValueError("all parts must have as many items as there are rows")
    owners = PySequence_Fast_ITEMS(part)
    for at in range(count):
        # Many rows in a row are of one tenant, or of one command.
        items[at] = items[at - 1] if at > 0 and owners[at] == owners[at - 1] else _find(field, owners[at])
    return 0


cdef PyObject* _find(Field field, PyObject* value) except NULL:
    """Follow the steps of a field from an item of its part, which holds what is returned, directly or not."""
    cdef int number
    cdef _Step* step
    for number in range(field.count):
        step = &field.steps[number]
        if step.owner != NULL:
            if not PyObject_TypeCheck(value, step.owner):
                raise TypeError("a part of a row has another type than its field")
            value = (<PyObject**>(<char*>value + step.place))[0]
            if value == NULL:
                raise AttributeError("a field of a row is not set")
        elif not PyTuple_Check(value) or step.place >= PyTuple_GET_SIZE(value):
            raise TypeError("a part of a row must be a tuple with all its items")
        else:
            value = PyTuple_GET_ITEM(value, step.place)
    return value


cdef bytes _encode(ArrayType array, PyObject** items, Py_ssize_t count):
    cdef Py_ssize_t at, nulls = 0, total = _HEAD + 4 * count
    # Of an element with its length, if all have one size.
    cdef Py_ssize_t element = 4 + array.size if array.size != 0 else 0
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
        if items[at] == <PyObject*>None:
            nulls += 1
        elif array.size == 0:
            total += _length(array.kind, items[at])
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
        if items[at] == <PyObject*>None:
            _put_32(out, <uint32_t>-1)
            out += 4
        elif element != 0 and at > 0 and items[at] == items[at - 1]:
            # Tenant, mode and moment of nearly all rows are those of the row before.
            memcpy(out, out - element, element)
            out += element
        elif array.kind == _UUID:
            _put_32(out, _UUID_BYTES)
            _put_uuid(items[at], out + 4)
            out += element
        else:
            out += _put(array.kind, items[at], out)
    assert out == PyBytes_AS_STRING(encoded) + total
    return encoded


cdef inline const char* _text(PyObject* item, Py_ssize_t* size) except NULL:
    """Return a text's UTF-8 form, and the number of its bytes."""
    if not PyUnicode_CheckExact(item):
        raise TypeError("a text must be a str")
    if PyUnicode_IS_COMPACT_ASCII(item):
        size[0] = PyUnicode_GET_LENGTH(item)
        return <const char*>PyUnicode_DATA(item)
    return PyUnicode_AsUTF8AndSize(<object>item, size)


cdef inline Py_ssize_t _length(_Kind kind, PyObject* item) except -1:
    cdef Py_ssize_t size
    if kind == _BYTEA:
        return PyBytes_GET_SIZE(<bytes?><object>item)
    _text(item, &size)
    return size


cdef Py_ssize_t _put(_Kind kind, PyObject* item, char* out) except -1:
    """Write one element after its length, and return the number of bytes."""
    cdef Py_ssize_t size
    cdef const char* text
    cdef int64_t number
    cdef int overflow = 0
    if kind == _TEXT:
        text = _text(item, &size)
        _put_32(out, <uint32_t>size)
        memcpy(out + 4, text, size)
        return 4 + size
    if kind == _BYTEA:
        size = PyBytes_GET_SIZE(<object>item)
        _put_32(out, <uint32_t>size)
        memcpy(out + 4, PyBytes_AS_STRING(<object>item), size)
        return 4 + size
    if kind == _BOOLEAN:
        if item != TRUE and item != FALSE:
            raise TypeError("a boolean must be True or False")
        _put_32(out, 1)
        out[4] = item == TRUE
        return 5
    if not PyLong_CheckExact(item):
        raise TypeError("a number must be an int")
    number = PyLong_AsLongLongAndOverflow(item, &overflow)
    if overflow:
        raise ValueError("a number is out of its type's range")
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


cdef int _put_uuid(PyObject* item, char* out) except -1:
    """Write the 16 bytes of a UUID, or of a text whose last 32 characters are its digits."""
    cdef Py_ssize_t size
    cdef const unsigned char* text
    cdef int at
    cdef uint16_t pair, found, are_digits = _IS_BYTE
    if not PyUnicode_CheckExact(item) and isinstance(<object>item, UUID):
        memcpy(out, PyBytes_AS_STRING(<bytes?>(<object>item).bytes), _UUID_BYTES)
        return 0
    text = <const unsigned char*>_text(item, &size)
    if size < _UUID_DIGITS:
        raise ValueError("an identifier must have 32 hexadecimal digits")
    text += size - _UUID_DIGITS
    for at in range(_UUID_BYTES):
        memcpy(&pair, text + 2 * at, 2)
        found = _BYTES[pair]
        are_digits &= found
        out[at] = <char>(found & 0xFF)
    if not are_digits:
        raise ValueError("an identifier must have 32 hexadecimal digits")
    return 0


# By two characters as they are in memory, the byte that they are the digits of, and a bit above it. 0 for
# all others. Little of it is ever touched.
cdef uint16_t[0x10000] _BYTES


cdef int _fill_bytes() except -1:
    cdef int byte
    cdef uint16_t pair
    cdef bytes digits
    for byte in range(256):
        digits = b"%02x" % byte
        memcpy(&pair, PyBytes_AS_STRING(digits), 2)
        _BYTES[pair] = _IS_BYTE | byte
    return 0


_fill_bytes()


cdef inline void _put_32(char* out, uint32_t number) noexcept nogil:
    out[0] = <char>(number >> 24)
    out[1] = <char>(number >> 16 & 0xFF)
    out[2] = <char>(number >> 8 & 0xFF)
    out[3] = <char>(number & 0xFF)


cdef inline void _put_64(char* out, uint64_t number) noexcept nogil:
    _put_32(out, <uint32_t>(number >> 32))
    _put_32(out + 4, <uint32_t>number)
