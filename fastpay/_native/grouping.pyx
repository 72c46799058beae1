# cython: autotestdict=False
"""Rows that are sorted by their tables without a step of Python for each. See grouping.pyi."""

cimport cython
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject

from fastpay._native.structs cimport offset_of, slot_at


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL
    bint PyDict_Contains(dict items, object key) except -1
    bint PyDict_Next(dict items, Py_ssize_t* position, PyObject** key, PyObject** value)
    bint PyObject_TypeCheck(PyObject* value, PyTypeObject* kind)


cdef enum:
    _KINDS_MAX = 64

# What was written of one kind. Borrowed: the dictionary of all kinds holds the lists, the sorter the number.
cdef struct _Kind:
    PyTypeObject* type
    PyObject* number
    PyObject* scopes
    PyObject* versions
    PyObject* objects
    Py_ssize_t new_count


@cython.final
cdef class Sorter:
    cdef object submission
    cdef object draft
    cdef object versioned
    cdef object stored
    cdef dict numbers
    cdef Py_ssize_t scope_place, action_place
    cdef Py_ssize_t versions_place, transfers_place, events_place, accounts_place, opened_place
    cdef Py_ssize_t object_place, version_place, id_place

    def __init__(self, submission, draft, versioned, stored, dict numbers not None):
        if len(numbers) > _KINDS_MAX:
            raise ValueError(f"more than {_KINDS_MAX} kinds cannot be told apart")
        if not all(issubclass(one, stored) for one in numbers):
            raise TypeError(f"a kind is no {stored.__name__}")
        self.submission, self.draft, self.versioned, self.stored = submission, draft, versioned, stored
        self.numbers = numbers
        self.scope_place, self.action_place = offset_of(submission, "scope"), offset_of(submission, "action")
        self.versions_place, self.events_place = offset_of(draft, "versions"), offset_of(draft, "events")
        self.transfers_place, self.opened_place = offset_of(draft, "transfers"), offset_of(draft, "opened")
        self.accounts_place = offset_of(draft, "accounts")
        self.object_place = offset_of(versioned, "object")
        self.version_place = offset_of(versioned, "version")
        self.id_place = offset_of(stored, "id")

    def sort(self, list drafts not None) -> tuple:
        cdef list scopes = [], versions = [], numbers = [], objects = []
        cdef list moved_by = [], transfers = [], caused_by = [], events = []
        cdef list opened = [], asked_by = [], actions = []
        cdef _Kind[_KINDS_MAX] kinds
        cdef _Kind* kind = NULL
        cdef int kinds_count = 0
        cdef dict by_type = {}
        cdef PyObject* submission
        cdef PyObject* draft
        cdef object scope, action, stored, version
        cdef bint has_others = False
        cdef tuple pair
        for pair in drafts:
            if pair is None or len(pair) != 2:
                raise TypeError("what was decided must be a submission and a draft")
            submission, draft = <PyObject*>pair[0], <PyObject*>pair[1]
            _require(submission, self.submission)
            _require(draft, self.draft)
            scope = _field(submission, self.scope_place)
            for versioned in <list?>_field(draft, self.versions_place):
                _require(<PyObject*>versioned, self.versioned)
                stored = _field(<PyObject*>versioned, self.object_place)
                if kind == NULL or kind.type != Py_TYPE(stored):
                    kind = self.kind_of(Py_TYPE(stored), kinds, &kinds_count, by_type)
                version = _field(<PyObject*>versioned, self.version_place)
                kind.new_count += version == 1
                (<list>kind.scopes).append(scope)
                (<list>kind.versions).append(versioned)
                (<list>kind.objects).append(stored)
                if <object>kind.number is None:
                    has_others = True
                    continue
                scopes.append(scope)
                versions.append(versioned)
                numbers.append(<object>kind.number)
                objects.append(stored)
            for transfer in <list?>_field(draft, self.transfers_place):
                moved_by.append(pair)
                transfers.append(transfer)
            for event in <list?>_field(draft, self.events_place):
                caused_by.append(pair[0])
                events.append(event)
            opened += <list?>_field(draft, self.opened_place)
            action = _field(submission, self.action_place)
            if action is not None:
                asked_by.append(pair[0])
                actions.append(action)
        return (
            (scopes, versions, numbers, objects),
            self.told_apart(kinds, kinds_count),
            (moved_by, transfers),
            (caused_by, events),
            (asked_by, actions),
            *self.moved(drafts, set(opened)),
            has_others,
        )

    cdef _Kind* kind_of(self, PyTypeObject* type, _Kind* kinds, int* count, dict by_type) except NULL:
        """Return what was written of a kind, nothing yet if it is met for the first time."""
        cdef int at
        cdef _Kind* kind
        cdef tuple lists
        cdef PyObject* number
        for at in range(count[0]):
            if kinds[at].type == type:
                return &kinds[at]
        number = PyDict_GetItemWithError(self.numbers, <object>type)
        if number == NULL:
            raise TypeError(f"{(<object>type).__name__} is no kind that is stored")
        lists = by_type[<object>type] = ([], [], [])
        kind = &kinds[count[0]]
        count[0] += 1
        kind.type, kind.number, kind.new_count = type, number, 0
        kind.scopes, kind.versions = <PyObject*>lists[0], <PyObject*>lists[1]
        kind.objects = <PyObject*>lists[2]
        return kind

    cdef list told_apart(self, _Kind* kinds, int count):
        """Return each kind with its rows, and whether all are new, known and different, or neither."""
        cdef list made = []
        cdef int at
        cdef str state
        cdef _Kind* kind
        for at in range(count):
            kind = &kinds[at]
            if kind.new_count == len(<list>kind.objects):
                state = "new"
            elif kind.new_count == 0 and self.are_different(<list>kind.objects):
                state = "known"
            else:
                state = "mixed"
            made.append(
                (<object>kind.type, state, (<list>kind.scopes, <list>kind.versions, <list>kind.objects))
            )
        return made

    cdef tuple moved(self, list drafts, set opened):
        """Return the accounts that were opened, and all others, each with their scopes."""
        cdef tuple new = ([], [])
        cdef tuple known = ([], [])
        cdef tuple lists
        cdef dict seen = {}
        cdef dict of_scope = None
        cdef object scope = None
        cdef PyObject* identifier
        cdef PyObject* account
        cdef Py_ssize_t position
        # The last draft of a tenant that has moved an account says how it is left.
        for pair in reversed(drafts):
            accounts = <dict?>_field(<PyObject*>pair[1], self.accounts_place)
            if of_scope is None or _field(<PyObject*>pair[0], self.scope_place) is not scope:
                scope = _field(<PyObject*>pair[0], self.scope_place)
                of_scope = seen.setdefault(scope, {})
            position = 0
            while PyDict_Next(<dict>accounts, &position, &identifier, &account):
                if PyDict_Contains(of_scope, <object>identifier):
                    continue
                of_scope[<object>identifier] = None
                lists = new if <object>identifier in opened else known
                (<list>lists[0]).append(scope)
                (<list>lists[1]).append(<object>account)
        return new, known

    cdef bint are_different(self, list objects) except -1:
        """Tell whether no object is there twice."""
        cdef set seen = set()
        for stored in objects:
            seen.add(_field(<PyObject*>stored, self.id_place))
        return len(seen) == len(objects)


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
        found = PyDict_GetItemWithError(groups, key)
        if found == NULL:
            lists = tuple([[] for _ in range(count)])
            groups[key] = lists
        else:
            lists = <tuple>found
        for number in range(count):
            (<list>lists[number]).append((<list>parts[number])[at])
    return groups


cdef inline int _require(PyObject* value, object kind) except -1:
    if not PyObject_TypeCheck(value, <PyTypeObject*>kind):
        raise TypeError(f"what was decided must have a {kind.__name__} here")
    return 0


cdef inline object _field(PyObject* owner, Py_ssize_t place):
    cdef PyObject* value = slot_at(owner, place)[0]
    if value == NULL:
        raise AttributeError("a field of what was decided is not set")
    return <object>value
