"""Runs coroutines immediately, inside a Task that they keep if they have to wait.

A real Task costs more than a short request. So each loop has one spare Task. A coroutine is started at
once, with the spare Task entered as the current one and inside the Task's own context, which is what
`asyncio.create_task` would have given it one turn of the loop later.

    the coroutine ends     the Task has not taken a step, and serves the next coroutine
    the coroutine waits    the Task takes it over: its next step returns the future that the coroutine awaits,
                           and from then on it is a Task like any other
    it used the Task       kept a reference, added a callback, cancelled or named it, or changed a context
                           variable: this Task is ended, and a new spare one is made

Only documented API is used: `asyncio._enter_task` and `_leave_task` ("Extending asyncio"), and the
awaitable protocol of every Task.
"""

import asyncio
import logging
import weakref
from asyncio import CancelledError
from asyncio.tasks import _enter_task, _leave_task
from contextvars import copy_context
from types import CoroutineType

cimport cython
from cpython.contextvars cimport PyContext_Enter, PyContext_Exit
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF

logger = logging.getLogger(__name__)

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN = 0
        PYGEN_ERROR = -1
        PYGEN_NEXT = 1
    PySendResult PyIter_Send(object iterator, object value, PyObject** result) except PYGEN_ERROR
    Py_ssize_t Py_REFCNT(object value)

cdef object count_weak_references = weakref.getweakrefcount
cdef str NAME = "http"
cdef str BLOCKING = "_asyncio_future_blocking"
cdef object current_task = asyncio.current_task
cdef object enter_task = _enter_task
cdef object leave_task = _leave_task
cdef object coroutine_type = CoroutineType


class Task(asyncio.Task):
    """A Task that records any use of it, so that the runner need not look for traces."""

    def cancel(self, msg=None):
        _touch(self)
        return super().cancel(msg)

    def add_done_callback(self, fn, *, context=None):
        _touch(self)
        if context is None:
            super().add_done_callback(fn)
        else:
            super().add_done_callback(fn, context=context)

    def set_name(self, value):
        _touch(self)
        super().set_name(value)


cdef int _touch(object task) except -1:
    # Whoever has the class can give it any coroutine, and the collector takes the coroutine away: an
    # unchecked cast would write into an object of another type.
    coroutine = task.get_coro()
    if type(coroutine) is Carrier:
        (<Carrier>coroutine).touched = True
    return 0


async def _await(awaitable):
    return await awaitable


cdef class Job:
    """The purpose of a coroutine. `ended` is called once, with its exception or None."""

    cdef int ended(self, object error) except -1:
        return 0


@cython.final
cdef class Callback(Job):
    """A job that calls a function with the outcome."""

    cdef object function

    def __init__(self, function):
        self.function = function

    cdef int ended(self, object error) except -1:
        self.function(error)
        return 0


@cython.final
cdef class Carrier:
    """The coroutine of a spare Task: it forwards everything to the coroutine that it carries."""

    def __init__(self, Runner runner):
        self.runner = runner
        # The runner's base context, not the caller's, which may be another handler's.
        self.clean = runner.base
        self.context = runner.base.copy()
        self.task = Task(self, loop=runner.loop, name=NAME, context=self.context)

    def send(self, value):
        if self.waits:
            self.waits = False
            yielded = self.yielded
            self.yielded = None
            if self.blocks:
                yielded._asyncio_future_blocking = True
            return yielded
        if self.coroutine is not None:
            return self._resume(value, None)
        self.parking = None
        if self.retired:
            self.dead = True
            raise StopIteration
        self.parking = self.runner.loop.create_future()
        self.parking._asyncio_future_blocking = True
        return self.parking

    def throw(self, kind, value=None, trace=None):
        error = kind if isinstance(kind, BaseException) else (kind() if value is None else value)
        self.parking = None
        if self.waits:
            future = self.yielded
            # As Task.cancel does with the future that its coroutine awaits.
            if isinstance(error, CancelledError) and future is not None:
                # Libraries recognize their own cancellations by the message.
                if future.cancel(*error.args[:1]):
                    return self.send(None)
            self.waits = False
            self.yielded = None
        if self.coroutine is not None:
            return self._resume(None, error)
        self.dead = True
        if self.runner.spare is self:
            self.runner.spare = None
        raise error

    def close(self):
        if self.coroutine is not None:
            self.coroutine.close()

    def __await__(self):
        return self

    def __getattr__(self, name):
        # Tools that inspect a Task (stacks, cancel scopes) read cr_frame and others from its coroutine.
        if name.startswith("cr_") and self.coroutine is not None:
            return getattr(self.coroutine, name)
        raise AttributeError(name)

    cdef object _resume(self, object value, object error):
        try:
            if error is None:
                return self.coroutine.send(value)
            return self.coroutine.throw(error)
        except StopIteration:
            self._finish(None)
            raise
        except (CancelledError, KeyboardInterrupt, SystemExit) as stop:
            self._finish(stop)
            raise
        except BaseException as failure:
            self._finish(failure)
        raise StopIteration

    cdef int _finish(self, object error) except -1:
        cdef Job job = self.job
        self.dead = True
        self.coroutine = None
        self.job = None
        self.runner.carriers.discard(self)
        return _end(job, error)

    cdef int _wake(self) except -1:
        if self.parking is not None and not self.parking.done():
            self.parking.set_result(None)
        return 0

    cdef bint _is_untouched(self, Py_ssize_t references):
        task = self.task
        return (
            Py_REFCNT(task) <= references
            and not self.touched
            and not self.dead
            and self.context == self.clean
            and count_weak_references(task) <= 1
        )


