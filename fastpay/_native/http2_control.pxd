from libc.stdint cimport uint8_t, uint32_t

from fastpay._native.http2_streams cimport StreamRecord, StreamTable


cdef enum ErrorCode:
    # RFC 9113 7.
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


cdef inline uint32_t read_number(const uint8_t* data) noexcept:
    return <uint32_t>data[0] << 24 | <uint32_t>data[1] << 16 | <uint32_t>data[2] << 8 | data[3]


cdef class ControlFrames(StreamTable):
    cdef list events
    # The code of the error that ends the connection, or -1.
    cdef long long fault
    # The window that a new stream has for responses.
    cdef long long initial_window

    # Each sets `fault` if the frame ends the connection.
    cdef int take_settings(self, int flags, const uint8_t* body, Py_ssize_t size) except -1
    cdef int check_settings(self, dict changes) except -1
    cdef int apply_settings(self, dict changes) except -1
    cdef int take_window(self, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1
    cdef int open_window(self, uint32_t number, long long increment) except -1
    cdef int take_reset(self, uint32_t number) except -1
    cdef int end_receiving(self, StreamRecord stream, uint32_t number) except -1
    cdef int fail(self, uint32_t number, int code) except -1
    cdef int tell_reset(self, uint32_t number, int code) except -1
