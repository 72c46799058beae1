"""One request over HTTP/2 as the ASGI application sees it: `receive` and `send`.

Invariants:

- `receive` and `send` return finished awaitables whenever they need not wait, as over HTTP/1.1.
- Nothing is sent before the first body message, so head and body of an ordinary response leave together.
- Framing belongs to the connection: fields about it are dropped, and Content-Length is checked against the
  body.
"""

import asyncio

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdio cimport sprintf
from libc.string cimport memchr, memcmp

from fastpay._native.awaitables cimport DONE, Ready
from fastpay._native.exchange cimport Answerable
from fastpay._native.fields cimport is_clean, is_text, parse_length
from fastpay._native.methods cimport PyCFunction_New, PyMethodDef, definition_of

from fastpay import limits
from fastpay._native.exchange import ClientDisconnected

cdef enum:
    STATUS_LEAST = 200
    STATUS_MOST = 599
    # Room for the digits of any length.
    DIGITS_BYTES = 24

cdef Py_ssize_t SEND_BYTES_MAX = limits.http2_send_bytes_max
cdef dict DISCONNECT = {"type": "http.disconnect"}
# What a response begins with, by its status.
cdef list STATUS_FIELDS = [
    (b":status", str(status).encode()) for status in range(STATUS_LEAST, STATUS_MOST + 1)
]


