from libc.stdint cimport uint8_t


cdef extern from "nghttp2/nghttp2.h" nogil:
    ctypedef struct nghttp2_hd_deflater:
        pass

    ctypedef struct nghttp2_hd_inflater:
        pass


cdef enum BlockFault:
    # A field block that cannot be decoded, and one with more fields or bytes than allowed.
    BLOCK_BROKEN = 1
    BLOCK_TOO_LARGE = 2


cdef class Deflater:
    cdef nghttp2_hd_deflater* state

    cdef int append(self, bytearray output, list fields) except -1
    cdef int set_table_bytes(self, size_t size) except -1


cdef class Inflater:
    cdef nghttp2_hd_inflater* state
    cdef size_t bytes_max
    cdef Py_ssize_t fields_max

    cdef int append(self, list fields, const uint8_t* block, size_t size) except -1
