cdef class Fields:
    cdef bytes authorization
    cdef bytes if_none_match
    cdef bytes version
    cdef bytes accepted
    cdef bytes traceparent
    cdef bytes tracestate

cdef bint read(Fields fields, list headers, bint is_tracing) except -1
cdef bint is_plain_version(bytes value) noexcept
