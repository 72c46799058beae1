cdef class Headers:
    cdef list pairs
    cdef readonly bint is_special
    # Whether the Idempotency-Key was found to be a plain key.
    cdef bint is_key_plain

    cdef bint is_repeated(self) except -1
    cdef bytes find(self, str name)
    cdef tuple _find_pair(self, str name)
    cdef bytes _find_latin(self, str name)

cdef bint is_plain(str header) except -1
