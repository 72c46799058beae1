cdef class Ready:
    cdef object value


# What has happened already, to be given back where something awaitable is expected.
cdef Ready DONE


cdef class Later:
    pass


# What is given back by whoever has taken an exchange over and will end it: nobody awaits it.
cdef Later LATER
