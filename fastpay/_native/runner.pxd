cdef class Job:
    cdef int ended(self, object error) except -1


cdef class Carrier:
    cdef Runner runner
    cdef Job job
    cdef object coroutine
    cdef object yielded
    cdef object parking
    cdef object context
    cdef object clean
    cdef readonly object task
    cdef bint waits
    # Whether the future that the coroutine awaits is one that a Task has to wait for.
    cdef bint blocks
    cdef bint retired
    cdef bint dead
    cdef bint touched

    cdef object _resume(self, object value, object error)
    cdef int _finish(self, object error) except -1
    cdef int _wake(self) except -1
    cdef bint _is_untouched(self, Py_ssize_t references)


cdef class Runner:
    cdef readonly object loop
    cdef object base
    cdef Carrier spare
    cdef set carriers

    cdef int start(self, Job job, object coroutine) except -1
