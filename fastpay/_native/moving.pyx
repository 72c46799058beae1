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
cdef class _Mover:
    """What the moves of one type of draft look at."""

    cdef object account
    cdef object transfer
    cdef int64_t counter_max
    cdef Py_ssize_t[_ACCOUNT_FIELDS] account_places
    cdef Py_ssize_t[_TRANSFER_FIELDS] transfer_places
    # Of a draft.
    cdef Py_ssize_t charts, loaded, accounts, transfers, identifiers

    def __init__(self, draft, account, transfer, int64_t counter_max):
        _find(account, self.account_places, _ACCOUNT)
        _find(transfer, self.transfer_places, _TRANSFER)
        self.account, self.transfer, self.counter_max = account, transfer, counter_max
        self.charts, self.loaded = offset_of(draft, "charts"), offset_of(draft, "loaded")
        self.accounts, self.transfers = offset_of(draft, "accounts"), offset_of(draft, "transfers")
        self.identifiers = offset_of(draft, "identifiers")

    cdef object moved(
        self, PyObject* draft, str debit, str credit, str currency, int64_t posted, int64_t reserved
    ):
        """Return a transfer with nothing but its accounts, after they were moved; None if nothing was."""
        cdef dict moved = <dict?>_held(draft, self.accounts)
        cdef dict loaded = <dict?>_held(draft, self.loaded)
        cdef dict chart = self._chart(draft, currency)
        cdef PyObject* debit_id
        cdef PyObject* credit_id
        cdef PyObject* source
        cdef PyObject* target
        cdef object debited, credited, made
        cdef Py_ssize_t* places = self.transfer_places
        debit_id = PyDict_GetItemWithError(chart, debit)
        credit_id = PyDict_GetItemWithError(chart, credit)
        if debit_id == NULL or credit_id == NULL:
            return None
        source = _find_account(moved, loaded, <object>debit_id)
        target = _find_account(moved, loaded, <object>credit_id)
        if source == NULL or target == NULL or source == target:
            return None
        debited = self._after(source, _DEBITS_POSTED, _DEBITS_PENDING, posted, reserved)
        if debited is None:
            return None
        credited = self._after(target, _CREDITS_POSTED, _CREDITS_PENDING, posted, reserved)
        if credited is None:
            return None
        made = PyType_GenericAlloc(<PyTypeObject*>self.transfer, 0)
        set_slot(made, places[0], (<IdentifierSequence?>_held(draft, self.identifiers)).make("tr"))
        set_slot(made, places[3], <object>debit_id)
        set_slot(made, places[4], <object>credit_id)
        moved[<object>debit_id] = debited
        moved[<object>credit_id] = credited
        return made

    cdef dict _chart(self, PyObject* draft, str currency):
        cdef PyObject* chart = PyDict_GetItemWithError(<dict?>_held(draft, self.charts), currency)
        return <dict?><object>chart if chart != NULL else <dict?>(<object>draft).chart(currency)

    cdef object _after(self, PyObject* account, int posted, int pending, int64_t added, int64_t change):
        """Return an account with both amounts added to its counters, or None unless nothing is against it."""
        cdef Py_ssize_t* places = self.account_places
        cdef int64_t moved, held
        cdef object made
        cdef int at
        if Py_TYPE(<object>account) != <PyTypeObject*>self.account:
            return None
        if slot_at(account, places[_MIN_BALANCE])[0] != <PyObject*>None:
            return None
        moved = _number(slot_at(account, places[posted])[0])
        held = _number(slot_at(account, places[pending])[0])
        if moved < 0 or held < 0:
            return None
        # Each is below a quarter of what 64 bits hold.
        moved, held = moved + added, held + change
        if held < 0 or moved + held > self.counter_max:
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


# By type of draft. A program has few of them.
cdef dict _MOVERS = {}


def prepare(draft, account, transfer, int64_t counter_max):
    if not issubclass(draft, Moves):
        raise TypeError(f"{draft.__name__} does not inherit its transfers")
    _MOVERS[draft] = _Mover(draft, account, transfer, counter_max)


cdef class Moves:
    def transfer(
        self,
        str kind not None,
        *,
        str debit not None,
        str credit not None,
        str currency not None,
        object amount,
        str source_id not None,
        str phase not None="posted",
        tuple hold=None,
    ):
        cdef _Mover mover = <_Mover?>_MOVERS[type(self)]
        cdef Py_ssize_t* places = mover.transfer_places
        cdef object made = None
        cdef object hold_id = None
        cdef int64_t number = _number(<PyObject*>amount)
        cdef int64_t held = -1
        if number < 0:
            pass
        elif hold is not None:
            hold_id, held_amount = hold
            held = _number(<PyObject*>held_amount)
            if held >= 0 and (phase == "void" or phase == "post"):
                # All of a hold ends, whatever is posted of it.
                number = number if phase == "post" else 0
                made = mover.moved(<PyObject*>self, debit, credit, currency, number, -held)
        elif phase == "posted":
            made = mover.moved(<PyObject*>self, debit, credit, currency, number, 0)
        elif phase == "hold":
            made = mover.moved(<PyObject*>self, debit, credit, currency, 0, number)
        if made is None:
            return self.transfer_by_rules(kind, phase, debit, credit, currency, amount, source_id, hold)
        set_slot(made, places[1], kind)
        set_slot(made, places[2], phase)
        set_slot(made, places[5], currency)
        set_slot(made, places[6], amount)
        set_slot(made, places[7], source_id)
        set_slot(made, places[8], hold_id)
        (<list?>_held(<PyObject*>self, mover.transfers)).append(made)
        return <object>slot_at(<PyObject*>made, places[0])[0]


cdef inline object _held(PyObject* draft, Py_ssize_t place):
    cdef PyObject* value = slot_at(draft, place)[0]
    if value == NULL:
        raise AttributeError("a draft lacks what its transfers need")
    return <object>value


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


cdef int _find(object struct_type, Py_ssize_t* places, tuple names) except -1:
    """Find where the instances of a type hold their fields. Raises: TypeError if it has others."""
    if struct_type.__struct_fields__ != names:
        raise TypeError(f"{struct_type.__name__} has other fields than {names}")
    for at, name in enumerate(names):
        places[at] = offset_of(struct_type, name)
    return 0
