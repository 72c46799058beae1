"""The known header names: found without creating an object, and shared by all requests."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memset


@cython.final
cdef class Names:
    """A case-insensitive table from names to kinds; small, with linear probing."""

    def __init__(self, kinds):
        """`kinds` maps lower-case names of letters, digits and hyphens to numbers."""
        cdef unsigned int slot
        cdef bytes name
        if len(kinds) > NAMES_MAX:
            raise ValueError(f"{len(kinds)} header names; room is for {NAMES_MAX}")
        memset(self.slots, 0, sizeof(self.slots))
        self.names = list(kinds)
        for index, (name, kind) in enumerate(kinds.items()):
            self.kinds[index] = kind
            slot = _slot(<const unsigned char*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            while self.slots[slot]:
                slot = (slot + 1) % SLOTS
            self.slots[slot] = <unsigned char>(index + 1)

    def look_up(self, bytes name):
        """Return (lower-case name, kind), with kind 0 for an unknown name; for tests."""
        cdef const unsigned char* text = <const unsigned char*>PyBytes_AS_STRING(name)
        cdef int index = self.find(text, PyBytes_GET_SIZE(name))
        if index < 0:
            return lower(text, PyBytes_GET_SIZE(name)), 0
        return self.names[index], self.kinds[index]

    cdef int find(self, const unsigned char* text, Py_ssize_t length) noexcept:
        # The index of a name, or -1. `text` must be token bytes (RFC 9110 5.6.2), which the gate ensures.
        cdef unsigned int slot
        cdef int index
        cdef bytes name
        if length == 0:
            return -1
        slot = _slot(text, length)
        while self.slots[slot]:
            index = self.slots[slot] - 1
            name = <bytes>self.names[index]
            if PyBytes_GET_SIZE(name) == length and _is_same(text, name, length):
                return index
            slot = (slot + 1) % SLOTS
        return -1


cdef bytes lower(const unsigned char* text, Py_ssize_t length):
    """Return a new lower-case bytes object."""
    cdef bytes made = PyBytes_FromStringAndSize(NULL, length)
    cdef unsigned char* out = <unsigned char*>PyBytes_AS_STRING(made)
    cdef Py_ssize_t index
    for index in range(length):
        out[index] = text[index] + 32 if c"A" <= text[index] <= c"Z" else text[index]
    return made


cdef unsigned int _slot(const unsigned char* text, Py_ssize_t length) noexcept:
    # Three letters and the length distinguish the usual names.
    cdef unsigned int mixed = <unsigned int>length * 7 + (text[0] | 32) * 31
    return (mixed + (text[length >> 1] | 32) * 13 + (text[length - 1] | 32) * 3) % SLOTS


cdef bint _is_same(const unsigned char* text, bytes name, Py_ssize_t length) noexcept:
    cdef const unsigned char* known = <const unsigned char*>PyBytes_AS_STRING(name)
    cdef Py_ssize_t index
    for index in range(length):
        # Among token bytes only letters differ from their lower case in this bit alone, except "^" and "~".
        if text[index] != known[index] and (text[index] | 32 != known[index] or text[index] == c"^"):
            return False
    return True
