# cython: autotestdict=False
"""Batches of transfers in JSON. The contract is in transfers_json.pyi.

One pass over the bytes, without a tree: until the closing brace of a transfer only two offsets, an amount
and some flags are kept. Anything in an unusual spelling leaves the whole body to the general reader, so
that this one has no errors of its own.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastpay import limits

from fastpay._native.json_reading cimport Text, read_boolean, read_integer, read_name, read_string, skip, take


# The parts of a transfer, as bits of those that were found. The first two are also the flags in the result.
cdef enum _Part:
    _UNKNOWN = 0
    _LINKED = 1
    _HOLD = 2
    _DEBIT = 4
    _CREDIT = 8
    _AMOUNT = 16
    _EXPIRES_AT = 32
    _METADATA = 64

cdef enum:
    _REQUIRED = _DEBIT | _CREDIT | _AMOUNT
    _TRANSFERS = 1
    _DRY_RUN = 2
    # An account's identifier: its prefix and its digits.
    _PREFIX_SIZE = 5
    _DIGITS_SIZE = 32
    # The maximum number of probes for an account. If colliding identifiers were crafted, the body goes to
    # the general reader, so that they cost no more time here.
    _PROBES_MAX = 64

# An odd number with well spread bits: 2**64 divided by the golden ratio.
cdef uint64_t _SPREAD = 0x9E37_79B9_7F4A_7C15
cdef Py_ssize_t _TRANSFERS_MAX = limits.ledger_batch_transfers_max
cdef int64_t _AMOUNT_MIN = limits.amount_min
cdef int64_t _AMOUNT_MAX = limits.amount_max
cdef int64_t _SECOND_MAX = limits.second_max
cdef Py_ssize_t _METADATA_KEYS_MAX = limits.metadata_keys_max
cdef Py_ssize_t _METADATA_KEY_CHARS_MAX = limits.metadata_key_chars_max
cdef Py_ssize_t _METADATA_VALUE_CHARS_MAX = limits.metadata_value_chars_max


cdef struct _Transfer:
    uint32_t debit
    uint32_t credit
    int64_t amount
    uint8_t flags


cdef struct _Accounts:
    # By number: the first occurrence of an account in the text.
    const char** names
    uint32_t count
    # Account numbers plus one, at slots computed from the digits; 0 for an empty slot.
    uint32_t* table
    uint32_t mask


def decode(bytes body not None):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    cdef Text text
    cdef _Accounts accounts
    cdef _Transfer* transfers = NULL
    cdef Py_ssize_t count = 0
    cdef bint dry_run = False
    cdef dict expires_at = {}
    cdef dict metadata = {}
    # An account takes at least its identifier and two quotation marks.
    cdef Py_ssize_t room = min(size // (_PREFIX_SIZE + _DIGITS_SIZE + 2) + 1, 2 * _TRANSFERS_MAX)
    text.at = PyBytes_AS_STRING(body)
    text.end = text.at + size
    accounts.count = 0
    accounts.mask = 15
    while accounts.mask < 2 * room:
        accounts.mask = 2 * accounts.mask + 1
    accounts.names = <const char**>PyMem_Malloc(room * sizeof(const char*))
    accounts.table = <uint32_t*>PyMem_Calloc(accounts.mask + 1, sizeof(uint32_t))
    transfers = <_Transfer*>PyMem_Malloc((room // 2 + 1) * sizeof(_Transfer))
    try:
        if accounts.names == NULL or accounts.table == NULL or transfers == NULL:
            raise MemoryError
        if not _read_body(&text, &accounts, transfers, &count, &dry_run, expires_at, metadata):
            return None
        return _columns(&accounts, transfers, count, expires_at, metadata, dry_run)
    finally:
        PyMem_Free(accounts.names)
        PyMem_Free(accounts.table)
        PyMem_Free(transfers)


cdef bint _read_body(
    Text* text, _Accounts* accounts, _Transfer* transfers, Py_ssize_t* count, bint* dry_run,
    dict expires_at, dict metadata,
) except -1:
    """Read the whole text; return false if anything in it is unusual."""
    cdef const char* name
    cdef Py_ssize_t size
    cdef int seen = 0
    cdef bint is_good
    if not take(text, c"{"):
        return False
    while True:
        if not read_name(text, &name, &size):
            return False
        if size == 9 and memcmp(name, b"transfers", 9) == 0 and not seen & _TRANSFERS:
            seen |= _TRANSFERS
            is_good = _read_transfers(text, accounts, transfers, count, expires_at, metadata)
        elif size == 7 and memcmp(name, b"dry_run", 7) == 0 and not seen & _DRY_RUN:
            seen |= _DRY_RUN
            is_good = read_boolean(text, dry_run)
        else:
            is_good = False
        if not is_good:
            return False
        if not take(text, c","):
            break
    if not take(text, c"}") or not seen & _TRANSFERS:
        return False
    skip(text)
    return text.at == text.end


cdef bint _read_transfers(
    Text* text, _Accounts* accounts, _Transfer* transfers, Py_ssize_t* count, dict expires_at, dict metadata
) except -1:
    if not take(text, c"["):
        return False
    while True:
        if count[0] == _TRANSFERS_MAX:
            return False
        if not _read_transfer(text, accounts, &transfers[count[0]], count[0], expires_at, metadata):
            return False
        count[0] += 1
        if not take(text, c","):
            return take(text, c"]")


cdef bint _read_transfer(
    Text* text, _Accounts* accounts, _Transfer* transfer, Py_ssize_t index, dict expires_at, dict metadata
) except -1:
    cdef const char* name
    cdef const char* debit = NULL
    cdef const char* credit = NULL
    cdef Py_ssize_t size
    cdef int64_t second = 0
    cdef int seen = 0
    cdef _Part part
    cdef bint flag = False
    cdef bint is_good
    cdef dict kept
    transfer.flags = 0
    if not take(text, c"{"):
        return False
    while True:
        if not read_name(text, &name, &size):
            return False
        part = _part(name, size)
        if part == _UNKNOWN or seen & part:
            return False
        seen |= part
        if part == _DEBIT:
            is_good = _account(text, &debit)
        elif part == _CREDIT:
            is_good = _account(text, &credit)
        elif part == _AMOUNT:
            is_good = read_integer(text, &transfer.amount) and _AMOUNT_MIN <= transfer.amount <= _AMOUNT_MAX
        elif part == _EXPIRES_AT:
            is_good = read_integer(text, &second) and second <= _SECOND_MAX
        elif part == _METADATA:
            kept = {}
            is_good = _read_metadata(text, kept)
            if kept:
                metadata[index] = kept
        else:
            is_good = read_boolean(text, &flag)
            if is_good and flag:
                transfer.flags |= part
        if not is_good:
            return False
        if not take(text, c","):
            break
    if not take(text, c"}") or seen & _REQUIRED != _REQUIRED:
        return False
    if seen & _EXPIRES_AT:
        # Only a hold expires.
        if not transfer.flags & _HOLD:
            return False
        expires_at[index] = second
    return _number(accounts, debit, &transfer.debit) and _number(accounts, credit, &transfer.credit)


cdef inline _Part _part(const char* name, Py_ssize_t size) noexcept nogil:
    if size == 13 and memcmp(name, b"debit_account", 13) == 0:
        return _DEBIT
    if size == 14 and memcmp(name, b"credit_account", 14) == 0:
        return _CREDIT
    if size == 6 and memcmp(name, b"amount", 6) == 0:
        return _AMOUNT
    if size == 4 and memcmp(name, b"hold", 4) == 0:
        return _HOLD
    if size == 6 and memcmp(name, b"linked", 6) == 0:
        return _LINKED
    if size == 10 and memcmp(name, b"expires_at", 10) == 0:
        return _EXPIRES_AT
    if size == 8 and memcmp(name, b"metadata", 8) == 0:
        return _METADATA
    return _UNKNOWN


cdef bint _read_metadata(Text* text, dict kept) except -1:
    """Read an object of texts; empty ones count as keys, but are not kept."""
    cdef const char* start
    cdef Py_ssize_t size
    cdef set seen = set()
    cdef str key, value
    if not take(text, c"{"):
        return False
    if take(text, c"}"):
        return True
    while True:
        if not read_name(text, &start, &size):
            return False
        key = _decoded(start, size, _METADATA_KEY_CHARS_MAX)
        if not key or "[" in key or "]" in key or key in seen:
            return False
        if not read_string(text, &start, &size):
            return False
        value = _decoded(start, size, _METADATA_VALUE_CHARS_MAX)
        if value is None:
            return False
        seen.add(key)
        if value:
            kept[key] = value
        if not take(text, c","):
            break
    return take(text, c"}") and len(seen) <= _METADATA_KEYS_MAX


cdef str _decoded(const char* start, Py_ssize_t size, Py_ssize_t chars_max):
    """Return the text of some bytes, or None if it is too long or not UTF-8."""
    # A character has at most four bytes.
    if size > 4 * chars_max:
        return None
    try:
        text = PyUnicode_DecodeUTF8(start, size, NULL)
    except UnicodeDecodeError:
        return None
    return text if len(text) <= chars_max else None


cdef inline bint _account(Text* text, const char** digits) noexcept nogil:
    """Read a string with the length and the prefix of an account's identifier."""
    cdef const char* start
    cdef Py_ssize_t size
    if not read_string(text, &start, &size):
        return False
    digits[0] = start + _PREFIX_SIZE
    return size == _PREFIX_SIZE + _DIGITS_SIZE and memcmp(start, b"lacc_", _PREFIX_SIZE) == 0


