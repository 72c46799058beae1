"""What an HTTP/2 client may spend on frames that ask for nothing.

Every defence against floods is one question: has this connection done enough useful work to pay for its
PINGs, SETTINGS, resets and tiny frames? Frames are counted by their headers, before the codec spends time
on them.
"""

cimport cython

from fastpay._native.frame_counter cimport FrameCounter

from fastpay import limits

cdef Py_ssize_t CONTROL_BURST = limits.http2_control_burst
cdef Py_ssize_t CONTROL_PER_SECOND = limits.http2_control_per_second
cdef Py_ssize_t RESET_BURST = limits.http2_reset_burst
cdef Py_ssize_t RESET_PER_SECOND = limits.http2_reset_per_second


cdef void _fill(Bucket* bucket, Py_ssize_t burst, Py_ssize_t per_second, double now) noexcept:
    bucket.burst = burst
    bucket.per_second = per_second
    bucket.tokens = burst
    bucket.filled = now


cdef double _refill(Bucket* bucket, double now) noexcept:
    """Add the tokens of the elapsed time, and return how many there are."""
    bucket.tokens = min(<double>bucket.burst, bucket.tokens + (now - bucket.filled) * bucket.per_second)
    bucket.filled = now
    return bucket.tokens


cdef bint _spend(Bucket* bucket, Py_ssize_t count, double now) noexcept:
    """Take tokens; return False if there are not enough."""
    _refill(bucket, now)
    bucket.tokens -= count
    return bucket.tokens >= 0


cdef void _earn(Bucket* bucket, Py_ssize_t count) noexcept:
    """Add tokens for useful work."""
    bucket.tokens = min(<double>bucket.burst, bucket.tokens + count)


@cython.final
cdef class Budget:
    """The budget of one connection."""

    def __cinit__(self, double now):
        self.incoming = FrameCounter()
        _fill(&self.control, CONTROL_BURST, CONTROL_PER_SECOND, now)
        _fill(&self.resets, RESET_BURST, RESET_PER_SECOND, now)

    cpdef Py_ssize_t take_in(self, bytes data, double now) except -2:
        cdef FrameCounter frames = self.incoming
        cdef Py_ssize_t paid = frames.take(data, _refill(&self.control, now), _refill(&self.resets, now))
        if frames.control:
            _spend(&self.control, frames.control, now)
        if frames.resets:
            _spend(&self.resets, frames.resets, now)
        return paid

    cpdef int begin_anew(self, double now) except -1:
        _fill(&self.control, CONTROL_BURST, CONTROL_PER_SECOND, now)
        return 0

    cpdef bint take_windows(self, Py_ssize_t count, double now) except -1:
        return _spend(&self.control, count, now)

    cpdef bint pay(self, Py_ssize_t provoked, Py_ssize_t dropped, double now) except -1:
        return (not provoked or _spend(&self.resets, provoked, now)) and (
            not dropped or _spend(&self.control, dropped, now)
        )

    cpdef int earn_request(self) except -1:
        _earn(&self.control, 4)
        _earn(&self.resets, 1)
        return 0

    cpdef int earn_data(self) except -1:
        _earn(&self.control, 2)
        return 0
