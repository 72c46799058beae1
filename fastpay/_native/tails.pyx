# cython: autotestdict=False
"""Structs without the fields at their end that have their defaults. The contract is in tails.pyi."""

cimport cython
from cpython.object cimport Py_EQ, Py_TYPE, PyObject, PyObject_RichCompareBool
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_New, PyTuple_SET_ITEM

from fastpay._native.structs cimport offset_of


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL


cdef enum:
    _FIELDS_MAX = 64


@cython.final
cdef class _Tail:
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


@cython.final
cdef class Tails:
    cdef dict tails

    def __init__(self, tails):
        self.tails = {one: _Tail(one, start, defaults) for one, (start, defaults) in tails.items()}

    def shorten(self, value):
        return _shorten(self.tails, value)

    def shorten_all(self, list values not None) -> list:
        return [_shorten(self.tails, value) for value in values]


cdef object _shorten(dict tails, object value):
    cdef PyObject* found = PyDict_GetItemWithError(tails, <object>Py_TYPE(value))
    cdef _Tail tail
    cdef Py_ssize_t at
    cdef object item, default
    cdef tuple head
    if found == NULL:
        return value
    tail = <_Tail>found
    for at in range(tail.start, tail.count):
        item = _field(value, tail.places[at])
        default = <object>PyTuple_GET_ITEM(tail.defaults, at - tail.start)
        # The same object is equal, as in a comparison of tuples.
        if not PyObject_RichCompareBool(item, default, Py_EQ):
            return value
    head = PyTuple_New(tail.start)
    for at in range(tail.start):
        item = _field(value, tail.places[at])
        Py_INCREF(item)
        PyTuple_SET_ITEM(head, at, item)
    return head


cdef inline object _field(object struct, Py_ssize_t place):
    cdef PyObject* value = (<PyObject**>(<char*><PyObject*>struct + place))[0]
    if value == NULL:
        raise AttributeError(f"a field of a {type(struct).__name__} is not set")
    return <object>value
