"""Counts the frames of an HTTP/2 client by their headers, before a codec spends time on them."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from fastpay import limits

cdef enum:
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    CONTINUATION = 9
    END_STREAM = 0x1
    PADDED = 0x8

    HEADER_BYTES = 9
    PREFACE_BYTES = 24

cdef Py_ssize_t SMALL_FRAME_BYTES = limits.http2_small_frame_bytes
cdef Py_ssize_t CONTINUATIONS_MAX = limits.http2_continuations_max


@cython.final
cdef class FrameCounter:
    """Finds frame headers in a byte stream that arrives in pieces of any size."""

    def __cinit__(self):
        self.skip = PREFACE_BYTES

    def count(self, bytes data not None, *, double control_max, double resets_max):
        return self.take(data, control_max, resets_max)

    cdef Py_ssize_t take(self, bytes data, double control_max, double resets_max) except -2:
        cdef const char* bytes_in = PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data), offset = 0, skipped, start, taken
        self.control = self.resets = 0
        while True:
            skipped = min(self.skip, length - offset)
            offset += skipped
            self.skip -= skipped
            start = offset - self.header_bytes
            taken = min(HEADER_BYTES + 1 - self.header_bytes, length - offset)
            memcpy(&self.header[self.header_bytes], bytes_in + offset, taken)
            self.header_bytes += taken
            if self.header_bytes < HEADER_BYTES or (
                self.header_bytes == HEADER_BYTES and self.has_padding_length()
            ):
                return -1
            self.header_bytes = 0
            offset = start + HEADER_BYTES
            self.skip = self.frame_bytes()
            if self.is_too_much() or self.control > control_max or self.resets > resets_max:
                return max(start, 0)

    cdef Py_ssize_t frame_bytes(self) noexcept:
        return <Py_ssize_t>self.header[0] << 16 | <Py_ssize_t>self.header[1] << 8 | self.header[2]

    cdef bint has_padding_length(self) noexcept:
        return self.header[3] == DATA and self.header[4] & PADDED and self.frame_bytes() > 0

    cdef bint is_too_much(self) noexcept:
        cdef int kind = self.header[3]
        cdef Py_ssize_t content = self.frame_bytes()
        if kind == DATA:
            if self.has_padding_length():
                # Padding is not payload, although the frame's length includes it.
                content -= 1 + self.header[HEADER_BYTES]
            if not self.header[4] & END_STREAM and content < SMALL_FRAME_BYTES:
                self.control += 1
        elif kind == HEADERS:
            self.continuations = 0
        else:
            self.control += 1
            if kind == RST_STREAM:
                self.resets += 1
            elif kind == CONTINUATION:
                self.continuations += 1
        return self.continuations > CONTINUATIONS_MAX
