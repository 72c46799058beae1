from fastpay._native.exchange cimport Exchange
from fastpay._native.link cimport Link


cdef class Connection(Link):
    cdef Exchange exchange
    cdef object client_host
    cdef int client_port
    cdef int requests
    cdef bint busy
    cdef bint write_paused
    cdef bint timed
    cdef bint scheduled

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
    cdef int _refuse(self, int reason) except -1
