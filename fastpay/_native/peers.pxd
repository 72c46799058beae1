from fastpay._native.wheel cimport Node


cdef class Member(Node):
    cdef Peer peer
    # Borrowed pointers to the neighbours in the peer's list of waiting connections.
    cdef void* longer
    cdef void* shorter
    cdef unsigned char is_waiting

    cdef int evict(self) except -1


cdef class Guest(Member):
    cdef readonly object on_expire
    cdef readonly object on_evict

    cdef int expire(self) except -1
    cdef int evict(self) except -1


cdef class Peer:
    cdef readonly str name
    cdef readonly Py_ssize_t connections
    cdef readonly Py_ssize_t handshakes
    cdef readonly bint is_exempt
    # The ends of the list of waiting connections, the longest waiting one first.
    cdef void* first
    cdef void* last
    # Borrowed pointers to the neighbours among the peers with equally many connections.
    cdef void* before
    cdef void* after

    cdef void wait(self, Member member) noexcept
    cdef void work(self, Member member) noexcept


cdef class Peers:
    cdef dict peers
    cdef object is_exempt
    cdef Py_ssize_t connections_max
    # For each number of connections, the first of the peers that have that many.
    cdef void** levels
    cdef Py_ssize_t highest

    cdef Peer find(self, str name, object host)
    cdef int join(self, Member member, Peer peer) except -1
    cdef int leave(self, Member member) except -1
    cdef void _place(self, Peer peer) noexcept
    cdef void _displace(self, Peer peer) noexcept
    cpdef bint make_room(self) except -1
