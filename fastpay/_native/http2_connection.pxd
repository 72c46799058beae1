from fastpay._native.http2_budget cimport Budget
from fastpay._native.http2_guard cimport Guard
from fastpay._native.http2_sending cimport Http2Owner
from fastpay._native.service cimport Service


cdef class Http2Connection(Http2Owner):
    cdef Service service
    cdef object settings
    cdef readonly object transport
    cdef readonly Guard guard
    cdef Budget budget
    # For the guard, which is made with the transport.
    cdef object policy
    cdef object codec
    cdef object refuse
    cdef object lingering
    # Since when no request is open; since when the client does not read. 0 for neither.
    cdef double idle_since
    cdef double paused_since
    # The reason why the connection ends once everything is answered, and the latest time for it.
    cdef object ending
    cdef double ending_due
    cdef Py_ssize_t read_on_left
    cdef bint entered
    cdef bint closing
    cdef bint dismissed
    cdef bint goodbye_sent
    cdef bint input_ended
    cdef bint busy
    cdef bint flush_scheduled

    cdef double now(self) except -1
    cdef int _read_on(self, bytes data) except -1
    cdef int _leave(self) except -1
    cdef int _send_away(self, object code) except -1
    cdef int _end(self, object code) except -1
    cdef int _dismiss(self) except -1
    cdef int _say_goodbye(self, object code) except -1
    cdef int _write_goodbye(self, object code) except -1
    cdef int _linger(self) except -1
    cdef int _watch(self) except -1