cdef inline bint _is(bytes text, const char* other, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(text) == size and memcmp(PyBytes_AS_STRING(text), other, size) == 0


cdef bint _belongs_to_connection(bytes name) noexcept:
    # RFC 9113 8.2.2: HTTP/2 does not allow connection-specific fields.
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    if size == 10:
        return _is(name, b"connection", 10) or _is(name, b"keep-alive", 10)
    return (
        (size == 7 and _is(name, b"upgrade", 7))
        or (size == 16 and _is(name, b"proxy-connection", 16))
        or (size == 17 and _is(name, b"transfer-encoding", 17))
    )


cdef bytes _lower(bytes name):
    cdef const char* text = PyBytes_AS_STRING(name)
    cdef Py_ssize_t index
    for index in range(PyBytes_GET_SIZE(name)):
        if c"A" <= text[index] <= c"Z":
            return name.lower()
    return name


cdef bytes _digits(long long number):
    cdef char text[DIGITS_BYTES]
    return PyBytes_FromStringAndSize(text, sprintf(text, b"%lld", number))


cdef int _add_lines(list fields, bytes head) except -1:
    """Append the fields of a head's lines, each of which ends in CRLF."""
    cdef const char* line = PyBytes_AS_STRING(head)
    cdef const char* end = line + PyBytes_GET_SIZE(head)
    cdef const char* colon
    cdef const char* stop
    while line < end:
        colon = <const char*>memchr(line, c":", end - line)
        stop = <const char*>memchr(line, c"\r", end - line)
        if colon == NULL or stop == NULL or colon > stop:
            raise ValueError("a line of a head is not a field")
        fields.append((
            _lower(PyBytes_FromStringAndSize(line, colon - line)),
            PyBytes_FromStringAndSize(colon + 2, stop - colon - 2),
        ))
        line = stop + 2
    return 0


cdef class Http2Channel:
    """What an exchange needs from its connection."""

    cdef int respond(self, Http2Exchange exchange) except -1:
        raise NotImplementedError

    cdef int pump(self, Http2Exchange exchange) except -1:
        raise NotImplementedError

    cdef int want_body(self, Http2Exchange exchange, Py_ssize_t count) except -1:
        raise NotImplementedError

    cdef int handler_done(self, Http2Exchange exchange, object error) except -1:
        raise NotImplementedError

    cdef int start(self, Http2Exchange exchange, object coroutine) except -1:
        raise NotImplementedError


@cython.final
cdef class Http2Exchange(Answerable):
    """One request while the application handles it."""

    def __cinit__(self):
        self.length = self.left = -1

    def receive(self):
        if self._has_input():
            return Ready(self._take())
        if self.lost or self.ends:
            return Ready(DISCONNECT.copy())
        return self._receive_later()

    async def _receive_later(self):
        while True:
            if self._has_input():
                return self._take()
            if self.lost or self.ends:
                return DISCONNECT.copy()
            if not self.body_complete:
                self.channel.want_body(self, 0)
            if self.reader is None or self.reader.done():
                self.reader = asyncio.get_running_loop().create_future()
            # As over HTTP/1.1: several coroutines may wait on this future.
            await asyncio.shield(self.reader)

    cdef bint _has_input(self) noexcept:
        return self.body is not None or (self.body_complete and not self.delivered)

    cdef dict _take(self):
        cdef bytes body = b"" if self.body is None else bytes(self.body)
        self.body = None
        self.delivered = self.body_complete
        if not self.body_complete:
            self.channel.want_body(self, PyBytes_GET_SIZE(body))
        return {"type": "http.request", "body": body, "more_body": not self.body_complete}

    def send(self, message):
        cdef dict fields = message if type(message) is dict else dict(message)
        cdef str kind = fields["type"]
        if self.lost:
            raise ClientDisconnected("the client has disconnected")
        if self.ends:
            raise RuntimeError(f"{kind} after the response was complete")
        if self.fields is None:
            self.started = True
            if not is_text(kind, b"http.response.start", 19):
                raise RuntimeError(f"{kind} before http.response.start")
            self._start(fields)
            return DONE
        if not is_text(kind, b"http.response.body", 18):
            raise RuntimeError(f"{kind} where http.response.body was expected")
        self._continue(fields)
        return self._wait_for_window() if self.unsent_bytes() > SEND_BYTES_MAX else DONE

    async def _wait_for_window(self):
        while self.unsent_bytes() > SEND_BYTES_MAX:
            if self.lost:
                raise ClientDisconnected("the client has disconnected")
            if self.writer is None or self.writer.done():
                self.writer = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.writer)

    cdef object bind_receive(self):
        return PyCFunction_New(receive_definition, self)

    cdef object bind_send(self):
        return PyCFunction_New(send_definition, self)

    cdef int ended(self, object error) except -1:
        return self.channel.handler_done(self, error)

    cdef int go_on(self, object coroutine) except -1:
        return self.channel.start(self, coroutine)

    # Called by the connection.

    cdef int feed(self, bytes data) except -1:
        if PyBytes_GET_SIZE(data):
            self.body_bytes += PyBytes_GET_SIZE(data)
            if self.body is None:
                self.body = data
            else:
                if type(self.body) is bytes:
                    self.body = bytearray(self.body)
                self.body += data
        return _wake(self.reader)

    cdef int finish_body(self) except -1:
        self.body_complete = True
        return _wake(self.reader)

    cdef int drained(self) except -1:
        """Let the handler send more."""
        return _wake(self.writer)

    cdef int lose(self) except -1:
        """Mark the client as gone."""
        self.lost = True
        self.let_go()
        _wake(self.reader)
        return _wake(self.writer)

    cdef int let_go(self) except -1:
        """Release the counted bytes, unless a handler still uses them."""
        if self.holding is not None and not self.running:
            self.holding.release()
            self.holding = None
        return 0

    cdef Py_ssize_t unread_bytes(self) except -1:
        return 0 if self.body is None else len(self.body)

    cdef Py_ssize_t unsent_bytes(self) except -1:
        return 0 if self.pending is None else len(self.pending)

    cdef Py_ssize_t held_bytes(self) except -1:
        """Return how many bytes of request and response are here or with the handler."""
        cdef Py_ssize_t size = self.unsent_bytes()
        if self.running or not self.head_sent:
            size += self.head_bytes + self.body_bytes
        return size

    cdef int add_pending(self, bytes data) except -1:
        if PyBytes_GET_SIZE(data):
            if self.pending is None:
                self.pending = data
            else:
                if type(self.pending) is bytes:
                    self.pending = bytearray(self.pending)
                self.pending += data
        return 0

    cdef bytes take_pending(self, Py_ssize_t size):
        """Return the first bytes of what is pending. The caller sends them, and nothing else takes them."""
        cdef bytes data
        if size == len(self.pending):
            data = bytes(self.pending)
            self.pending = None
            return data
        if type(self.pending) is bytes:
            self.pending = bytearray(self.pending)
        data = bytes(self.pending[:size])
        del self.pending[:size]
        return data

    # The response.

    cdef int _start(self, dict message) except -1:
        cdef int status = message["status"]
        cdef list fields
        if not STATUS_LEAST <= status <= STATUS_MOST:
            raise ValueError(f"{status} is not the status of a response")
        fields = [STATUS_FIELDS[status - STATUS_LEAST]]
        self.status = status
        for name, value in message.get("headers", ()):
            self._add_field(
                fields,
                name if type(name) is bytes else bytes(name),
                value if type(value) is bytes else bytes(value),
            )
        self.bodiless = self.is_head or status == 204 or status == 304
        self.fields = fields
        return 0

    cdef int _add_field(self, list fields, bytes name, bytes value) except -1:
        name = _lower(name)
        if _belongs_to_connection(name):
            return 0
        if not is_clean(name) or not is_clean(value):
            raise ValueError("a line break or NUL in a response header")
        if _is(name, b"content-length", 14):
            if self.left >= 0 or self.status == 204:
                raise ValueError("content-length of a response is not one number")
            self.left = parse_length(value)
        elif _is(name, b"date", 4):
            self.has_date = True
        fields.append((name, value))
        return 0

    cdef int _continue(self, dict message) except -1:
        cdef object data = message.get("body", b"")
        cdef bint more = bool(message.get("more_body", False))
        cdef bytes body = data if type(data) is bytes else bytes(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        if not self.head_sent and not more and self.left < 0 and self.status != 204 and self.status != 304:
            self.left = size
            self.fields.append((b"content-length", _digits(size)))
        if not self.bodiless:
            if self.left >= 0:
                if size > self.left:
                    raise RuntimeError("more body than content-length announced")
                self.left -= size
                if not more and self.left:
                    raise RuntimeError("less body than content-length announced")
            self.add_pending(body)
        self.ends = not more
        if self.head_sent:
            self.channel.pump(self)
        else:
            self.head_sent = True
            self.channel.respond(self)
        if self.ends:
            _wake(self.reader)
        return 0

    cdef int answer(self, int status, bytes head, bytes body, str request_id, bytes version) except -1:
        cdef list fields = [STATUS_FIELDS[status - STATUS_LEAST]]
        if self.started or self.lost or not self.is_plain:
            raise RuntimeError("a complete response twice, or before the request was read")
        _add_lines(fields, head)
        fields.append((b"request-id", request_id.encode("ascii")))
        if version is not None:
            fields.append((b"stripe-version", version))
        self.status = status
        self.fields = fields
        if not self.is_head:
            self.add_pending(body)
        self.started = self.head_sent = self.ends = True
        return self.channel.respond(self)


cdef int _wake(object future) except -1:
    if future is not None and not future.done():
        future.set_result(None)
    return 0


# The definitions behind `exchange.receive` and `exchange.send`, looked up once.
cdef PyMethodDef* receive_definition = definition_of(Http2Exchange.receive)
cdef PyMethodDef* send_definition = definition_of(Http2Exchange.send)
