"""One HTTP/2 request as the ASGI application sees it."""

import asyncio
import re
from typing import TYPE_CHECKING, Any, Protocol

from fastpay import limits
from fastpay._native.exchange import ClientDisconnected
from fastpay._native.http2_exchange import Http2Exchange

if TYPE_CHECKING:
    from fastpay._native.service import Holding

Headers = list[tuple[bytes, bytes]]

# RFC 9113 8.2.2: HTTP/2 does not allow connection-specific fields.
_BREAK = re.compile(rb"[\r\n\0]")
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})


class Engine(Protocol):
    """What a stream needs from its connection."""

    def respond(self, stream: "Stream", headers: Headers) -> None:
        """Send the head of a response."""

    def pump(self, stream: "Stream") -> None:
        """Send as much of the response as the windows allow."""

    def body_wanted(self, stream: "Stream", count: int) -> None:
        """Open the stream's window by the bytes that its handler has read."""

    def handler_ended(self, stream: "Stream", error: BaseException | None) -> None:
        """Complete or reset what a handler left unfinished."""


class Stream(Http2Exchange):
    """A request, the received part of its body, and the unsent part of its response."""

    def __init__(self, engine: Engine, number: int, scope: dict[str, Any]) -> None:
        self.engine = engine
        self.number = number
        self.scope = scope
        self.body = bytearray()
        self.body_bytes = 0
        # `input_ended`: the client sends no more. `body_complete`: the whole body has arrived and is valid.
        self.input_ended = False
        self.body_complete = False
        self.body_due = 0.0
        # `length`: Content-Length, or -1. `window_owed`: bytes that were read but not yet given back to the
        # window.
        self.length = -1
        self.window_owed = 0
        # `holding` counts the bytes held here, if they are more than a few. `head_bytes` is the head's part
        # of them.
        self.holding: Holding | None = None
        self.head_bytes = 0
        self.malformed = False
        self.expects = False
        # A handler is to be started at the end of the packet; a handler runs.
        self.scheduled = False
        self.running = False
        self.pending = bytearray()
        self.pending_since = 0.0
        self.ends = False
        self.head_sent = False
        self._delivered = False
        # For the metrics; 0 is a stream that no application sees.
        self.begun_ns = 0
        self._headers: Headers | None = None
        self._bodiless = self.is_head = scope["method"] == "HEAD"
        self._length_left = -1
        self._readers: asyncio.Future[None] | None = None
        self._writers: asyncio.Future[None] | None = None

    async def receive(self) -> dict[str, Any]:
        """Return the next piece of the body, or `http.disconnect` after its end."""
        while True:
            if self.body or (self.body_complete and not self._delivered):
                return self._take()
            if self.lost or self.ends:
                return {"type": "http.disconnect"}
            if not self.body_complete:
                self.engine.body_wanted(self, 0)
            if self._readers is None or self._readers.done():
                self._readers = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._readers)

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message of the response.

        Raises: ClientDisconnected if the client is gone.
        """
        kind = message["type"]
        if self.lost:
            raise ClientDisconnected("the client has disconnected")
        if self.ends:
            raise RuntimeError(f"{kind} after the response was complete")
        if self._headers is None:
            self.started = True
            if kind != "http.response.start":
                raise RuntimeError(f"{kind} before http.response.start")
            self._start(message)
            return
        if kind != "http.response.body":
            raise RuntimeError(f"{kind} where http.response.body was expected")
        self._continue(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))
        while len(self.pending) > limits.http2_send_bytes_max:
            if self._is_lost():
                raise ClientDisconnected("the client has disconnected")
            if self._writers is None or self._writers.done():
                self._writers = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writers)

    def _is_lost(self) -> bool:
        # Checked again after the wait: it may have changed.
        return self.lost

    def answer_at_once(self, fields: Headers, body: bytes) -> None:
        """Send a complete response, for an application that has it ready."""
        self._headers = fields
        self.pending += body
        self.ends = self.head_sent = True
        self.engine.respond(self, fields)

    def handler_ended(self, error: BaseException | None) -> None:
        """Complete or reset what the handler left unfinished."""
        self.engine.handler_ended(self, error)

    def feed(self, data: bytes) -> None:
        """Append to the body."""
        self.body += data
        self.body_bytes += len(data)
        _wake(self._readers)

    def finish_body(self) -> None:
        """Mark the body as complete."""
        self.body_complete = True
        _wake(self._readers)

    def drained(self) -> None:
        """Let the handler send more."""
        _wake(self._writers)

    def lose(self) -> None:
        """Mark the client as gone."""
        self.lost = True
        self.let_go()
        _wake(self._readers)
        _wake(self._writers)

    def let_go(self) -> None:
        """Release the counted bytes, unless a handler still uses them."""
        if self.holding is not None and not self.running:
            self.holding.release()
            self.holding = None

    @property
    def held_bytes(self) -> int:
        """How many bytes of request and response are here or with the handler."""
        request = self.head_bytes + self.body_bytes if self.running or not self.head_sent else 0
        return request + len(self.pending)

    def _take(self) -> dict[str, Any]:
        body = bytes(self.body)
        self.body.clear()
        self._delivered = self.body_complete
        if not self.body_complete:
            self.engine.body_wanted(self, len(body))
        return {"type": "http.request", "body": body, "more_body": not self.body_complete}

    def _start(self, message: dict[str, Any]) -> None:
        status = message["status"]
        if not 200 <= status < 600:
            raise ValueError(f"{status} is not the status of a response")
        headers: Headers = [(b":status", b"%d" % status)]
        has_date = False
        for pair in message.get("headers", ()):
            name, value = bytes(pair[0]).lower(), bytes(pair[1])
            if name in _HOP_BY_HOP:
                continue
            if _BREAK.search(name) or _BREAK.search(value):
                raise ValueError("a line break or NUL in a response header")
            if name == b"content-length":
                if self._length_left >= 0 or not value.isdigit() or status == 204:
                    raise ValueError("content-length of a response is not one number")
                self._length_left = int(value)
            has_date = has_date or name == b"date"
            headers.append((name, value))
        if not has_date:
            headers.append((b"date", b""))
        self._bodiless = self._bodiless or status in {204, 304}
        self.status = status
        self._headers = headers

    def _continue(self, body: bytes, *, more: bool) -> None:
        assert self._headers is not None
        if not self.head_sent and not more and self._length_left < 0 and self.status not in {204, 304}:
            self._length_left = len(body)
            self._headers.append((b"content-length", b"%d" % len(body)))
        if self._bodiless:
            body = b""
        elif self._length_left >= 0:
            if len(body) > self._length_left:
                raise RuntimeError("more body than content-length announced")
            self._length_left -= len(body)
            if not more and self._length_left:
                raise RuntimeError("less body than content-length announced")
        self.pending += body
        self.ends = not more
        if not self.head_sent:
            self.head_sent = True
            self.engine.respond(self, self._headers)
        else:
            self.engine.pump(self)
        if self.ends:
            _wake(self._readers)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
