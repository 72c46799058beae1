from fastpay._native.exchange cimport Answerable
from fastpay._native.runner cimport Runner


cdef class Http2Exchange(Answerable):
    # Set for a complete request without a body, before the application gets it.
    cdef public bint is_plain
    cdef Runner runner
