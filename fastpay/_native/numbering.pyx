# cython: autotestdict=False
"""The numbers of what one command has written. The contract is in numbering.pyi."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject

from fastpay._native.identifiers cimport IdentifierSequence
from fastpay._native.structs cimport offset_of, set_slot, slot_at


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL
    bint PyDict_Next(dict items, Py_ssize_t* position, PyObject** key, PyObject** value)
    object PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t count)
    bint PyObject_TypeCheck(PyObject* value, PyTypeObject* kind)


cdef enum:
    _VERSIONED_FIELDS = 3
    _EVENT_FIELDS = 5


@cython.final
cdef class Numbering:
    cdef object versioned
    cdef object event
    cdef Py_ssize_t[_VERSIONED_FIELDS] versioned_places
    cdef Py_ssize_t[_EVENT_FIELDS] event_places

    def __init__(self, versioned, event):
        self.versioned, self.event = versioned, event
        _find(versioned, self.versioned_places, ("object", "version", "sequence"))
        _find(event, self.event_places, ("id", "type", "sequence", "object_id", "version"))

    def number(
        self,
        dict changed not None,
        list announced not None,
        dict held not None,
        Py_ssize_t sequence,
        IdentifierSequence identifiers not None,
    ) -> tuple:
        cdef list versions = []
        cdef list events = []
        cdef dict numbers = {}
        cdef object last = sequence + len(announced)
        cdef PyObject* identifier
        cdef PyObject* stored
        cdef Py_ssize_t position = 0
        cdef Py_ssize_t* places
        cdef object made, number, event_type, object_id
        while PyDict_Next(changed, &position, &identifier, &stored):
            number = self._version_after(PyDict_GetItemWithError(held, <object>identifier))
            numbers[<object>identifier] = number
            made = PyType_GenericAlloc(<PyTypeObject*>self.versioned, 0)
            places = self.versioned_places
            set_slot(made, places[0], <object>stored)
            set_slot(made, places[1], number)
            set_slot(made, places[2], last)
            versions.append(made)
        places = self.event_places
        for event_type, object_id in announced:
            sequence += 1
            made = PyType_GenericAlloc(<PyTypeObject*>self.event, 0)
            set_slot(made, places[0], identifiers.make("evt"))
            set_slot(made, places[1], event_type)
            set_slot(made, places[2], sequence)
            set_slot(made, places[3], object_id)
            set_slot(made, places[4], numbers[object_id])
            events.append(made)
        return versions, events

    cdef object _version_after(self, PyObject* previous):
        """Return the number of the version after this one, 1 if there is none."""
        if previous == NULL or previous == <PyObject*>None:
            return 1
        if not PyObject_TypeCheck(previous, <PyTypeObject*>self.versioned):
            raise TypeError(f"what is held must be {self.versioned.__name__}")
        return <object>slot_at(previous, self.versioned_places[1])[0] + 1


cdef int _find(object struct_type, Py_ssize_t* places, tuple names) except -1:
    """Find where the instances of a type hold their fields. Raises: TypeError if it has others."""
    if set(struct_type.__struct_fields__) != set(names):
        raise TypeError(f"{struct_type.__name__} has other fields than {names}")
    for at, name in enumerate(names):
        places[at] = offset_of(struct_type, name)
    return 0
