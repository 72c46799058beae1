cdef enum Refusal:
    # Continues Verdict, with refusals that need a complete head.
    REFUSED_DISAGREEMENT = 32
    REFUSED_HOST_MISSING = 33
    REFUSED_HOST_REPEATED = 34
    REFUSED_HOST_INVALID = 35
    REFUSED_HOST_DIFFERENT = 36
    REFUSED_CODING_UNKNOWN = 37
    REFUSED_CODING_REPEATED = 38
    REFUSED_CODING_VERSION = 39
    REFUSED_CODING_AND_LENGTH = 40
    REFUSED_LENGTH_INVALID = 41
    REFUSED_LENGTH_REPEATED = 42
    REFUSED_FIELD_REPEATED = 43
    REFUSED_UPGRADE = 44
    REFUSED_EXPECTATION = 45
    REFUSED_TARGET_FORM = 46
    REFUSED_TARGET_ESCAPE = 47


cdef str find_method(const unsigned char* data, Py_ssize_t length)
cdef bint is_host(bytes value) noexcept
cdef bint is_hex(unsigned char byte) noexcept
cdef bint is_name(unsigned char byte) noexcept
cdef int split_target(bytes target, bytes host, str method, dict parts) except -1
cdef str decode_path(bytes raw)
