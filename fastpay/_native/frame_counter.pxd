cdef class FrameCounter:
    cdef readonly Py_ssize_t control
    cdef readonly Py_ssize_t resets
    cdef Py_ssize_t skip
    cdef Py_ssize_t continuations
    # The received part of a frame header, with the padding length that follows it in a padded frame.
    cdef unsigned char header[10]
    cdef Py_ssize_t header_bytes

    cdef Py_ssize_t take(self, bytes data, double control_max, double resets_max) except -2
    cdef Py_ssize_t frame_bytes(self) noexcept
    cdef bint has_padding_length(self) noexcept
    cdef bint is_too_much(self) noexcept
