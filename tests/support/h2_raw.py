"""An HTTP/2 client without rules: it sends any bytes, and reads on after a GOAWAY."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import hpack

from fastpay.server.listener import Server
from tests.support.h2_client import PREFACE, frame
from tests.support.http_server import connect

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 1, 4, 8, 32
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = 1, 3, 5, 6, 7
CANCEL, COMPRESSION_ERROR, CALM = 8, 9, 11

Fields = Sequence[tuple[str | bytes, str | bytes]]


def request(
    method: str = "GET", path: str = "/", *more: tuple[str | bytes, str | bytes]
) -> list[tuple[str | bytes, str | bytes]]:
    """Return the fields of a request."""
    return [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path), *more]


def padded(stream: int, data: bytes = b"", padding: int = 255, *, end: bool = False) -> bytes:
    """Return a DATA frame with padding."""
    return frame(DATA, PADDED | int(end), stream, bytes([padding]) + data + bytes(padding))


@asynccontextmanager
async def connected(
    server: Server, settings: bytes = b"", *, tls: ssl.SSLContext | None = None
) -> AsyncIterator["RawClient"]:
    """Connect to a server of the same process; `settings` is the content of the client's SETTINGS."""
    client = RawClient(*await connect(server, ssl=tls), settings=settings)
    try:
        await client.ping()
        yield client
    finally:
        client.close()


class RawClient:
    """One connection. What the server sends is noted by stream."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: bytes = b""
    ) -> None:
        self.reader, self.writer = reader, writer
        self.encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self.next_stream = 1
        self.statuses: dict[int, list[int]] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        # The last stream and the code of each GOAWAY.
        self.goaways: list[tuple[int, int]] = []
        self.frames: list[tuple[int, int]] = []
        self.pings = 0
        self.closed = self.half_closed = False
        self.takes_data = True
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data: bytes) -> None:
        if not self.half_closed:
            self.writer.write(data)

    def end_input(self) -> None:
        """Close our half of the connection."""
        self.half_closed = True
        self.writer.write_eof()

    def head(self, fields: Fields, *, end: bool = True, stream: int | None = None) -> tuple[int, bytes]:
        """Return a new stream's number and its HEADERS frame, which must be sent in this order."""
        if stream is None:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
        block = self.encoder.encode(list(fields))
        return stream, frame(HEADERS, END_HEADERS | int(end), stream, block)

    def request(self, fields: Fields, body: bytes | None = None, *, end: bool = True) -> int:
        """Send a request, with its body if there is one."""
        stream, data = self.head(fields, end=end and body is None)
        if body is not None:
            data += frame(DATA, int(end), stream, body)
        self.send(data)
        return stream

    async def step(self) -> bool:
        """Take one frame in; return False at the end of the connection."""
        try:
            head = await self.reader.readexactly(9)
            length, kind, flags, stream = struct.unpack(">I", b"\0" + head[:3])[0], head[3], head[4], 0
            stream = struct.unpack(">I", head[5:])[0]
            payload = await self.reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed = True
            return False
        self.frames.append((kind, stream))
        self._note(kind, flags, stream, payload)
        return True

    def _note(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            names = {str(name): str(value) for name, value in self._decoder.decode(payload)}
            self.headers[stream] = names
            self.statuses.setdefault(stream, []).append(int(names[":status"]))
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
            if self.takes_data and payload:
                size = struct.pack(">I", len(payload))
                ended = flags & END_STREAM
                self.send(
                    frame(WINDOW_UPDATE, 0, 0, size)
                    + (b"" if ended else frame(WINDOW_UPDATE, 0, stream, size))
                )
        elif kind == RST:
            self.resets[stream] = struct.unpack(">I", payload)[0]
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            self.goaways.append((last, code))
        elif kind == PING:
            self.pings += 1
        elif kind == SETTINGS and not flags:
            self.send(frame(SETTINGS, 1))
        if kind in {DATA, HEADERS} and flags & END_STREAM:
            self.ended.add(stream)

    async def until(self, *streams: int) -> None:
        """Read until each of these streams has ended, by an answer or by a reset."""
        while not all(stream in self.ended or stream in self.resets for stream in streams):
            assert await self.step(), f"the connection ended, GOAWAY {self.goaways}"

    async def until_closed(self) -> None:
        while await self.step():
            pass

    async def ping(self) -> None:
        """Wait until the server has read all that was sent."""
        before = self.pings
        self.send(frame(PING, 0, 0, b"12345678"))
        while self.pings == before:
            assert await self.step(), f"the connection ended, GOAWAY {self.goaways}"

    def close(self) -> None:
        self.writer.transport.abort()
