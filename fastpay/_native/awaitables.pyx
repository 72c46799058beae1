"""Objects returned instead of a coroutine: a known result, or a marker that there is nothing to await."""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
    ctypedef struct PyAsyncMethods:
        void* am_send
    ctypedef struct PyTypeObject:
        PyAsyncMethods* tp_as_async


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


cdef PySendResult _give(PyObject* ready, PyObject* _, PyObject** result) noexcept:
    """Give the result to an `await`. A StopIteration with a value would take 2,000 instructions."""
    cdef object value = (<Ready>ready).value
    Py_INCREF(value)
    result[0] = <PyObject*>value
    return PYGEN_RETURN


(<PyTypeObject*>Ready).tp_as_async.am_send = <void*>_give

cdef Ready DONE = Ready(None)


@cython.final
cdef class Later:
    """A marker: the code that returned it has taken the exchange over and will end it."""


cdef Later LATER = Later()
