cdef bint may_hold_number(str text) except -1
