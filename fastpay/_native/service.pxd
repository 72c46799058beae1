from fastpay._native.gate cimport Bounds
from fastpay._native.histograms cimport Histograms
from fastpay._native.names cimport Names
from fastpay._native.peers cimport Peers
from fastpay._native.reading cimport Reading
from fastpay._native.runner cimport Runner
from fastpay._native.wheel cimport Wheel


cdef class Service:
    cdef readonly object app
    cdef readonly object loop
    cdef readonly Wheel wheel
    cdef readonly Runner runner
    cdef readonly Peers peers
    # None: bytes are not counted.
    cdef readonly object bytes_budget
    cdef readonly object group_of
    cdef readonly dict template
    cdef public dict state
    cdef public object forwarded
    cdef public bint draining
    # Another process takes the new connections: each response ends its connection.
    cdef public bint retiring
    cdef readonly Py_ssize_t connection_count
    cdef readonly Py_ssize_t request_count
    # The durations of requests, a series for each route, protocol and class of status. None: not counted.
    cdef public Histograms request_times
    cdef readonly bytes date_value
    cdef readonly set http2_connections
    cdef bytes date
    cdef object date_second
    cdef object clock
    cdef object on_empty
    cdef object refuse
    cdef object switch_to_http2
    cdef Names names
    cdef Reading pool
    cdef int pooled
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
    cdef long long handshake_ticks
    cdef long long shutdown_ticks

    cdef Reading lend(self)
    cdef int take_back(self, Reading reading) except -1
    cdef void time_request(self, Py_ssize_t route, dict scope, bint is_http2, int status, long long begun_ns)
    cdef int build_scope(self, Reading reading, object client, dict scope) except -1
