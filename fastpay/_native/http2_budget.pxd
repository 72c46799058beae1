from fastpay._native.frame_counter cimport FrameCounter


cdef struct Bucket:
    # Tokens that are added with time and with work, up to a burst; and when they were last added.
    double tokens
    double filled
    Py_ssize_t burst
    Py_ssize_t per_second


cdef class Budget:
    cdef FrameCounter incoming
    cdef Bucket control
    cdef Bucket resets

    cpdef Py_ssize_t take_in(self, bytes data, double now) except -2
    cpdef int begin_anew(self, double now) except -1
    cpdef bint take_windows(self, Py_ssize_t count, double now) except -1
    cpdef bint pay(self, Py_ssize_t provoked, Py_ssize_t dropped, double now) except -1
    cpdef int earn_request(self) except -1
    cpdef int earn_data(self) except -1
