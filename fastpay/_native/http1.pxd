from fastpay._native.link cimport Link


cdef class Connection(Link):
    cdef int requests
    cdef unsigned char busy
    cdef unsigned char write_paused
    cdef unsigned char timed

    cdef int _receive(self, bytes data) except -1
    cdef int _process(self) except -1
    cdef bint _step(self) except -1
    cdef bint _read_head(self) except -1
    cdef bint _read_body(self) except -1
    cdef bint _is_preface(self) except -1
    cdef int _switch(self, bytes data) except -1
    cdef int _accept(self) except -1
    cdef int _run(self) except -1
    cdef int _settle(self) except -1
