"""HPACK (RFC 7541) by libnghttp2: field blocks to lists of fields, and back.

Only the `nghttp2_hd_` functions are called. The known holes of libnghttp2 (CVE-2023-44487, CVE-2024-28182,
CVE-2026-27135) are in its session, which is not linked.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc


cdef extern from "nghttp2/nghttp2.h" nogil:
    ctypedef struct nghttp2_nv:
        uint8_t* name
        uint8_t* value
        size_t namelen
        size_t valuelen
        uint8_t flags

    ctypedef struct nghttp2_info:
        int version_num
        const char* version_str

    cdef enum:
        NGHTTP2_ERR_BUFFER_ERROR
        NGHTTP2_ERR_NOMEM
        NGHTTP2_HD_INFLATE_EMIT
        NGHTTP2_HD_INFLATE_FINAL

    nghttp2_info* nghttp2_version(int least_version)

    int nghttp2_hd_deflate_new(nghttp2_hd_deflater** deflater, size_t table_bytes_max)
    void nghttp2_hd_deflate_del(nghttp2_hd_deflater* deflater)
    int nghttp2_hd_deflate_change_table_size(nghttp2_hd_deflater* deflater, size_t size)
    size_t nghttp2_hd_deflate_bound(nghttp2_hd_deflater* deflater, const nghttp2_nv* fields, size_t count)
    ssize_t nghttp2_hd_deflate_hd(
        nghttp2_hd_deflater* deflater, uint8_t* output, size_t size, const nghttp2_nv* fields, size_t count
    )

    int nghttp2_hd_inflate_new(nghttp2_hd_inflater** inflater)
    void nghttp2_hd_inflate_del(nghttp2_hd_inflater* inflater)
    ssize_t nghttp2_hd_inflate_hd2(
        nghttp2_hd_inflater* inflater,
        nghttp2_nv* field,
        int* flags,
        const uint8_t* block,
        size_t size,
        int is_final,
    )
    int nghttp2_hd_inflate_end_headers(nghttp2_hd_inflater* inflater)


cdef enum:
    # RFC 7541 4.1: what an entry of the table costs beside its bytes.
    ENTRY_BYTES = 32
    # So many fields are compressed without an allocation.
    FIELDS_ON_STACK = 32


def linked_version() -> tuple:
    cdef int number = nghttp2_version(0).version_num
    return number >> 16, number >> 8 & 0xFF, number & 0xFF


@cython.final
cdef class Deflater:
    """Compresses the fields of responses."""

    def __cinit__(self, size_t table_bytes_max):
        if nghttp2_hd_deflate_new(&self.state, table_bytes_max):
            raise MemoryError

    def __dealloc__(self):
        if self.state != NULL:
            nghttp2_hd_deflate_del(self.state)

    def deflate(self, list fields not None) -> bytes:
        output = bytearray()
        self.append(output, fields)
        return bytes(output)

    def resize(self, size_t table_bytes) -> None:
        self.set_table_bytes(table_bytes)

    cdef int append(self, bytearray output, list fields) except -1:
        """Append a field block to `output`."""
        cdef nghttp2_nv on_stack[FIELDS_ON_STACK]
        cdef nghttp2_nv* array = on_stack
        cdef Py_ssize_t count = len(fields)
        if count > FIELDS_ON_STACK:
            array = <nghttp2_nv*>malloc(count * sizeof(nghttp2_nv))
            if array == NULL:
                raise MemoryError
        try:
            _point_to(array, fields)
            _deflate(self.state, output, array, count)
        finally:
            if array != on_stack:
                free(array)
        return 0

    cdef int set_table_bytes(self, size_t size) except -1:
        """Apply a peer's SETTINGS_HEADER_TABLE_SIZE; the table never grows beyond its first bound."""
        if nghttp2_hd_deflate_change_table_size(self.state, size):
            raise MemoryError
        return 0


cdef int _point_to(nghttp2_nv* array, list fields) except -1:
    cdef Py_ssize_t index = 0
    cdef bytes name, value
    for name, value in fields:
        array[index].name = <uint8_t*>PyBytes_AS_STRING(name)
        array[index].namelen = PyBytes_GET_SIZE(name)
        array[index].value = <uint8_t*>PyBytes_AS_STRING(value)
        array[index].valuelen = PyBytes_GET_SIZE(value)
        array[index].flags = 0
        index += 1
    return 0


cdef int _deflate(
    nghttp2_hd_deflater* state, bytearray output, const nghttp2_nv* array, Py_ssize_t count
) except -1:
    cdef Py_ssize_t start = PyByteArray_GET_SIZE(output)
    cdef size_t bound = nghttp2_hd_deflate_bound(state, array, count)
    cdef ssize_t size
    PyByteArray_Resize(output, start + bound)
    size = nghttp2_hd_deflate_hd(
        state, <uint8_t*>PyByteArray_AS_STRING(output) + start, bound, array, count
    )
    PyByteArray_Resize(output, start + max(size, 0))
    if size < 0:
        raise MemoryError
    return 0


@cython.final
cdef class Inflater:
    """Decodes field blocks, up to bounds. After a fault no further block can be decoded."""

    def __cinit__(self, size_t bytes_max, Py_ssize_t fields_max):
        self.bytes_max = bytes_max
        self.fields_max = fields_max
        if nghttp2_hd_inflate_new(&self.state):
            raise MemoryError

    def __dealloc__(self):
        if self.state != NULL:
            nghttp2_hd_inflate_del(self.state)

    def inflate(self, bytes block not None) -> tuple:
        cdef list fields = []
        cdef int fault = self.append(
            fields, <const uint8_t*>PyBytes_AS_STRING(block), PyBytes_GET_SIZE(block)
        )
        return fields, fault

    cdef int append(self, list fields, const uint8_t* block, size_t size) except -1:
        """Append the fields of a complete block to `fields`; return 0 or a BlockFault."""
        cdef nghttp2_nv field
        cdef int flags = 0
        cdef ssize_t used
        cdef size_t inflated = 0
        while True:
            flags = 0
            used = nghttp2_hd_inflate_hd2(self.state, &field, &flags, block, size, 1)
            if used < 0:
                if used == NGHTTP2_ERR_NOMEM:
                    raise MemoryError
                # A string of more than 64 kB.
                return BLOCK_TOO_LARGE if used == NGHTTP2_ERR_BUFFER_ERROR else BLOCK_BROKEN
            block += used
            size -= used
            if flags & NGHTTP2_HD_INFLATE_EMIT:
                inflated += field.namelen + field.valuelen + ENTRY_BYTES
                if inflated > self.bytes_max:
                    return BLOCK_TOO_LARGE
                fields.append((
                    PyBytes_FromStringAndSize(<char*>field.name, field.namelen),
                    PyBytes_FromStringAndSize(<char*>field.value, field.valuelen),
                ))
            if flags & NGHTTP2_HD_INFLATE_FINAL:
                nghttp2_hd_inflate_end_headers(self.state)
                return BLOCK_TOO_LARGE if len(fields) > self.fields_max else 0
