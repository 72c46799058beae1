from libc.stdint cimport uint32_t

from fastpay._native.hpack cimport Deflater


cdef enum FrameType:
    # RFC 9113 6.
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


cdef enum FrameFlag:
    FLAG_ENDS = 0x1
    FLAG_ACK = 0x1
    FLAG_BLOCK_ENDS = 0x4
    FLAG_PADDED = 0x8
    FLAG_PRIORITY = 0x20


cdef enum:
    HEAD_BYTES = 9
    WINDOW_MAX = 0x7FFFFFFF
    WINDOW_BYTES = 65_535


cdef enum StreamState:
    # Its first field block has come and is not taken yet.
    IDLE
    OPEN
    # The client, or the server, has sent END_STREAM.
    HALF_CLOSED_REMOTE
    HALF_CLOSED_LOCAL
    CLOSED


cdef enum ClosedBy:
    # An error; or a later stream was opened first.
    NOTHING
    END_STREAM
    OUR_RESET
    THEIR_RESET


cdef class StreamRecord:
    cdef StreamState state
    cdef ClosedBy closed_by
    cdef long long send_window
    cdef long long receive_window
    cdef bint head_sent
    cdef bint trailers_received


cdef class StreamTable:
    cdef readonly Py_ssize_t max_outbound_frame_size
    cdef Py_ssize_t provoked
    cdef Py_ssize_t dropped
    cdef Deflater deflater
    cdef bytearray output
    cdef dict streams
    cdef Py_ssize_t open_count
    cdef list just_closed
    # How streams ended that are no longer in `streams`: the last `remembered_max` of them.
    cdef dict closed
    cdef object closed_order
    cdef Py_ssize_t remembered_max
    cdef uint32_t highest_stream
    cdef long long send_window
    cdef long long receive_window

    cdef StreamRecord need(self, uint32_t number)
    cdef ClosedBy how_closed(self, uint32_t number) except *
    cdef int close(self, StreamRecord stream, uint32_t number, ClosedBy how) except -1
    cdef int remember(self, uint32_t number, ClosedBy how) except -1
    cdef int forget_closed(self) except -1
    cdef bint is_idle(self, uint32_t number) noexcept
    cdef int end_sending(self, StreamRecord stream, uint32_t number) except -1
    cdef char* put(self, Py_ssize_t size, int kind, int flags, uint32_t number) except NULL
    cdef int put_number(self, int kind, uint32_t number, uint32_t value) except -1
    cdef int put_reset(self, uint32_t number, uint32_t code) except -1
