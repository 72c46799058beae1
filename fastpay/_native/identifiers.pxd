# The identifiers of one command, for other compiled modules.

from libc.stdint cimport uint64_t


cdef class IdentifierSequence:
    cdef uint64_t _head
    cdef uint64_t _tail
    # The 32 digits of the last identifier.
    cdef char[32] _digits

    cdef str make(self, str prefix)
