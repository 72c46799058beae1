# cython: autotestdict=False
"""The plain case of a transfer, in one step. The contract is in moving.pyi."""

cimport cython
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from libc.stdint cimport int64_t

from fastpay._native.identifiers cimport IdentifierSequence
from fastpay._native.structs cimport offset_of, set_slot, slot_at


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(dict items, object key) except? NULL
    bint PyLong_CheckExact(PyObject* value)
    int64_t PyLong_AsLongLongAndOverflow(PyObject* value, int* overflow) except? -1
    object PyType_GenericAlloc(PyTypeObject* kind, Py_ssize_t count)


cdef enum:
    _ACCOUNT_FIELDS = 9
    _TRANSFER_FIELDS = 9
    # Places in `_ACCOUNT`.
    _DEBITS_POSTED = 4
    _CREDITS_POSTED = 5
    _DEBITS_PENDING = 6
    _CREDITS_PENDING = 7
    _MIN_BALANCE = 8

cdef tuple _ACCOUNT = (
    *("id", "code", "currency", "normal_side", "debits_posted", "credits_posted", "debits_pending"),
    *("credits_pending", "min_balance"),
)
cdef tuple _TRANSFER = (
    *("id", "kind", "phase", "debit_account_id", "credit_account_id", "currency", "amount", "source_id"),
    "hold_id",
)


@cython.final
cdef class Mover:
    cdef object account
    cdef object transfer
    cdef Py_ssize_t[_ACCOUNT_FIELDS] account_places
    cdef Py_ssize_t[_TRANSFER_FIELDS] transfer_places

    def __init__(self, account, transfer):
        _find(account, self.account_places, _ACCOUNT)
        _find(transfer, self.transfer_places, _TRANSFER)
        self.account, self.transfer = account, transfer

    def move(
        self,
        str kind not None,
        str debit_id not None,
        str credit_id not None,
        str currency not None,
        object amount,
        str source_id not None,
        dict moved not None,
        dict loaded not None,
        int64_t counter_max,
        IdentifierSequence identifiers not None,
    ):
        cdef object made
        cdef Py_ssize_t* places = self.transfer_places
        made = self._moved(debit_id, credit_id, amount, 0, moved, loaded, counter_max, identifiers)
        if made is None:
            return None
        set_slot(made, places[1], kind)
        set_slot(made, places[2], "posted")
        set_slot(made, places[5], currency)
        set_slot(made, places[6], amount)
        set_slot(made, places[7], source_id)
        set_slot(made, places[8], None)
        return made

    def reserve(
        self,
        tuple values not None,
        object posted,
        object reserved,
        dict moved not None,
        dict loaded not None,
        int64_t counter_max,
        IdentifierSequence identifiers not None,
    ):
        cdef str debit_id, credit_id
        cdef object made
        cdef int64_t change = 0
        cdef int at
        if len(values) != _TRANSFER_FIELDS - 1:
            raise TypeError("a transfer has other fields")
        debit_id, credit_id = values[2], values[3]
        if not _change(reserved, &change):
            return None
        made = self._moved(debit_id, credit_id, posted, change, moved, loaded, counter_max, identifiers)
        if made is not None:
            for at in (1, 2, 5, 6, 7, 8):
                set_slot(made, self.transfer_places[at], values[at - 1])
        return made

    cdef object _moved(
        self,
        str debit_id,
        str credit_id,
        object posted,
        int64_t change,
        dict moved,
        dict loaded,
        int64_t counter_max,
        IdentifierSequence identifiers,
    ):
        """Return a transfer with its accounts alone, and put these after it into `moved`; or None."""
        cdef PyObject* source = _find_account(moved, loaded, debit_id)
        cdef PyObject* target = _find_account(moved, loaded, credit_id)
        cdef object debited, credited, made
        cdef Py_ssize_t* places = self.transfer_places
        if source == NULL or target == NULL or source == target:
            return None
        debited = self._after(source, _DEBITS_POSTED, _DEBITS_PENDING, posted, change, counter_max)
        if debited is None:
            return None
        credited = self._after(target, _CREDITS_POSTED, _CREDITS_PENDING, posted, change, counter_max)
        if credited is None:
            return None
        made = PyType_GenericAlloc(<PyTypeObject*>self.transfer, 0)
        set_slot(made, places[0], identifiers.make("tr"))
        set_slot(made, places[3], debit_id)
        set_slot(made, places[4], credit_id)
        moved[debit_id] = debited
        moved[credit_id] = credited
        return made

    cdef object _after(
        self,
        PyObject* account,
        int posted,
        int pending,
        object more,
        int64_t change,
        int64_t counter_max,
    ):
        """Return an account with both amounts added to its counters, or None unless nothing is against it."""
        cdef Py_ssize_t* places = self.account_places
        cdef int64_t added, moved, held
        cdef object made
        cdef int at
        if Py_TYPE(<object>account) != <PyTypeObject*>self.account:
            return None
        if slot_at(account, places[_MIN_BALANCE])[0] != <PyObject*>None:
            return None
        moved = _number(slot_at(account, places[posted])[0])
        held = _number(slot_at(account, places[pending])[0])
        added = _number(<PyObject*>more)
        if moved < 0 or held < 0 or added < 0:
            return None
        # Each is below a quarter of what 64 bits hold.
        moved, held = moved + added, held + change
        if held < 0 or moved + held > counter_max:
            return None
        made = PyType_GenericAlloc(<PyTypeObject*>self.account, 0)
        for at in range(_ACCOUNT_FIELDS):
            if (at != posted or added == 0) and (at != pending or change == 0):
                set_slot(made, places[at], <object>slot_at(account, places[at])[0])
        if added:
            set_slot(made, places[posted], moved)
        if change:
            set_slot(made, places[pending], held)
        return made


cdef PyObject* _find_account(dict moved, dict loaded, str identifier) except? NULL:
    cdef PyObject* found = PyDict_GetItemWithError(moved, identifier)
    return PyDict_GetItemWithError(loaded, identifier) if found == NULL else found


cdef inline int64_t _number(PyObject* value) except? -1:
    """Return a number of at most 61 bits, and -1 for anything else."""
    cdef int overflow = 0
    cdef int64_t number
    if value == NULL or not PyLong_CheckExact(value):
        return -1
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    return number if overflow == 0 and 0 <= number < <int64_t>1 << 61 else -1


cdef bint _change(object value, int64_t* change) except -1:
    """Give a number of at most 61 bits that may be negative; return False for anything else."""
    cdef int overflow = 0
    if not PyLong_CheckExact(<PyObject*>value):
        return False
    change[0] = PyLong_AsLongLongAndOverflow(<PyObject*>value, &overflow)
    return overflow == 0 and -(<int64_t>1 << 61) < change[0] < <int64_t>1 << 61


cdef int _find(object struct_type, Py_ssize_t* places, tuple names) except -1:
    """Find where the instances of a type hold their fields. Raises: TypeError if it has others."""
    if struct_type.__struct_fields__ != names:
        raise TypeError(f"{struct_type.__name__} has other fields than {names}")
    for at, name in enumerate(names):
        places[at] = offset_of(struct_type, name)
    return 0
