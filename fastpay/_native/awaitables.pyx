"""What is given back instead of a coroutine: what is ready already, and what nobody needs to wait for."""

cimport cython


@cython.final
@cython.freelist(32)
cdef class Ready:
    """An awaitable that has its result already; like a coroutine, it can be made a Task."""

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
    """Says that whoever gives this back has taken the exchange over, and will end it."""


cdef Later LATER = Later()
