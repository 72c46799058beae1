# Where an instance of a msgspec Struct holds the pointers to its fields.

from cpython.object cimport Py_TYPE, PyObject, PyTypeObject


cdef extern from "Python.h":
    PyTypeObject PyMemberDescr_Type
    void Py_INCREF(PyObject* value)


cdef extern from "structmember.h":
    ctypedef struct PyMemberDef:
        int type
        Py_ssize_t offset
    ctypedef struct PyMemberDescrObject:
        PyMemberDef* d_member
    int T_OBJECT_EX


cdef inline Py_ssize_t offset_of(object struct_type, str name) except -1:
    """Return the offset of a field's pointer in an instance. Raises: TypeError if there is no such field."""
    cdef object descriptor = getattr(struct_type, name, None)
    cdef PyMemberDef* member
    if Py_TYPE(descriptor) == &PyMemberDescr_Type:
        member = (<PyMemberDescrObject*>descriptor).d_member
        if member.type == T_OBJECT_EX:
            return member.offset
    raise TypeError(f"{struct_type.__name__} has no field {name}")


cdef inline PyObject** slot_at(PyObject* struct, Py_ssize_t offset) noexcept:
    """Return where an instance has the pointer to a field."""
    return <PyObject**>(<char*>struct + offset)


cdef inline int set_slot(object made, Py_ssize_t offset, object value) except -1:
    """Set a field of a new instance, which has none there yet."""
    Py_INCREF(<PyObject*>value)
    slot_at(<PyObject*>made, offset)[0] = <PyObject*>value
    return 0
