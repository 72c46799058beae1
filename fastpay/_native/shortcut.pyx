"""The short way to an answer: a GET with a known key is answered here, or waits here for its object.

An ordinary GET or HEAD of one object needs nothing of the pipeline that other requests go through (the long
way). This file answers it only if everything in the request is known to make no difference there: the path
is one that shows an object, there is no query, and every header is read here or known to be harmless
(`_native/ordinary_headers.pyx`). Anything else goes the long way, which decides. So nothing is decided here
but that a request is ordinary, and both ways give the same bytes (tests/http/test_shortcut.py).

A cached object is answered in place. For one that is not, the request is parked: no coroutine and no task is
made for it, and the read calls back when it is done. If the read finds nothing to show, the long way answers.
"""

import logging

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_Substring
from libc.string cimport memcmp

from fastpay._native.awaitables cimport DONE, LATER
from fastpay._native.cache cimport Cache, CachedResponse, Entry, Partition
from fastpay._native.exchange cimport Answerable, Exchange
from fastpay._native.http2_exchange cimport Http2Exchange
from fastpay._native.ordinary_headers cimport Fields, read
from fastpay._native.sampling cimport Sampler

cdef extern from "Python.h":
    int PyCFunction_Check(object value)
    PyObject* PyCFunction_GET_SELF(object function)
    Py_ssize_t PyUnicode_FindChar(object text, Py_UCS4 sign, Py_ssize_t start, Py_ssize_t end, int direction)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)

logger = logging.getLogger(__name__)


@cython.final
cdef class Access:
    """The partition that an Authorization header gives access to, and until when."""

    cdef Partition partition
    cdef long long until_ns
    # Whose key it is, for the request log.
    cdef object owner


@cython.final
@cython.freelist(64)
cdef class Parked:
    """A request whose object is being read. Called with the object, or with None if there is none."""

    cdef Shortcut shortcut
    cdef Answerable exchange
    cdef Access access
    cdef long long begun_ns
    cdef str path
    cdef str identifier
    # The arguments for the long way.
    cdef dict scope
    cdef object receive
    cdef object send
    cdef bytes if_none_match
    cdef bytes version
    cdef bytes accepted
    cdef bytes traceparent
    cdef bytes tracestate

    def __call__(self, versioned):
        if self.exchange.lost:
            self.exchange.ended(None)
            return
        try:
            if self._answer(versioned):
                self.exchange.ended(None)
                return
        except Exception as error:
            if self.exchange.started:
                self.exchange.ended(error)
                return
            logger.exception("short_answer_failed")
        self.exchange.go_on(self.shortcut.long_way(self.scope, self.receive, self.send))

    cdef bint _answer(self, object versioned) except -1:
        cdef Shortcut shortcut = self.shortcut
        cdef Entry entry = None
        cdef CachedResponse response = None
        cdef Partition partition = self.access.partition
        if versioned is None:
            return False
        found = partition.entries.get(self.identifier)
        if found is not None and (<Entry>found).version == versioned.version:
            entry = <Entry>found
            response = entry.response
        if response is None:
            response = shortcut.make(self.path, partition, versioned, entry)
        elif response.path != self.path:
            return False
        if response is None:
            return False
        request_id = shortcut.write(
            self.exchange, response, entry, self.if_none_match, self.version, self.accepted
        )
        if request_id is None:
            return False
        if shortcut.noted is not None or shortcut.sampler is not None:
            shortcut.tell(
                self.scope, self.access, response, self.exchange.status, request_id,
                self.begun_ns, self.traceparent, self.tracestate, True,
            )
        return True


