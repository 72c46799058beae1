# cython: autotestdict=False
"""Lists that are put together anew without a step of Python for each item. See grouping.pyi."""

from cpython.object cimport PyObject


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL


def spread(list owners not None, list groups not None) -> tuple:
    cdef list repeated = []
    cdef list items = []
    cdef Py_ssize_t at
    cdef object owner
    if len(owners) != len(groups):
        raise ValueError("each owner must have a group")
    for at in range(len(owners)):
        owner = owners[at]
        for item in <list?>groups[at]:
            repeated.append(owner)
            items.append(item)
    return repeated, items


def group(list keys not None, tuple parts not None) -> dict:
    cdef dict groups = {}
    cdef PyObject* found
    cdef tuple lists
    cdef Py_ssize_t at, number, count = len(parts)
    for part in parts:
        if len(<list?>part) != len(keys):
            raise ValueError("each part must have an item for each key")
    for at in range(len(keys)):
        key = keys[at]
        if key is None:
            continue
        found = PyDict_GetItemWithError(groups, key)
        if found == NULL:
            lists = tuple([[] for _ in range(count)])
            groups[key] = lists
        else:
            lists = <tuple>found
        for number in range(count):
            (<list>lists[number]).append((<list>parts[number])[at])
    return groups