cdef int _end(Job job, object error) except -1:
    try:
        job.ended(error)
    except Exception:
        logger.exception("request_end_failed")
    return 0


@cython.final
cdef class Runner:
    """Starts coroutines of one loop immediately."""

    def __init__(self, loop):
        self.loop = loop
        self.base = copy_context()
        self.spare = None
        self.carriers = set()

    @property
    def waiting_count(self):
        return len(self.carriers)

    def run(self, coroutine, function):
        self.start(Callback(function), coroutine)

    def cancel(self):
        cdef Carrier carrier
        for carrier in list(self.carriers):
            carrier.task.cancel()

    async def wait(self, timeout_seconds):
        cdef Carrier carrier
        tasks = [carrier.task for carrier in self.carriers]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_seconds)
        return not self.carriers

    async def close(self):
        cdef Carrier carrier = self.spare
        self.spare = None
        if carrier is not None:
            carrier.retired = True
            carrier._wake()
            await asyncio.wait([carrier.task])

    cdef int start(self, Job job, object coroutine) except -1:
        cdef Carrier carrier = self.spare
        cdef PyObject* result = NULL
        cdef PySendResult outcome
        cdef object error = None
        cdef object outer = None
        cdef Py_ssize_t references
        if type(coroutine) is not coroutine_type:
            coroutine = _await(coroutine)
        self.spare = None
        if carrier is None or carrier.dead:
            carrier = Carrier(self)
        task = carrier.task
        references = Py_REFCNT(task)
        try:
            enter_task(self.loop, task)
        except RuntimeError:
            # Called from inside another Task, which is restored afterwards.
            outer = current_task(self.loop)
            leave_task(self.loop, outer)
            enter_task(self.loop, task)
        PyContext_Enter(carrier.context)
        try:
            outcome = PyIter_Send(coroutine, None, &result)
        except BaseException as failure:
            outcome = PYGEN_ERROR
            error = failure
        finally:
            PyContext_Exit(carrier.context)
            leave_task(self.loop, task)
            if outer is not None:
                enter_task(self.loop, outer)
        if outcome == PYGEN_NEXT:
            carrier.job = job
            carrier.coroutine = coroutine
            carrier.yielded = <object>result
            carrier.waits = True
            carrier.blocks = getattr(carrier.yielded, BLOCKING, False) is True
            if carrier.blocks:
                # As a Task does at once: until then no other coroutine could await the same future. The
                # carrier sets it again when it hands the future over to its Task.
                carrier.yielded._asyncio_future_blocking = False
            Py_XDECREF(result)
            self.carriers.add(carrier)
            carrier._wake()
            return 0
        Py_XDECREF(result)
        coroutine = None
        _end(job, error)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error
        error = None
        if self.spare is None and carrier._is_untouched(references + 1):
            self.spare = carrier
        else:
            carrier.retired = True
            carrier._wake()
        return 0
