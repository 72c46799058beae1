# Where an instance of a msgspec Struct holds the pointers to its fields.

from cpython.object cimport Py_TYPE, PyTypeObject


cdef extern from "Python.h":
    PyTypeObject PyMemberDescr_Type


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
