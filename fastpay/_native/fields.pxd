cdef list STATUS_LINES

cdef Py_ssize_t parse_length(bytes value) except -1
cdef bint is_clean(bytes text) noexcept
cdef bint is_text(str text, const char* ascii, Py_ssize_t length) noexcept
cdef bint is_name(bytes name, const char* lower) noexcept
cdef char* copy(char* out, bytes piece) noexcept
cdef bytes join_answer(
    int status, bytes head, bytes body, str request_id, bytes version, bytes closing, bytes date
)