@cython.final
cdef class Shortcut:
    """Answers ordinary requests for one object."""

    cdef readonly Cache cache
    cdef object monotonic_ns
    cdef object request_id
    cdef Py_ssize_t accesses_max
    cdef dict accesses
    cdef Fields fields
    cdef dict kinds
    cdef dict routes
    cdef object watch
    cdef object render
    cdef object encode
    cdef object long_way
    # None while no traces are made.
    cdef Sampler sampler
    cdef object record
    cdef object keep
    cdef long long slow_ns
    # Is told of answers whose identifier is below another one; None if requests are not logged.
    cdef object noted
    cdef str noted_below
    cdef public bint is_open
    cdef readonly long long answered
    cdef readonly long long parked

    def __init__(
        self,
        Cache cache not None,
        monotonic_ns,
        request_id,
        Py_ssize_t accesses_max,
        *,
        dict kinds not None,
        dict routes not None,
        watch,
        render,
        encode,
        long_way,
    ):
        self.cache = cache
        self.kinds = kinds
        self.routes = routes
        self.watch = watch
        self.render = render
        self.encode = encode
        self.long_way = long_way
        self.monotonic_ns = monotonic_ns
        self.request_id = request_id
        self.accesses_max = accesses_max
        self.accesses = {}
        self.fields = Fields.__new__(Fields)
        self.is_open = True

    def trace(self, Sampler sampler not None, record, keep, long long slow_ns):
        self.sampler = sampler
        self.record = record
        self.keep = keep
        self.slow_ns = slow_ns

    def log(self, noted not None, str below not None):
        self.noted = noted
        self.noted_below = below

    def admit(
        self, bytes authorization not None, Partition partition not None, long long until_ns, owner=None
    ):
        cdef Access access = Access.__new__(Access)
        access.partition = partition
        access.until_ns = until_ns
        access.owner = owner
        if len(self.accesses) >= self.accesses_max:
            self.accesses.clear()
        self.accesses[authorization] = access

    def answer(self, dict scope not None, receive, send):
        cdef Fields fields = self.fields
        cdef Answerable exchange
        cdef Access access
        cdef Partition partition
        cdef Entry entry
        cdef CachedResponse response
        cdef long long now_ns
        cdef str path = <str>scope["path"]
        cdef bytes traceparent, tracestate
        cdef Py_ssize_t cut
        if not self.is_open:
            return None
        exchange = _find_exchange(send)
        if exchange is None:
            return None
        if PyBytes_GET_SIZE(<bytes>scope["query_string"]):
            return None
        if not read(fields, <list>scope["headers"], self.sampler is not None):
            return None
        found = self.accesses.get(fields.authorization)
        if found is None:
            return None
        access = <Access>found
        partition = access.partition
        now_ns = self.monotonic_ns()
        if now_ns >= access.until_ns:
            return None
        cut = 1 + PyUnicode_FindChar(path, c"/", 0, PyUnicode_GET_LENGTH(path), -1)
        if cut == 0:
            return None
        identifier = PyUnicode_Substring(path, cut, PyUnicode_GET_LENGTH(path))
        found = partition.entries.get(identifier)
        if found is None or now_ns >= partition.valid_until_ns or now_ns >= (<Entry>found).until_ns:
            return self.park(exchange, access, now_ns, path, cut, identifier, scope, receive, send)
        entry = <Entry>found
        if entry.version == 0:
            return None
        response = entry.response
        if response is None:
            if not self.is_of_its_kind(path, cut, identifier):
                return None
            response = self.make(PyUnicode_Substring(path, 0, cut), partition, entry.value, entry)
            if response is None:
                return None
        elif not _leads_to(path, cut, response):
            return None
        self.cache.use(partition, entry)
        traceparent, tracestate = fields.traceparent, fields.tracestate
        request_id = self.write(
            exchange, response, entry, fields.if_none_match, fields.version, fields.accepted
        )
        if request_id is None:
            return None
        if self.noted is not None or self.sampler is not None:
            self.tell(
                scope, access, response, exchange.status, request_id, now_ns, traceparent, tracestate, False
            )
        return DONE

    cdef object park(
        self,
        Answerable exchange,
        Access access,
        long long begun_ns,
        str path,
        Py_ssize_t cut,
        str identifier,
        dict scope,
        object receive,
        object send,
    ):
        # Have the object read. Return None if that is for the long way.
        cdef Parked parked
        if not self.is_of_its_kind(path, cut, identifier):
            return None
        parked = Parked.__new__(Parked)
        parked.shortcut = self
        parked.exchange = exchange
        parked.access = access
        parked.begun_ns = begun_ns
        parked.path = PyUnicode_Substring(path, 0, cut)
        parked.identifier = identifier
        parked.scope = scope
        parked.receive = receive
        parked.send = send
        parked.if_none_match = self.fields.if_none_match
        parked.version = self.fields.version
        parked.accepted = self.fields.accepted
        parked.traceparent = self.fields.traceparent
        parked.tracestate = self.fields.tracestate
        if not self.watch(access.partition.scope, identifier, parked):
            return None
        self.parked += 1
        return LATER

    cdef int tell(
        self,
        dict scope,
        Access access,
        CachedResponse response,
        int status,
        str request_id,
        long long begun_ns,
        bytes traceparent,
        bytes tracestate,
        bint was_parked,
    ) except -1:
        # Hand an answered request over to the request log, and to traces if it is drawn or slow. Only one
        # that waited can be slow.
        cdef bint is_drawn
        cdef long long ended_ns
        cdef tuple done
        if self.noted is not None and request_id < self.noted_below:
            self.noted(scope, access.owner, begun_ns, request_id, status)
        if self.sampler is None:
            return 0
        is_drawn = self.sampler.draw(traceparent, begun_ns)
        if not is_drawn and not was_parked:
            return 0
        ended_ns = self.monotonic_ns()
        if not is_drawn and ended_ns - begun_ns < self.slow_ns:
            return 0
        # The fields of `Request` in observability/traces.py.
        done = (
            None,
            scope["method"],
            scope["path"],
            scope["scheme"],
            scope["http_version"],
            response.path + "{id}",
            status,
            request_id,
            begun_ns,
            ended_ns,
            None if traceparent is None else traceparent.decode("latin-1"),
            None if tracestate is None else tracestate.decode("latin-1"),
        )
        if is_drawn:
            self.record(done)
        else:
            self.keep(done)
        return 0

    cdef bint is_of_its_kind(self, str path, Py_ssize_t cut, str identifier) except -1:
        # Whether this path shows objects, and the identifier is of that kind.
        prefix = self.kinds.get(PyUnicode_Substring(path, 0, cut))
        return prefix is not None and identifier.startswith(<str>prefix)

    cdef CachedResponse make(self, str path, Partition partition, object versioned, Entry entry):
        # Render an object, and keep the response with its entry if there is one.
        cdef CachedResponse response = self.render(path, versioned, partition.scope)
        if response is not None and entry is not None:
            self.cache.render(entry, response)
        return response

    cdef str write(
        self,
        Answerable exchange,
        CachedResponse response,
        Entry entry,
        bytes if_none_match,
        bytes version,
        bytes accepted,
    ):
        # Answer, and return the identifier of the request. Return None if If-None-Match has more than one
        # tag: the long way parses it.
        cdef int status = 200
        cdef str request_id
        if if_none_match is not None:
            if _is_tag(if_none_match, response.etag):
                status = 304
            elif response.etag in if_none_match or b"*" in if_none_match:
                return None
        if status == 200 and accepted is not None and response.is_encodable:
            response = self.encode(entry, response, accepted)
        if response.route == 0:
            response.route = self.routes.get(response.path, 0)
        # The number of HEAD follows that of GET.
        exchange.route = response.route + (exchange.is_head and response.route != 0)
        self.answered += 1
        request_id = <str>self.request_id()
        exchange.answer(
            status,
            response.head if status == 200 else response.short_head,
            response.body if status == 200 else b"",
            request_id,
            version,
        )
        return request_id


