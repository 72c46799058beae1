# cython: autotestdict=False
"""Structs as MessagePack, written field by field. The contract is in packing.pyi.

Source: the MessagePack specification, "Formats". Each value takes its shortest form.
"""

import msgspec

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.mem cimport PyMem_Free
from cpython.object cimport Py_EQ, Py_TYPE, PyObject, PyObject_RichCompareBool, PyTypeObject
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from fastpay._native.json_text cimport (
    FALSE,
    NONE,
    TRUE,
    Out,
    PyDict_CheckExact,
    PyLong_CheckExact,
    PyTuple_CheckExact,
    PyTuple_GET_ITEM,
    PyTuple_GET_SIZE,
    PyUnicode_AsUTF8AndSize,
    PyUnicode_CheckExact,
    PyUnicode_DATA,
    PyUnicode_GET_LENGTH,
    PyUnicode_IS_COMPACT_ASCII,
    put,
    reserve,
)
from fastpay._native.structs cimport offset_of


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL
    int64_t PyLong_AsLongLongAndOverflow(PyObject* value, int* overflow) except? -1
    # Not zero with an error set: which number it is differs by version.
    int Py_EnterRecursiveCall(const char* where) noexcept
    void Py_LeaveRecursiveCall()


cdef enum:
    _FIELDS_MAX = 64
    _FOUND_COUNT = 64
    # Most snapshots are shorter.
    _STACK_BYTES = 1024
    # The longest head: a byte and a length or a number of 64 bits.
    _HEAD_BYTES = 9

# First bytes. Those of short forms hold the length as well.
cdef enum:
    _NIL = 0xC0
    _FALSE = 0xC2
    _TRUE = 0xC3
    _UNSIGNED = 0xCC
    _SIGNED = 0xD0
    _TEXT = 0xD9
    _ARRAY = 0xDC
    _MAP = 0xDE
    _SHORT_MAP = 0x80
    _SHORT_ARRAY = 0x90
    _SHORT_TEXT = 0xA0


# The next three are called with room for the longest head.


cdef inline void _put_byte(Out* out, int byte) noexcept:
    out.data[out.size] = <char>byte
    out.size += 1


cdef inline void _put_sized(Out* out, int first, int size, uint64_t number) noexcept:
    """Append a first byte, and a number in so many bytes."""
    cdef int at
    out.data[out.size] = <char>first
    for at in range(size, 0, -1):
        out.data[out.size + at] = <char>(number & 0xFF)
        number >>= 8
    out.size += 1 + size


cdef inline void _put_number(Out* out, int64_t number) noexcept:
    cdef int power = 0
    if -32 <= number < 128:
        _put_byte(out, <int>(number & 0xFF))
    elif number >= 0:
        # The smallest of 8, 16, 32 and 64 bits that hold it.
        while power < 3 and number >> (8 << power):
            power += 1
        _put_sized(out, _UNSIGNED + power, 1 << power, <uint64_t>number)
    else:
        while power < 3 and number < -(<int64_t>1 << ((8 << power) - 1)):
            power += 1
        _put_sized(out, _SIGNED + power, 1 << power, <uint64_t>number)


cdef inline int _put_text(Out* out, PyObject* text) except -1:
    cdef const char* data
    cdef Py_ssize_t size
    if PyUnicode_IS_COMPACT_ASCII(text):
        data = <const char*>PyUnicode_DATA(text)
        size = PyUnicode_GET_LENGTH(text)
    else:
        data = PyUnicode_AsUTF8AndSize(text, &size)
    reserve(out, _HEAD_BYTES + size)
    if size < 32:
        _put_byte(out, _SHORT_TEXT | <int>size)
    elif size < 1 << 8:
        _put_sized(out, _TEXT, 1, <uint64_t>size)
    elif size < 1 << 16:
        _put_sized(out, _TEXT + 1, 2, <uint64_t>size)
    elif size < <Py_ssize_t>1 << 32:
        _put_sized(out, _TEXT + 2, 4, <uint64_t>size)
    else:
        raise ValueError("a text of more than 4 GiB cannot be packed")
    memcpy(out.data + out.size, data, size)
    out.size += size
    return 0


cdef inline int _put_head(Out* out, Py_ssize_t count, int short_form, int form) except -1:
    """Append how many items an array or a map has."""
    reserve(out, _HEAD_BYTES)
    if count < 16:
        _put_byte(out, short_form | <int>count)
    elif count < 1 << 16:
        _put_sized(out, form, 2, <uint64_t>count)
    elif count < <Py_ssize_t>1 << 32:
        _put_sized(out, form + 1, 4, <uint64_t>count)
    else:
        raise ValueError("more than 4 billion items cannot be packed")
    return 0


@cython.final
cdef class _Layout:
    """Where the fields of a type are, and the defaults of those from `start` on."""

    cdef Py_ssize_t start
    cdef Py_ssize_t count
    cdef Py_ssize_t[_FIELDS_MAX] places
    cdef tuple defaults

    def __init__(self, struct_type, Py_ssize_t start, tuple defaults):
        names = struct_type.__struct_fields__
        self.start, self.count, self.defaults = start, len(names), defaults
        if not 0 <= start <= self.count <= _FIELDS_MAX or len(defaults) != self.count - start:
            raise ValueError(f"{struct_type.__name__} has no such tail")
        for at, name in enumerate(names):
            self.places[at] = offset_of(struct_type, name)


cdef struct _Found:
    PyTypeObject* kind
    PyObject* layout


