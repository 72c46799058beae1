from fastpay._native.exchange cimport Channel, Exchange
from fastpay._native.poller cimport Stream
from fastpay._native.reading cimport Reading
from fastpay._native.service cimport Service


cdef class Link(Channel):
    cdef Service service
    cdef object transport
    # The transport again, if it is a Stream.
    cdef Stream stream
    cdef Reading reading
    cdef Exchange exchange
    # Counts the bytes of the request, if they are more than the allowance of every connection.
    cdef object holding
    cdef Py_ssize_t lingered
    cdef unsigned char counted
    cdef unsigned char corked
    cdef unsigned char lingering
    cdef unsigned char closing
    cdef unsigned char ended
    cdef unsigned char read_paused
    cdef unsigned char scheduled

    cdef int _put(self, bytes data) except -1
    cdef int _pause_reading(self) except -1
    cdef int _resume_reading(self) except -1
    cdef int _linger(self) except -1
    cdef int _close(self) except -1
    cdef int _flush(self) except -1
    cdef int _detach(self) except -1
    cdef int evict(self) except -1
    cdef int _hold(self) except -1
    cdef bint _holds_much(self) noexcept
    cdef int _schedule(self) except -1
    cdef int _let_go(self, Exchange exchange) except -1
    cdef tuple payers(self)
    cdef int _refuse(self, int reason) except -1
    cdef void _wait(self) noexcept
    cdef void _work(self) noexcept
    cdef bint _has_unread(self) except -1
