cdef class Ready:
    cdef object value


# A result that is already known, returned where an awaitable is expected.
cdef Ready DONE


cdef class Later:
    pass


# Returned by code that has taken an exchange over and will end it; it is never awaited.
cdef Later LATER
