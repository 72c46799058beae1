cdef class Node:
    # Borrowed pointers to the neighbours in a bucket; NULL outside of a wheel.
    cdef void* after
    cdef void* before
    # The tick that should expire this node (0: none), and the tick at which its bucket is visited.
    cdef long long due
    cdef long long seen

    cdef int expire(self) except -1


cdef class Callback(Node):
    cdef readonly object function


cdef class Wheel:
    cdef readonly long long now
    cdef readonly Py_ssize_t count
    cdef readonly double tick_seconds
    cdef list heads
    cdef object loop
    cdef object handle
    cdef object each_tick
    cdef double origin

    cdef int add(self, Node node) except -1
    cdef int arm(self, Node node, long long ticks) except -1
    cdef void disarm(self, Node node) noexcept
    cdef void drop(self, Node node) noexcept
    cdef int _link(self, Node node, long long tick) except -1
    cdef void _unlink(self, Node node) noexcept
    cdef int _empty(self, Node head) except -1
