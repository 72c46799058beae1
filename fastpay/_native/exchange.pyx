"""One request and its response as the ASGI application sees them: `receive` and `send`.

Invariants:

- Nothing is written before the first body message, so head and body of an ordinary response leave in one
  write, and a handler that fails before it can still be answered 500.
- `receive` and `send` return finished awaitables whenever they need not wait, so a short handler runs in
  one go.
- Framing belongs to the connection: the application's Connection and Transfer-Encoding fields are dropped,
  and Content-Length is checked against the body. If the body is shorter than announced, the connection ends
  after it.
"""

import asyncio

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.stdio cimport sprintf
from libc.string cimport memcpy

from fastpay._native.awaitables cimport DONE, Ready
from fastpay._native.fields cimport STATUS_LINES, copy, is_clean, is_name, is_text, join_answer, parse_length
from fastpay._native.methods cimport PyCFunction_New, PyMethodDef, definition_of

cdef enum:
    # A larger body is written separately instead of being copied behind the head.
    JOINED_BYTES_MAX = 65_536
    # Room for "content-length: ", 20 digits and a line end.
    LENGTH_LINE_BYTES = 48

cdef dict DISCONNECT = {"type": "http.disconnect"}


class ClientDisconnected(OSError):
    """The client disconnected before the response was complete."""


cdef class Channel(Endpoint):
    """What an exchange needs from its connection."""

    cdef int write(self, bytes data) except -1:
        raise NotImplementedError

    cdef int want_body(self) except -1:
        raise NotImplementedError

    cdef int response_done(self, Exchange exchange) except -1:
        raise NotImplementedError

    cdef int handler_done(self, Exchange exchange, object error) except -1:
        raise NotImplementedError

    cdef int start(self, Exchange exchange, object coroutine) except -1:
        raise NotImplementedError

    cdef bytes date_line(self):
        raise NotImplementedError

    cdef bint is_draining(self) noexcept:
        return False


cdef class Answerable(Job):
    """What the short way needs of a request, over either protocol."""

    cdef int answer(self, int status, bytes head, bytes body, str request_id, bytes version) except -1:
        raise NotImplementedError

    cdef int go_on(self, object coroutine) except -1:
        raise NotImplementedError


