"""One request and its response as the ASGI application sees them: `receive` and `send`.

Nothing is written before the first body message, so that head and body of an ordinary answer leave in one
piece. `receive` and `send` return awaitables that are already finished wherever nothing has to be waited for.
"""

import asyncio

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy

from http import HTTPStatus

cdef enum:
    # Above this a body is worth its own write rather than a copy.
    JOINED_BYTES_MAX = 65_536
    LENGTH_DIGITS_MAX = 15

cdef list STATUS_LINES = [None] * 600
for _status in range(100, 600):
    try:
        _phrase = HTTPStatus(_status).phrase
    except ValueError:
        _phrase = ""
    STATUS_LINES[_status] = f"HTTP/1.1 {_status} {_phrase}\r\n".encode()

cdef object Future = asyncio.Future
cdef dict DISCONNECT = {"type": "http.disconnect"}


class ClientDisconnected(OSError):
    """The client went away before the response was complete."""


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


cdef class Channel(Node):
    """What an exchange needs of its connection."""

    cdef int write(self, object data) except -1:
        raise NotImplementedError

    cdef int want_body(self) except -1:
        raise NotImplementedError

    cdef int response_done(self, Exchange exchange) except -1:
        raise NotImplementedError

    cdef int handler_done(self, Exchange exchange, object error) except -1:
        raise NotImplementedError

    cdef bytes date_line(self):
        raise NotImplementedError

    cdef bint is_draining(self) noexcept:
        return False


@cython.final
@cython.freelist(32)
cdef class Exchange(Job):
    """A request on its way through the application."""

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
            # Several may wait (a listener for the disconnect beside a reader): a cancelled one must
            # not take the future from the others.
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
            if kind != "http.response.start":
                raise RuntimeError(f"{kind} before http.response.start")
            self._start(fields)
            return DONE
        if kind != "http.response.body":
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

    cdef int ended(self, object error) except -1:
        self.running = False
        self.channel.handler_done(self, error)
        return 0

    # What the connection tells.

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
        cdef list fields = []
        cdef bytes name, value
        cdef Py_ssize_t size
        self.status = status
        if not 200 <= self.status < 600:
            raise ValueError(f"{status} is not the status of a response")
        self.left = -1
        for pair in message.get("headers", ()):
            name, value = pair
            if not _is_clean(name) or not _is_clean(value):
                raise ValueError("a line break or NUL in a response header")
            size = PyBytes_GET_SIZE(name)
            # Only these lengths can be fields that the connection itself answers for.
            if size == 14 and name.lower() == b"content-length":
                if self.left >= 0:
                    raise ValueError("content-length of a response is repeated")
                self.left = _parse_length(value)
            elif size == 10 and name.lower() == b"connection":
                if b"close" in value.lower():
                    self.keep_alive = False
                continue
            elif size == 17 and name.lower() == b"transfer-encoding":
                continue
            elif size == 4 and name.lower() == b"date":
                self.has_date = True
            fields.append(name)
            fields.append(value)
        self.fields = fields
        self.started = True
        return 0

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
                # Fewer bytes than promised: only the end of the connection can tell the client.
                self.keep_alive = False
            self.complete = True
            self.fields = None
            if self.receiver is not None:
                _wake(self.receiver)
            self.channel.response_done(self)
        return 0

    cdef int _frame(self, bytes body, bint more) except -1:
        # Decides how the end of the body is told (RFC 9112 6.3), and writes the head with what there is.
        cdef list extra = []
        cdef bint no_content = self.status == 204 or self.status == 304
        self.bodiless = self.is_head or no_content
        if self.left >= 0:
            if self.status == 204:
                self.fields = _without_length(self.fields)
        elif no_content:
            pass
        elif not more:
            if not self.is_head or body:
                extra.append(b"content-length: %d\r\n" % len(body))
            self.left = len(body)
        elif self.is_version_1_0:
            self.keep_alive = False
        else:
            self.chunked = True
            extra.append(b"transfer-encoding: chunked\r\n")
        if not self.message_complete or self.channel.is_draining():
            self.keep_alive = False
        if not self.keep_alive:
            extra.append(b"connection: close\r\n")
        elif self.is_version_1_0:
            extra.append(b"connection: keep-alive\r\n")
        if not self.has_date:
            extra.append(self.channel.date_line())
        cdef bytes wire = b"" if self.bodiless else self._encode(body, more)
        self.head_sent = True
        if PyBytes_GET_SIZE(wire) > JOINED_BYTES_MAX:
            self.channel.write(_join_head(self.status, self.fields, extra, b""))
            self.channel.write(wire)
        else:
            self.channel.write(_join_head(self.status, self.fields, extra, wire))
        return 0

    cdef bytes _encode(self, bytes body, bint more):
        if self.left >= 0:
            if len(body) > self.left:
                self.keep_alive = False
                raise RuntimeError("more body than content-length promised")
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


cdef Py_ssize_t _parse_length(bytes value) except -1:
    cdef const char* digits = PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t result = 0
    cdef Py_ssize_t index
    if not 0 < length <= LENGTH_DIGITS_MAX:
        raise ValueError("content-length of a response is not a number")
    for index in range(length):
        if not c"0" <= digits[index] <= c"9":
            raise ValueError("content-length of a response is not a number")
        result = result * 10 + digits[index] - c"0"
    return result


cdef bint _is_clean(bytes text) noexcept:
    cdef const char* data = PyBytes_AS_STRING(text)
    cdef size_t length = PyBytes_GET_SIZE(text)
    return (
        memchr(data, c"\n", length) == NULL
        and memchr(data, c"\r", length) == NULL
        and memchr(data, 0, length) == NULL
    )


cdef list _without_length(list fields):
    cdef list kept = []
    cdef Py_ssize_t index
    for index in range(0, len(fields), 2):
        if fields[index].lower() != b"content-length":
            kept.append(fields[index])
            kept.append(fields[index + 1])
    return kept


cdef bytes _join_head(int status, list fields, list extra, bytes body):
    # One allocation: status line, "name: value" lines of the application, ready-made lines, empty line, body.
    cdef bytes line = <bytes>STATUS_LINES[status]
    cdef Py_ssize_t size = PyBytes_GET_SIZE(line) + 2 + PyBytes_GET_SIZE(body)
    cdef Py_ssize_t index
    cdef bytes piece
    for index in range(len(fields)):
        size += PyBytes_GET_SIZE(<bytes>fields[index]) + 2
    for piece in extra:
        size += PyBytes_GET_SIZE(piece)
    cdef bytes head = PyBytes_FromStringAndSize(NULL, size)
    cdef char* place = PyBytes_AS_STRING(head)
    place = _copy(place, line)
    for index in range(len(fields)):
        place = _copy(place, <bytes>fields[index])
        place[0] = c"\r" if index & 1 else c":"
        place[1] = c"\n" if index & 1 else c" "
        place += 2
    for piece in extra:
        place = _copy(place, piece)
    place[0] = c"\r"
    place[1] = c"\n"
    place = _copy(place + 2, body)
    assert place == PyBytes_AS_STRING(head) + size
    return head


cdef char* _copy(char* place, bytes piece) noexcept:
    memcpy(place, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
    return place + PyBytes_GET_SIZE(piece)
