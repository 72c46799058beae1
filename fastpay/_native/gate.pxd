cdef enum Verdict:
    MORE = 0
    DONE = 1
    REFUSED_SYNTAX = 2
    REFUSED_EMPTY_LINE = 3
    REFUSED_LINE_END = 4
    REFUSED_TARGET_CHARACTER = 5
    REFUSED_TARGET_LENGTH = 6
    REFUSED_VERSION = 7
    REFUSED_METHOD = 8
    REFUSED_HEADER_NAME = 9
    REFUSED_HEADER_UNDERSCORE = 10
    REFUSED_HEADER_VALUE = 11
    REFUSED_HEADER_FOLD = 12
    REFUSED_HEADER_COUNT = 13
    REFUSED_HEADER_BYTES = 14
    REFUSED_CHUNK_SIZE = 15
    REFUSED_CHUNK_EXTENSION = 16
    REFUSED_CHUNK_END = 17
    REFUSED_BODY_LENGTH = 18


cdef struct HeadGate:
    # `position` bytes of the head are judged. The other offsets count from the start of the head.
    Py_ssize_t position
    Py_ssize_t target_start
    Py_ssize_t target_end
    Py_ssize_t headers_start
    int state
    int header_count
    int method_length
    bint is_version_1_0


cdef struct ChunkGate:
    # The body bytes announced so far, and the rest of the current chunk.
    Py_ssize_t announced
    Py_ssize_t remaining
    Py_ssize_t trailer_bytes
    int state
    int digits
    int trailer_count


cdef struct Bounds:
    Py_ssize_t target_bytes
    Py_ssize_t header_bytes
    Py_ssize_t body_bytes
    int header_count


cdef void begin_head(HeadGate* gate) noexcept nogil
cdef Verdict judge_head(
    HeadGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds
) noexcept nogil
cdef void begin_chunks(ChunkGate* gate) noexcept nogil
cdef Verdict judge_chunks(
    ChunkGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds, Py_ssize_t* used
) noexcept nogil