@cython.final
cdef class Packer:
    # By type; None for types that are left to the library.
    cdef dict layouts
    # The same, at places by the address of the type. Borrowed: `layouts` holds both.
    cdef _Found[_FOUND_COUNT] found
    cdef object encode

    def __init__(self, tails):
        self.encode = msgspec.msgpack.Encoder().encode
        self.layouts = {}
        memset(self.found, 0, sizeof(self.found))
        for struct_type, (start, defaults) in tails.items():
            if not _is_array(struct_type):
                raise TypeError(f"{struct_type.__name__} is not packed as an array")
            self.layouts[struct_type] = _Layout(struct_type, start, defaults)

    def pack(self, value) -> bytes:
        return self.packed(value)

    def pack_all(self, list values not None) -> list:
        return [self.packed(value) for value in values]

    cdef bytes packed(self, object value):
        cdef char[_STACK_BYTES] stack
        cdef Out out
        out.data, out.size, out.room, out.heap = stack, 0, _STACK_BYTES, NULL
        try:
            self.put_struct(&out, <PyObject*>value, True)
            return PyBytes_FromStringAndSize(out.data, out.size)
        finally:
            PyMem_Free(out.heap)

    cdef inline int put_value(self, Out* out, PyObject* value) except -1:
        """Append a value, which the caller holds."""
        cdef int overflow = 0
        cdef int64_t number
        reserve(out, _HEAD_BYTES)
        if value == NONE:
            _put_byte(out, _NIL)
        elif PyUnicode_CheckExact(value):
            _put_text(out, value)
        elif PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow:
                return self.put_other(out, value)
            _put_number(out, number)
        elif value == TRUE or value == FALSE:
            _put_byte(out, _TRUE if value == TRUE else _FALSE)
        else:
            return self.put_nested(out, value)
        return 0

    cdef int put_nested(self, Out* out, PyObject* value) except -1:
        if Py_EnterRecursiveCall(b" while packing a value"):
            return -1
        try:
            if PyDict_CheckExact(value):
                return self.put_map(out, value)
            if PyTuple_CheckExact(value):
                return self.put_tuple(out, value)
            return self.put_struct(out, value, False)
        finally:
            Py_LeaveRecursiveCall()

    cdef int put_struct(self, Out* out, PyObject* value, bint is_outermost) except -1:
        """Append a struct, or whatever the library packs. Only the outermost one may lose its tail."""
        cdef PyObject* found = self.layout_of(Py_TYPE(<object>value))
        cdef _Layout layout
        cdef PyObject* item
        cdef PyObject* default
        cdef Py_ssize_t at, count
        if found == NONE:
            return self.put_other(out, value)
        layout = <_Layout>found
        count = layout.start if is_outermost else layout.count
        for at in range(count, layout.count):
            item = _field(value, layout.places[at])
            default = PyTuple_GET_ITEM(<PyObject*>layout.defaults, at - layout.start)
            # The same object is equal, as in a comparison of tuples.
            if item != default and not PyObject_RichCompareBool(<object>item, <object>default, Py_EQ):
                count = layout.count
                break
        _put_head(out, count, _SHORT_ARRAY, _ARRAY)
        for at in range(count):
            item = _field(value, layout.places[at])
            if item == NONE:
                # As half of all fields: not even a call.
                reserve(out, 1)
                _put_byte(out, _NIL)
            else:
                self.put_value(out, item)
        return 0

    cdef PyObject* layout_of(self, PyTypeObject* kind) except NULL:
        """Return the layout of a type, None if it is left to the library. The reference is borrowed."""
        cdef _Found* place = &self.found[(<uintptr_t>kind >> 4) % _FOUND_COUNT]
        cdef object struct_type = <object>kind
        if place.kind != kind:
            if struct_type not in self.layouts:
                # A program has a fixed number of types.
                self.layouts[struct_type] = (
                    _Layout(struct_type, len(struct_type.__struct_fields__), ())
                    if _is_array(struct_type)
                    else None
                )
            place.layout = PyDict_GetItemWithError(self.layouts, struct_type)
            place.kind = kind
        return place.layout

    cdef int put_map(self, Out* out, PyObject* items) except -1:
        cdef Py_ssize_t position = 0
        cdef PyObject* name
        cdef PyObject* item
        _put_head(out, PyDict_Size(<object>items), _SHORT_MAP, _MAP)
        while PyDict_Next(<object>items, &position, &name, &item):
            self.put_value(out, name)
            self.put_value(out, item)
        return 0

    cdef int put_tuple(self, Out* out, PyObject* items) except -1:
        cdef Py_ssize_t at
        _put_head(out, PyTuple_GET_SIZE(items), _SHORT_ARRAY, _ARRAY)
        for at in range(PyTuple_GET_SIZE(items)):
            self.put_value(out, PyTuple_GET_ITEM(items, at))
        return 0

    cdef int put_other(self, Out* out, PyObject* value) except -1:
        cdef bytes packed = self.encode(<object>value)
        return put(out, PyBytes_AS_STRING(packed), PyBytes_GET_SIZE(packed))


cdef bint _is_array(object struct_type) except -1:
    """Return whether the fields are all that the library packs of such a struct, in their order."""
    if not issubclass(struct_type, msgspec.Struct):
        return False
    config = struct_type.__struct_config__
    is_plain = config.array_like and config.tag is None
    return is_plain and len(struct_type.__struct_fields__) <= _FIELDS_MAX


cdef inline PyObject* _field(PyObject* struct, Py_ssize_t place) except NULL:
    cdef PyObject* value = (<PyObject**>(<char*>struct + place))[0]
    if value == NULL:
        raise AttributeError(f"a field of a {type(<object>struct).__name__} is not set")
    return value