cdef inline bint _number(_Accounts* accounts, const char* digits, uint32_t* number) noexcept nogil:
    """Find or assign the number of an account; return false for malformed digits or too many collisions."""
    cdef uint32_t at = _hash(digits)
    cdef uint32_t found
    for _ in range(_PROBES_MAX):
        at &= accounts.mask
        found = accounts.table[at]
        if found == 0:
            if not _are_digits(digits):
                return False
            number[0] = accounts.count
            accounts.names[accounts.count] = digits
            accounts.count += 1
            accounts.table[at] = accounts.count
            return True
        if memcmp(accounts.names[found - 1], digits, _DIGITS_SIZE) == 0:
            number[0] = found - 1
            return True
        at += 1
    return False


cdef inline uint32_t _hash(const char* digits) noexcept nogil:
    """Return a well mixed hash of the digits."""
    cdef uint64_t words[4]
    cdef uint64_t mixed = 0
    cdef int at
    memcpy(words, digits, _DIGITS_SIZE)
    for at in range(4):
        mixed = (mixed ^ words[at]) * _SPREAD
        # Only the upper half of a product depends on all bits of its factors.
        mixed ^= mixed >> 32
    return <uint32_t>(mixed * _SPREAD >> 32)


cdef bint _are_digits(const char* digits) noexcept nogil:
    cdef int at
    for at in range(_DIGITS_SIZE):
        if not (c"0" <= digits[at] <= c"9" or c"a" <= digits[at] <= c"f"):
            return False
    return True


cdef object _columns(
    _Accounts* accounts, _Transfer* transfers, Py_ssize_t count, dict expires_at, dict metadata, bint dry_run
):
    cdef Py_ssize_t at
    cdef const char* first
    cdef list names = []
    cdef list debits = PyList_New(count)
    cdef list credited = PyList_New(count)
    cdef list amounts = PyList_New(count)
    cdef list flags = PyList_New(count)
    for at in range(accounts.count):
        first = accounts.names[at] - _PREFIX_SIZE
        names.append(PyUnicode_DecodeASCII(first, _PREFIX_SIZE + _DIGITS_SIZE, NULL))
    for at in range(count):
        _put(debits, at, transfers[at].debit)
        _put(credited, at, transfers[at].credit)
        _put(amounts, at, transfers[at].amount)
        _put(flags, at, transfers[at].flags)
    return (names, debits, credited, amounts, flags, expires_at, metadata), dry_run


cdef inline int _put(list column, Py_ssize_t at, object value) except -1:
    Py_INCREF(value)
    PyList_SET_ITEM(column, at, value)
    return 0
