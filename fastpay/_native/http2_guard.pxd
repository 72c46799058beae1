from fastpay._native.http2_exchange cimport Http2Exchange
from fastpay._native.http2_request cimport RequestPolicy
from fastpay._native.http2_sending cimport ServedStreams


cdef class Guard(ServedStreams):
    cdef RequestPolicy policy
    # No new request is accepted.
    cdef bint terminated
    cdef long long last_stream
    # Streams whose handlers start at the end of the packet.
    cdef list ready
    # What the connection's window is owed.
    cdef Py_ssize_t credit
    # The time by which a field block that has begun must be complete; 0 outside of one.
    cdef double block_due
    cdef double head_seconds
    cdef double write_seconds
    cdef Py_ssize_t body_bytes_max

    cdef object take_in(self, bytes data)
    cdef Py_ssize_t read_on(self, bytes data) except -1
    cdef int give_up_incomplete(self) except -1
    cdef int lose(self) except -1
    cdef bint check_deadlines(self) except -1
    cdef bint has_work(self) except -1
    cdef int _conclude(self, Http2Exchange exchange, object error) except -1
    cdef int _dispatch(self, tuple event) except -1
    cdef int _begin_request(self, object number, list fields, bint ends) except -1
    cdef int _take_data(self, object number, bytes content, Py_ssize_t size, bint ends) except -1
    cdef int _take_trailers(self, object number, list fields, bint ends) except -1
    cdef int _end_request(self, object number) except -1
    cdef int _schedule(self, Http2Exchange exchange) except -1
    cdef int _run(self, Http2Exchange exchange) except -1
