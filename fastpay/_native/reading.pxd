from fastpay._native.gate cimport Bounds, ChunkGate, HeadGate, Verdict
from fastpay._native.names cimport Names

cdef enum:
    PREFACE_BYTES = 24


cdef class Reading:
    cdef HeadGate gate
    cdef ChunkGate chunks
    cdef object parser
    cdef object feed
    cdef Names names
    # The next one in the pool.
    cdef Reading next
    # Received and unread bytes; bytes, or a bytearray once they came in pieces.
    cdef object buffer
    cdef Py_ssize_t size
    cdef Py_ssize_t offset
    cdef list output
    # The contents of the head. `length` is the rest of a body with a length.
    cdef readonly str method
    cdef readonly bytes target
    cdef readonly list headers
    cdef bytes host
    cdef object body
    cdef Py_ssize_t length
    cdef Py_ssize_t head_bytes
    cdef unsigned int fields
    cdef bint has_host
    cdef bint has_length
    cdef bint is_chunked
    cdef bint is_version_1_0
    cdef bint wants_close
    cdef bint wants_keep_alive
    cdef bint expects_continue
    cdef bint head_complete
    cdef bint message_complete
    cdef bint discards

    cdef int add(self, bytes data) except -1
    cdef Py_ssize_t unread(self) noexcept
    cdef const unsigned char* start(self) except NULL
    cdef bytes rest(self)
    cdef bint may_be_preface(self) except -1
    cdef int skip(self, Py_ssize_t count) except -1
    cdef int renew(self) except -1
    cdef bint is_last(self) noexcept
    cdef int judge(self, const Bounds* bounds) except -1
    cdef int read_head(self, const Bounds* bounds) except -1
    cdef int read_body(self, const Bounds* bounds) except -1
    cdef int _pass_on(self, const unsigned char* data, Py_ssize_t length) except -1
    cdef int _take_fields(self, const unsigned char* at) except -1
    cdef int _judge_meaning(self, const Bounds* bounds) except -1
    cdef int _note(self, int kind, bytes value) except -1
    cdef int _note_coding(self, bytes value) except -1
    cdef int _note_connection(self, bytes value) except -1
    cdef int _note_length(self, bytes value) except -1