cdef Answerable _find_exchange(object send):
    """Return the exchange of this `send`; None if it is another server's, or the request has a body."""
    if PyCFunction_Check(send):
        owner = <object>PyCFunction_GET_SELF(send)
        if type(owner) is Exchange:
            return <Exchange>owner
        if type(owner) is Http2Exchange and (<Http2Exchange>owner).is_plain:
            return <Http2Exchange>owner
    return None


cdef bint _is_tag(bytes value, bytes etag) noexcept:
    # Whether a header is this tag and nothing else, weak or not (RFC 9110 13.1.2 compares weakly).
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef const char* text = PyBytes_AS_STRING(value)
    if size > 2 and memcmp(text, b"W/", 2) == 0:
        text += 2
        size -= 2
    return size == PyBytes_GET_SIZE(etag) and memcmp(text, PyBytes_AS_STRING(etag), size) == 0


cdef bint _leads_to(str path, Py_ssize_t cut, CachedResponse response) noexcept:
    # The response may have been made for another path with the same identifier.
    # A path that is not of one byte a character is none of ours.
    return (
        PyUnicode_GET_LENGTH(response.path) == cut
        and PyUnicode_KIND(path) == PyUnicode_KIND(response.path) == 1
        and memcmp(PyUnicode_DATA(path), PyUnicode_DATA(response.path), cut) == 0
    )
