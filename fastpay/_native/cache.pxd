cdef class CachedResponse:
    cdef readonly str path
    cdef readonly bytes head
    cdef readonly bytes short_head
    cdef readonly bytes body
    cdef readonly bytes etag
    # Other forms of the answer, by the name of their coding.
    cdef readonly dict encoded
    cdef readonly bint is_encodable
    # The number of the route for the metrics; 0 until the shortcut has looked for it.
    cdef public Py_ssize_t route


cdef class Entry:
    cdef readonly object scope
    cdef readonly str identifier
    # From 1; 0 says that there is no such object.
    cdef readonly long long version
    # Not shown from then on, whatever the partition's own limit is.
    cdef readonly long long until_ns
    cdef readonly object value
    cdef readonly CachedResponse response
    cdef readonly Py_ssize_t weight
    cdef unsigned char uses
    cdef bint is_main


cdef class Partition:
    cdef readonly object scope
    cdef readonly dict entries
    # Nothing in the partition is shown from then on.
    cdef public long long valid_until_ns
    # Whether anything was shown since this was last set to False.
    cdef public bint was_used


cdef class Cache:
    cdef readonly Py_ssize_t bytes_max
    cdef readonly Py_ssize_t bytes_held
    cdef readonly long long hits
    cdef readonly long long negative_hits
    cdef readonly long long evictions
    cdef dict partitions
    cdef object small
    cdef object main
    cdef Py_ssize_t small_bytes
    cdef object ghosts
    cdef set ghost_hashes

    cdef Entry look(self, Partition partition, str identifier, long long now_ns)
    cdef void use(self, Partition partition, Entry entry) noexcept
    cdef Entry _add(
        self,
        Partition partition,
        str identifier,
        long long version,
        object value,
        Py_ssize_t total,
        long long until_ns,
    )
    cdef int _weigh(self, Entry entry, Py_ssize_t weight) except -1
    cdef int _evict(self) except -1
    cdef int _evict_small(self) except -1
    cdef int _evict_main(self) except -1
    cdef int _forget(self, Entry entry) except -1
    cdef bint _is_held(self, Entry entry) except -1
