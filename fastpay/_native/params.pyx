"""What a struct of parameters holds, read from its memory. The contract is in params.pyi.

Most parameters of most requests are not given. Python asks each of them by its name; here that is a look at
one pointer. No Python code runs while a struct is read, so that what it refers to stays alive.
"""

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE

from fastpay._native.digit_runs cimport may_hold_number
from fastpay._native.structs cimport offset_of

import msgspec

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(PyObject* value)
    bint PyDict_CheckExact(PyObject* value)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)

cdef object UNSET = msgspec.UNSET
cdef PyObject* _UNSET = <PyObject*>UNSET
cdef PyObject* _NONE = <PyObject*>None


cdef class _Fields:
    """Where some fields are in the instances of a struct."""

    cdef object struct_type
    cdef readonly tuple names
    cdef Py_ssize_t* offsets
    cdef Py_ssize_t count

    def __cinit__(self, object struct_type not None, names, *_):
        cdef Py_ssize_t index
        self.struct_type = struct_type
        self.names = tuple(names)
        self.count = len(self.names)
        self.offsets = <Py_ssize_t*>PyMem_Malloc((self.count or 1) * sizeof(Py_ssize_t))
        if self.offsets == NULL:
            raise MemoryError
        for index in range(self.count):
            self.offsets[index] = offset_of(struct_type, self.names[index])

    def __dealloc__(self):
        PyMem_Free(self.offsets)

    cdef inline PyObject* value(self, PyObject* params, Py_ssize_t index) except NULL:
        """Return a field's value, borrowed."""
        cdef PyObject* value = (<PyObject**>(<char*>params + self.offsets[index]))[0]
        if value == NULL:
            raise TypeError(f"the field {self.names[index]} was never set")
        return value

    cdef int check(self, object params) except -1:
        if Py_TYPE(params) != <PyTypeObject*>self.struct_type:
            raise TypeError(f"{type(params).__name__} is not {self.struct_type.__name__}")
        return 0


@cython.final
cdef class Selection(_Fields):
    def given(self, params not None) -> dict:
        cdef dict found = {}
        cdef Py_ssize_t index
        cdef PyObject* value
        self.check(params)
        for index in range(self.count):
            value = self.value(<PyObject*>params, index)
            if value != _UNSET:
                found[<object>PyTuple_GET_ITEM(self.names, index)] = <object>value
        return found

    def has_any(self, params not None) -> bool:
        cdef Py_ssize_t index
        self.check(params)
        for index in range(self.count):
            if self.value(<PyObject*>params, index) != _UNSET:
                return True
        return False


@cython.final
cdef class NumberSearch:
    cdef object kept
    # By type of struct: the fields to look at.
    cdef dict fields

    def __cinit__(self, object kept not None):
        self.kept = kept
        self.fields = {}

    def may_find(self, params not None) -> bool:
        return self.look(<PyObject*>params)

    cdef bint look(self, PyObject* value) except -1:
        cdef _Fields fields
        cdef Py_ssize_t index = 0
        cdef PyObject* key
        cdef PyObject* inner
        if value == _UNSET or value == _NONE:
            return False
        if PyUnicode_CheckExact(value):
            return may_hold_number(<str>value)
        if PyTuple_CheckExact(<object>value):
            for index in range(PyTuple_GET_SIZE(<object>value)):
                if self.look(<PyObject*>PyTuple_GET_ITEM(<object>value, index)):
                    return True
            return False
        if PyDict_CheckExact(value):
            while PyDict_Next(<object>value, &index, &key, &inner):
                if self.look(key) or self.look(inner):
                    return True
            return False
        if type(<object>value) is bool or type(<object>value) is int:
            return False
        fields = self.fields.get(type(<object>value))
        if fields is None:
            if not isinstance(<object>value, msgspec.Struct):
                # A value of any other type is left to the search itself.
                return True
            fields = _Fields(type(<object>value), self.kept(type(<object>value)))
            self.fields[type(<object>value)] = fields
        for index in range(fields.count):
            inner = fields.value(value, index)
            if inner != _UNSET and self.look(inner):
                return True
        return False


@cython.final
cdef class _Optional(_Fields):
    """The fields of a struct, of which null has a meaning in some."""

    # For each field: whether null is what it holds if it is not given.
    cdef list is_null_default
    cdef Py_ssize_t metadata

    def __cinit__(self, object struct_type not None, names, list is_null_default not None):
        self.is_null_default = is_null_default
        self.metadata = self.names.index("metadata") if "metadata" in self.names else -1


@cython.final
cdef class EmptySearch:
    cdef dict fields

    def __cinit__(self):
        self.fields = {}

    def may_find(self, params not None) -> bool:
        return self.look(<PyObject*>params)

    cdef bint look(self, PyObject* value) except -1:
        cdef _Optional fields
        cdef Py_ssize_t index = 0
        cdef PyObject* inner
        if value == _UNSET or PyUnicode_CheckExact(value):
            return False
        if type(<object>value) is bool or type(<object>value) is int:
            return False
        if PyTuple_CheckExact(<object>value):
            for index in range(PyTuple_GET_SIZE(<object>value)):
                inner = <PyObject*>PyTuple_GET_ITEM(<object>value, index)
                if inner == _NONE or self.look(inner):
                    return True
            return False
        fields = self.fields.get(type(<object>value))
        if fields is None:
            if not isinstance(<object>value, msgspec.Struct):
                return True
            fields = _optional(type(<object>value))
            self.fields[type(<object>value)] = fields
        for index in range(fields.count):
            inner = fields.value(value, index)
            if inner == _UNSET:
                continue
            if inner == _NONE:
                if not fields.is_null_default[index]:
                    return True
            elif index == fields.metadata and PyDict_CheckExact(inner):
                if _has_empty_text(<dict>inner):
                    return True
            elif self.look(inner):
                return True
        return False


cdef _Optional _optional(object struct_type):
    fields = msgspec.structs.fields(struct_type)
    is_null_default = [field.default is None for field in fields]
    return _Optional(struct_type, [field.name for field in fields], is_null_default)


cdef bint _has_empty_text(dict metadata) except -1:
    """Return whether metadata is empty, or may have a name without a value."""
    cdef Py_ssize_t position = 0
    cdef PyObject* value
    if len(metadata) == 0:
        return True
    while PyDict_Next(metadata, &position, NULL, &value):
        if not PyUnicode_CheckExact(value) or PyUnicode_GET_LENGTH(value) == 0:
            return True
    return False