@cython.final
@cython.freelist(32)
cdef class Exchange(Answerable):
    """One request while the application handles it."""

    def receive(self):
        if self.body is not None or (self.message_complete and not self.delivered):
            return Ready(self._take())
        if self.disconnected or self.complete:
            return Ready(DISCONNECT.copy())
        return self._receive_later()

    async def _receive_later(self):
        while True:
            if self.body is not None or (self.message_complete and not self.delivered):
                return self._take()
            if self.disconnected or self.complete:
                return DISCONNECT.copy()
            if not self.message_complete:
                self.channel.want_body()
            if self.receiver is None or self.receiver.done():
                self.receiver = asyncio.get_running_loop().create_future()
            # Several coroutines may wait on this future (a reader, and a listener for the disconnect). The
            # shield keeps a cancelled one from cancelling it for the others.
            await asyncio.shield(self.receiver)

    cdef dict _take(self):
        cdef object body = self.body
        self.body = None
        if self.message_complete:
            self.delivered = True
        else:
            self.channel.want_body()
        if body is None:
            body = b""
        elif type(body) is not bytes:
            body = bytes(body)
        return {"type": "http.request", "body": body, "more_body": not self.message_complete}

    def send(self, message):
        cdef dict fields = message if type(message) is dict else dict(message)
        cdef str kind = fields["type"]
        if self.complete:
            if self.lost:
                raise ClientDisconnected("the client has disconnected")
            raise RuntimeError(f"{kind} after the response was complete")
        if self.lost:
            raise ClientDisconnected("the client has disconnected")
        if not self.started:
            if not is_text(kind, b"http.response.start", 19):
                raise RuntimeError(f"{kind} before http.response.start")
            self._start(fields)
            return DONE
        if not is_text(kind, b"http.response.body", 18):
            raise RuntimeError(f"{kind} where http.response.body was expected")
        self._continue(fields)
        if self.paused and not self.complete:
            return self._wait_for_drain()
        return DONE

    async def _wait_for_drain(self):
        while self.paused and not self.lost:
            if self.drain is None or self.drain.done():
                self.drain = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.drain)
        if self.lost:
            raise ClientDisconnected("the client has disconnected")

    cdef object bind_receive(self):
        return PyCFunction_New(receive_definition, self)

    cdef object bind_send(self):
        return PyCFunction_New(send_definition, self)

    cdef int ended(self, object error) except -1:
        self.running = False
        if self.holding is not None:
            # The holding is here only if the connection went on without this exchange (Link._let_go).
            self.holding.release()
            self.holding = None
        self.channel.handler_done(self, error)
        return 0

    # Called by the connection.

    cdef int feed(self, object data, bint complete) except -1:
        if data is not None:
            if self.body is None:
                self.body = data
            elif type(self.body) is bytearray:
                self.body += data
            else:
                self.body = bytearray(self.body)
                self.body += data
        self.message_complete = complete
        if self.receiver is not None:
            _wake(self.receiver)
        return 0

    cdef int disconnect(self) except -1:
        self.disconnected = True
        if self.receiver is not None:
            _wake(self.receiver)
        if self.drain is not None:
            _wake(self.drain)
        return 0

    cdef int pause(self) except -1:
        self.paused = True
        return 0

    cdef int resume(self) except -1:
        self.paused = False
        if self.drain is not None:
            _wake(self.drain)
        return 0

    # The response.

    cdef int _start(self, dict message) except -1:
        cdef object status = message["status"]
        cdef list fields = list(message.get("headers", ()))
        cdef Py_ssize_t index
        cdef bint drops = False
        self.status = status
        if not 200 <= self.status < 600:
            raise ValueError(f"{status} is not the status of a response")
        self.left = -1
        self.field_bytes = 0
        for index in range(len(fields)):
            pair = fields[index]
            if type(pair) is not tuple or len(<tuple>pair) != 2:
                name, value = pair
                fields[index] = pair = (name, value)
            if not self._note((<tuple>pair)[0], (<tuple>pair)[1]):
                fields[index] = None
                drops = True
        self.fields = [pair for pair in fields if pair is not None] if drops else fields
        self.started = True
        return 0

    cdef bint _note(self, bytes name, bytes value) except -1:
        # Record a field of the response; return whether the connection sends it.
        cdef Py_ssize_t size
        if name is None or value is None:
            # A parameter of type bytes may be None, which has no bytes to read.
            raise TypeError("the name and the value of a response header must be bytes")
        size = PyBytes_GET_SIZE(name)
        if not is_clean(name) or not is_clean(value):
            raise ValueError("a line break or NUL in a response header")
        # Compare names only if the length is that of a field that the connection handles itself.
        if size == 14 and is_name(name, b"content-length"):
            if self.left >= 0:
                raise ValueError("content-length of a response is repeated")
            self.left = parse_length(value)
        elif size == 10 and is_name(name, b"connection"):
            if b"close" in value.lower():
                self.keep_alive = False
            return False
        elif size == 17 and is_name(name, b"transfer-encoding"):
            return False
        elif size == 4 and is_name(name, b"date"):
            self.has_date = True
        self.field_bytes += size + PyBytes_GET_SIZE(value) + 4
        return True

    cdef int _continue(self, dict message) except -1:
        cdef object data = message.get("body", b"")
        cdef bint more = bool(message.get("more_body", False))
        cdef bytes body = data if type(data) is bytes else bytes(data)
        if not self.head_sent:
            self._frame(body, more)
        else:
            self._write_body(body, more)
        if not more:
            if self.left > 0 and not self.bodiless:
                # Fewer bytes than announced: only closing the connection can tell the client.
                self.keep_alive = False
            self.complete = True
            self.fields = None
            if self.receiver is not None:
                _wake(self.receiver)
            self.channel.response_done(self)
        return 0

    cdef int _frame(self, bytes body, bint more) except -1:
        # Decide how the end of the body is marked (RFC 9112 6.3), and write the head with the available
        # body.
        cdef char length_line[LENGTH_LINE_BYTES]
        cdef int length_bytes = 0
        cdef bint no_content = self.status == 204 or self.status == 304
        cdef bytes wire
        self.bodiless = self.is_head or no_content
        if self.left >= 0:
            if self.status == 204:
                self._drop_length()
        elif no_content:
            pass
        elif not more:
            self.left = PyBytes_GET_SIZE(body)
            if not self.is_head or self.left:
                length_bytes = sprintf(length_line, b"content-length: %lld\r\n", <long long>self.left)
        # RFC 9112 6.1: an HTTP/1.0 client does not know chunked. The end of the connection ends the body.
        elif self.is_version_1_0:
            self.keep_alive = False
        else:
            self.chunked = True
            length_bytes = sprintf(length_line, b"transfer-encoding: chunked\r\n")
        # RFC 9112 9.3: the rest of an unread request body would be taken for the next request.
        if not self.message_complete or self.channel.is_draining():
            self.keep_alive = False
        wire = b"" if self.bodiless else self._encode(body, more)
        self.head_sent = True
        if PyBytes_GET_SIZE(wire) > JOINED_BYTES_MAX:
            self.channel.write(self._join_head(length_line, length_bytes, b""))
            self.channel.write(wire)
        else:
            self.channel.write(self._join_head(length_line, length_bytes, wire))
        return 0

    cdef int _drop_length(self) except -1:
        self.fields = [pair for pair in self.fields if pair[0].lower() != b"content-length"]
        self.field_bytes = sum([len(name) + len(value) + 4 for name, value in self.fields])
        return 0

    cdef bytes _join_head(self, const char* length_line, int length_bytes, bytes body):
        # One allocation: status line, the application's fields, the connection's fields, an empty line, the
        # body.
        cdef bytes line = <bytes>STATUS_LINES[self.status]
        cdef bytes closing = b""
        cdef bytes date = b"" if self.has_date else self.channel.date_line()
        cdef Py_ssize_t size
        cdef Py_ssize_t index
        cdef char* out
        cdef tuple pair
        if not self.keep_alive:
            closing = b"connection: close\r\n"
        elif self.is_version_1_0:
            closing = b"connection: keep-alive\r\n"
        size = PyBytes_GET_SIZE(line) + self.field_bytes + length_bytes + PyBytes_GET_SIZE(closing)
        size += PyBytes_GET_SIZE(date) + 2 + PyBytes_GET_SIZE(body)
        cdef bytes head = PyBytes_FromStringAndSize(NULL, size)
        out = copy(PyBytes_AS_STRING(head), line)
        for index in range(PyList_GET_SIZE(self.fields)):
            pair = <tuple>PyList_GET_ITEM(self.fields, index)
            out = copy(out, <bytes>PyTuple_GET_ITEM(pair, 0))
            out[0] = c":"
            out[1] = c" "
            out = copy(out + 2, <bytes>PyTuple_GET_ITEM(pair, 1))
            out[0] = c"\r"
            out[1] = c"\n"
            out += 2
        memcpy(out, length_line, length_bytes)
        out = copy(copy(out + length_bytes, closing), date)
        out[0] = c"\r"
        out[1] = c"\n"
        out = copy(out + 2, body)
        assert out == PyBytes_AS_STRING(head) + size
        return head

    cdef int answer(self, int status, bytes head, bytes body, str request_id, bytes version) except -1:
        # Send a complete response at once, for an application that has its head lines ready. `head`
        # includes all fields about the body. `version` may be None.
        cdef bytes closing = b""
        if self.started or self.lost or not self.message_complete:
            raise RuntimeError("a complete response twice, or before the request was read")
        self.status = status
        if self.channel.is_draining():
            self.keep_alive = False
        if not self.keep_alive:
            closing = b"connection: close\r\n"
        elif self.is_version_1_0:
            closing = b"connection: keep-alive\r\n"
        self.status = status
        self.started = True
        self.head_sent = True
        self.complete = True
        if self.is_head:
            body = b""
        date = self.channel.date_line()
        self.channel.write(join_answer(status, head, body, request_id, version, closing, date))
        self.channel.response_done(self)
        return 0

    cdef int go_on(self, object coroutine) except -1:
        # Run a handler after all, for a request that was taken over.
        return self.channel.start(self, coroutine)

    cdef bytes _encode(self, bytes body, bint more):
        if self.left >= 0:
            if len(body) > self.left:
                self.keep_alive = False
                raise RuntimeError("more body than content-length announced")
            self.left -= len(body)
            return body
        if not self.chunked:
            return body
        if not body:
            return b"" if more else b"0\r\n\r\n"
        if more:
            return b"%x\r\n%b\r\n" % (len(body), body)
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    cdef int _write_body(self, bytes body, bint more) except -1:
        if self.bodiless:
            return 0
        cdef bytes wire = self._encode(body, more)
        if wire:
            self.channel.write(wire)
        return 0


cdef int _wake(object future) except -1:
    if not future.done():
        future.set_result(None)
    return 0


# The definitions behind `exchange.receive` and `exchange.send`, looked up once.
cdef PyMethodDef* receive_definition = definition_of(Exchange.receive)
cdef PyMethodDef* send_definition = definition_of(Exchange.send)
