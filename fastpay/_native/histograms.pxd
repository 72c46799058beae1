cdef class Histograms:
    cdef readonly tuple bounds
    cdef readonly Py_ssize_t series
    cdef Py_ssize_t bound_count
    cdef Py_ssize_t width
    cdef long long* limits
    cdef long long* cells

    cdef void add(self, Py_ssize_t series, long long value) noexcept


cdef long long monotonic() noexcept
