# cython: autotestdict=False
"""Copies of structs in which some fields are changed, slot by slot. The contract is in structs.pyi.

The library finds each changed field by looking through all of them, and looks at each field for a default.
"""

import msgspec

from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy


cdef extern from "Python.h":
    enum:
        METH_FASTCALL
        METH_KEYWORDS
    ctypedef struct PyMethodDef:
        const char* ml_name
        void* ml_meth
        int ml_flags
        const char* ml_doc
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL
    object PyCFunction_NewEx(PyMethodDef* definition, PyObject* owner, PyObject* module)
    PyObject* PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t count) except NULL
    bint PyType_IS_GC(PyTypeObject* kind)
    void Py_INCREF(PyObject* value)
    void Py_XDECREF(PyObject* value)
    void Py_DECREF(PyObject* value)


cdef enum:
    _FIELDS_MAX = 48
    _SITES_COUNT = 256

# What a call in the code changes: its tuple of names is a constant, so that the names are looked up once.
# `names` is a reference, NULL in a site that was never used; `_PLACES` has one to `kind`.
cdef struct _Site:
    PyObject* names
    PyTypeObject* kind
    Py_ssize_t changes
    Py_ssize_t fields
    unsigned char[_FIELDS_MAX] places

# A call that finds the site of another one takes it over.
cdef _Site[_SITES_COUNT] _SITES
# By type, the place of each field by its name. A program has a fixed number of struct types.
cdef dict _PLACES = {}
cdef tuple _NO_NAMES = ()


cdef PyObject* _replace(PyObject* _, PyObject** given, Py_ssize_t count, PyObject* names) except NULL:
    cdef _Site* site
    cdef PyObject* made
    cdef PyObject** old
    cdef PyObject** new
    cdef Py_ssize_t at
    if count != 1:
        raise TypeError(f"replace takes one struct, and {count} were given")
    if names == NULL:
        names = <PyObject*>_NO_NAMES
    site = _site_of(Py_TYPE(<object>given[0]), names)
    made = PyType_GenericAlloc(site.kind, 0)
    old, new = _fields(given[0]), _fields(made)
    for at in range(site.changes):
        Py_INCREF(given[1 + at])
        new[site.places[at]] = given[1 + at]
    for at in range(site.fields):
        if new[at] == NULL:
            if old[at] == NULL:
                Py_DECREF(made)
                raise AttributeError(f"a field of a {(<object>site.kind).__name__} is not set")
            Py_INCREF(old[at])
            new[at] = old[at]
    return made


cdef _Site* _site_of(PyTypeObject* kind, PyObject* names) except NULL:
    """Return where these fields of a type are."""
    cdef uintptr_t number = (<uintptr_t>names >> 4) * 31 + (<uintptr_t>kind >> 4)
    cdef _Site* site = &_SITES[number % _SITES_COUNT]
    cdef _Site* other
    if site.names == names and site.kind == kind:
        return site
    other = &_SITES[(number ^ 1) % _SITES_COUNT]
    if other.names == names and other.kind == kind:
        return other
    # The call that is here moves over: two may share a place, and one may have new names each time.
    Py_XDECREF(other.names)
    other[0] = site[0]
    site.names = NULL
    _fill(site, kind, names)
    return site


cdef int _fill(_Site* site, PyTypeObject* kind, PyObject* names) except -1:
    """Look up the names. Raises: TypeError for a type that is not copied, or a field that it has not."""
    cdef unsigned char[_FIELDS_MAX] places
    cdef Py_ssize_t at = 0
    cdef dict known = _places_of(<object>kind)
    cdef PyObject* place
    for name in <tuple>names:
        place = PyDict_GetItemWithError(known, name)
        if place == NULL:
            raise TypeError(f"{(<object>kind).__name__} has no field {name}")
        places[at] = <object>place
        at += 1
    Py_INCREF(names)
    site.names, site.kind = names, kind
    site.changes, site.fields = at, len(known)
    memcpy(site.places, places, at)
    return 0


cdef dict _places_of(object struct_type):
    """Return the place of each field. Raises: TypeError if instances hold more than their fields."""
    cdef PyObject* found = PyDict_GetItemWithError(_PLACES, struct_type)
    if found != NULL:
        return <dict>found
    if not issubclass(struct_type, msgspec.Struct) or PyType_IS_GC(<PyTypeObject*>struct_type):
        raise TypeError(f"{struct_type.__name__} is no struct with gc=False")
    if hasattr(struct_type, "__post_init__"):
        raise TypeError(f"{struct_type.__name__} looks at its new instances")
    places = {
        name: (offset_of(struct_type, name) - sizeof(PyObject)) // sizeof(void*)
        for name in struct_type.__struct_fields__
    }
    size = sizeof(PyObject) + len(places) * sizeof(void*)
    if struct_type.__basicsize__ != size or sorted(places.values()) != list(range(len(places))):
        raise TypeError(f"{struct_type.__name__} holds more than its fields")
    if len(places) > _FIELDS_MAX:
        raise TypeError(f"{struct_type.__name__} has more than {_FIELDS_MAX} fields")
    _PLACES[struct_type] = places
    return places


cdef inline PyObject** _fields(PyObject* struct) noexcept:
    return <PyObject**>(<char*>struct + sizeof(PyObject))


cdef PyMethodDef _REPLACE
_REPLACE.ml_name = "replace"
_REPLACE.ml_meth = <void*>_replace
_REPLACE.ml_flags = METH_FASTCALL | METH_KEYWORDS
_REPLACE.ml_doc = NULL
# A function of Cython would make a dictionary of the changes first.
replace = PyCFunction_NewEx(&_REPLACE, NULL, NULL)
