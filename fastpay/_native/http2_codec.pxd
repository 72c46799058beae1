from libc.stdint cimport uint8_t, uint32_t

from fastpay._native.hpack cimport Inflater
from fastpay._native.http2_control cimport ControlFrames
from fastpay._native.http2_streams cimport StreamRecord


cdef class Http2Codec(ControlFrames):
    cdef readonly bint in_block
    cdef Inflater inflater
    cdef bytes settings
    # How much of the preface has come; the bytes of an incomplete frame; how much of a skipped frame is left.
    cdef Py_ssize_t preface_bytes
    cdef bytes rest
    cdef Py_ssize_t skip
    # A field block whose end has not come.
    cdef bytes block
    cdef Py_ssize_t block_bytes_max
    cdef uint32_t block_stream
    cdef int block_flags
    cdef long long block_parent
    cdef Py_ssize_t streams_max
    cdef Py_ssize_t frame_bytes_max
    # Whether a request has come; whether content came before one.
    cdef bint has_begun
    cdef bint is_dead

    # Each sets `fault` if the frame ends the connection.
    cdef Py_ssize_t walk(self, const uint8_t* data, Py_ssize_t size) except -1
    cdef int check_head(self, int kind, uint32_t number, Py_ssize_t size) noexcept
    cdef int take_frame(
        self, int kind, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size
    ) except -1
    cdef int take_data(self, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1
    cdef int take_content(
        self,
        StreamRecord stream,
        uint32_t number,
        bint ends,
        const uint8_t* content,
        Py_ssize_t size,
        Py_ssize_t frame_bytes,
    ) except -1
    cdef int take_headers(self, int flags, uint32_t number, const uint8_t* body, Py_ssize_t size) except -1
    cdef int extend_block(self, int flags, const uint8_t* body, Py_ssize_t size) except -1
    cdef int take_block(
        self, int flags, uint32_t number, long long parent, const uint8_t* block, Py_ssize_t size
    ) except -1
    cdef StreamRecord find_or_open(self, uint32_t number)
    cdef int take_fields(self, StreamRecord stream, uint32_t number, list fields, bint ends) except -1
