cdef class Pseudo:
    cdef bytes method
    cdef bytes scheme
    cdef bytes authority
    cdef bytes path
    cdef Py_ssize_t count
    cdef int fault

    cdef int read(self, list fields) except -1
    cdef int judge(self, Py_ssize_t target_bytes_max) except -1


cdef class Reading:
    cdef readonly int fault
    cdef readonly bint expects_continue
    cdef readonly long long length
    cdef readonly Py_ssize_t head_bytes
    cdef bytes host
    cdef bint has_host
    cdef bint has_length
    cdef set single_seen


cdef class RequestPolicy:
    cdef frozenset single
    cdef Py_ssize_t target_bytes_max
    cdef Py_ssize_t header_bytes_max
    cdef Py_ssize_t header_count_max
    cdef long long body_bytes_max

    cdef Reading build(self, list fields, dict scope)
    cdef int judge_trailers(self, list fields) except -1
    cdef int _read_fields(self, Reading reading, list fields, Pseudo pseudo, dict scope) except -1
    cdef int _judge(self, Reading reading, bytes name, bytes value) except -1
    cdef int _judge_repetition(self, Reading reading, bytes name) except -1
    cdef int _read_length(self, Reading reading, bytes value) except -1
