cdef enum:
    NAMES_MAX = 64
    # A power of two, and at least twice the number of names: every search ends at an empty slot.
    SLOTS = 256


cdef class Names:
    cdef list names
    cdef int kinds[NAMES_MAX]
    cdef unsigned char slots[SLOTS]

    cdef int find(self, const unsigned char* text, Py_ssize_t length) noexcept


cdef bytes lower(const unsigned char* text, Py_ssize_t length)
