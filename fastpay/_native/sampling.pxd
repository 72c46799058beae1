cdef class Sampler:
    cdef unsigned long long below
    cdef unsigned long long state
    cdef bint follows_callers
    cdef int per_second_max
    cdef int left
    cdef long long second
    cdef readonly long long refused

    cdef bint draw(self, bytes parent, long long now_ns) noexcept


cdef int flag_of(bytes parent) noexcept
