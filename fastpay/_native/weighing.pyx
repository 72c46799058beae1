"""The memory size of an object: computed without encoding it.

The contract is in weighing.pyi. Fields are read from the struct's memory, as in rendering.pyx, so that it
takes less than half a microsecond. Sizes are those of `sys.getsizeof`, rounded up to the allocator's steps.
"""

import msgspec

cimport cython
from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyObject

from fastpay._native.json_text cimport (
    FALSE,
    NONE,
    TRUE,
    PyDict_CheckExact,
    PyLong_AsLongLong,
    PyLong_CheckExact,
    PyTuple_CheckExact,
    PyTuple_GET_ITEM,
    PyTuple_GET_SIZE,
    PyUnicode_CheckExact,
    PyUnicode_GET_LENGTH,
    PyUnicode_IS_COMPACT_ASCII,
)
from fastpay._native.structs cimport offset_of


cdef extern from "Python.h":
    ctypedef struct PyASCIIObject:
        pass
    ctypedef struct PyCompactUnicodeObject:
        pass
    int PyUnicode_KIND(PyObject* text)


cdef enum:
    # The allocator's step.
    _STEP_BYTES = 16
    # The header of an object that the garbage collector tracks.
    _COLLECTED_BYTES = 16
    _INTEGER_BYTES = 32
    _LARGE_INTEGER_BYTES = 48
    _EMPTY_MAP_BYTES = 64
    _TUPLE_BYTES = 24
    # The range of Python's preallocated integers.
    _KEPT_MIN = -5
    _KEPT_MAX = 256

# The largest number in two of the 30-bit digits of a Python integer.
cdef long long _TWO_DIGITS = <long long>1 << 60


@cython.final
cdef class _Layout:
    """Where the instances of a struct type hold their fields, and their own size."""

    cdef Py_ssize_t size
    cdef Py_ssize_t count
    cdef Py_ssize_t* offsets

    def __cinit__(self, object struct_type not None):
        cdef tuple names = struct_type.__struct_fields__
        cdef Py_ssize_t position
        self.count = len(names)
        self.size = struct_type.__basicsize__
        if struct_type.__struct_config__.gc:
            self.size += _COLLECTED_BYTES
        self.offsets = <Py_ssize_t*>PyMem_Malloc(self.count * sizeof(Py_ssize_t))
        if self.offsets == NULL:
            raise MemoryError
        for position in range(self.count):
            self.offsets[position] = offset_of(struct_type, names[position])

    def __dealloc__(self):
        PyMem_Free(self.offsets)


# By type. There are only a few.
cdef dict _layouts = {}


def weigh(object stored not None):
    return _weigh_struct(<PyObject*>stored)


cdef Py_ssize_t _weigh_struct(PyObject* stored) except -1:
    cdef object struct_type = <object>Py_TYPE(<object>stored)
    cdef object found = _layouts.get(struct_type)
    cdef _Layout layout
    cdef Py_ssize_t position, total
    cdef PyObject* value
    if found is None:
        if not issubclass(struct_type, msgspec.Struct):
            raise TypeError(f"a field cannot hold a {struct_type.__name__}")
        found = _layouts[struct_type] = _Layout(struct_type)
    layout = <_Layout>found
    total = _rounded(layout.size)
    for position in range(layout.count):
        value = (<PyObject**>(<char*>stored + layout.offsets[position]))[0]
        if value != NULL and value != NONE:
            total += _weigh_value(value)
    return total


cdef Py_ssize_t _weigh_value(PyObject* value) except -1:
    cdef Py_ssize_t position, total
    cdef long long number
    if PyUnicode_CheckExact(value):
        return _weigh_text(value)
    if value == NONE or value == TRUE or value == FALSE:
        return 0
    if PyLong_CheckExact(value):
        number = PyLong_AsLongLong(value)
        if _KEPT_MIN <= number <= _KEPT_MAX:
            return 0
        return _INTEGER_BYTES if -_TWO_DIGITS < number < _TWO_DIGITS else _LARGE_INTEGER_BYTES
    if PyDict_CheckExact(value):
        return _weigh_map(value)
    if PyTuple_CheckExact(value):
        total = _rounded(_COLLECTED_BYTES + _TUPLE_BYTES + 8 * PyTuple_GET_SIZE(value))
        for position in range(PyTuple_GET_SIZE(value)):
            total += _weigh_value(PyTuple_GET_ITEM(value, position))
        return total
    return _weigh_struct(value)


cdef Py_ssize_t _weigh_map(PyObject* texts) except -1:
    cdef Py_ssize_t position = 0
    cdef Py_ssize_t total
    cdef PyObject* name
    cdef PyObject* text
    if PyDict_Size(<object>texts) == 0:
        return _EMPTY_MAP_BYTES
    # Only the dictionary knows the size of its table.
    total = _rounded(_COLLECTED_BYTES + <Py_ssize_t>(<dict>texts).__sizeof__())
    while PyDict_Next(<object>texts, &position, &name, &text):
        total += _weigh_value(name) + _weigh_value(text)
    return total


cdef inline Py_ssize_t _weigh_text(PyObject* text) noexcept:
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    cdef int width
    if PyUnicode_IS_COMPACT_ASCII(text):
        return _rounded(sizeof(PyASCIIObject) + length + 1)
    # A rendered text also keeps its UTF-8 form: as many bytes again, and half of that.
    width = PyUnicode_KIND(text)
    return _rounded(sizeof(PyCompactUnicodeObject) + (length + 1) * width) + _rounded(2 * length * width)


cdef inline Py_ssize_t _rounded(Py_ssize_t size) noexcept:
    return (size + _STEP_BYTES - 1) // _STEP_BYTES * _STEP_BYTES
