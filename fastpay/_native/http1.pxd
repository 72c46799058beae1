from fastpay._native.exchange cimport Channel, Exchange
from fastpay._native.gate cimport Bounds
from fastpay._native.reading cimport Reading
from fastpay._native.runner cimport Runner
from fastpay._native.wheel cimport Wheel


cdef class Service:
    cdef readonly object app
    cdef readonly object loop
    cdef readonly Wheel wheel
    cdef readonly Runner runner
    cdef readonly dict template
    cdef public dict state
    cdef public object forwarded
    cdef public bint draining
    cdef readonly Py_ssize_t connection_count
    cdef readonly Py_ssize_t request_count
    cdef bytes date
    cdef object date_second
    cdef object clock
    cdef object refuse
    cdef object switch_to_http2
    cdef dict names
    cdef list pool
    cdef Bounds bounds
    cdef bint is_tls
    cdef Py_ssize_t connections_max
    cdef Py_ssize_t ahead_bytes_max
    cdef Py_ssize_t linger_bytes_max
    cdef int connection_requests_max
    cdef long long head_ticks
    cdef long long body_ticks
    cdef long long idle_ticks
    cdef long long write_ticks
    cdef long long linger_ticks

    cdef Reading lend(self)
    cdef int take_back(self, Reading reading) except -1


cdef class Connection(Channel):
    cdef Service service
    cdef object transport
    cdef Reading reading
    cdef Exchange exchange
    cdef object client
    cdef int requests
    cdef int lingered
    cdef bint counted
    cdef bint busy
    cdef bint corked
    cdef bint lingering
    cdef bint closing
    cdef bint ended
    cdef bint write_paused
    cdef bint read_paused
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
    cdef dict _build_scope(self, Reading reading)
    cdef int _settle(self) except -1
    cdef int _pause_reading(self) except -1
    cdef int _resume_reading(self) except -1
    cdef int _refuse(self, int reason) except -1
    cdef int _linger(self) except -1
    cdef int _close(self) except -1
    cdef int _flush(self) except -1
