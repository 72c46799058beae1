"""Objects returned instead of a coroutine: a known result, or a marker that there is nothing to await."""

cimport cython


@cython.final
@cython.freelist(32)
cdef class Ready:
    """An awaitable with a known result; like a coroutine, it can be made a Task."""

    def __cinit__(self, value):
        self.value = value

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.value is None:
            raise StopIteration
        raise StopIteration(self.value)

    def send(self, value):
        raise StopIteration(self.value)

    def throw(self, kind, value=None, trace=None):
        raise kind if isinstance(kind, BaseException) else (kind() if value is None else value)

    def close(self):
        pass


cdef Ready DONE = Ready(None)


@cython.final
cdef class Later:
    """A marker: the code that returned it has taken the exchange over and will end it."""


cdef Later LATER = Later()
