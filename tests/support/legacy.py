"""An older API of the tests: raw HTTP/1.1 on real sockets, which says exactly what it is told."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

Handler = Callable[["Heard", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Heard:
    """A request as its bytes came. `connection` counts from 1."""

    connection: int
    line: str
    fields: list[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for own, value in self.fields if own.lower() == name]


@dataclass
class RawLegacy:
    """The server. `answers` are by path: bytes, or what takes over the connection.

    `otherwise` returns the bytes for any other target.
    """

    answers: dict[str, bytes | Handler] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    otherwise: Callable[[str], bytes] = lambda target: OK
    url: str = ""
    connections: int = 0
    ended: int = 0

    def last(self, path: str) -> Heard:
        """Return the last request for a path."""
        return next(one for one in reversed(self.heard) if one.line.split(" ")[1] == path)

    def count(self, path: str) -> int:
        """Return how many requests for a path came."""
        return sum(one.line.split(" ")[1] == path for one in self.heard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        self.connections += 1
        number = self.connections
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                heard = await _read_head(reader, number)
                self.heard.append(heard)
                target = heard.line.split(" ")[1]
                answer = self.answers.get(target.partition("?")[0]) or self.otherwise(target)
                if callable(answer):
                    await answer(heard, reader, writer)
                    break
                heard.body = await read_body(heard, reader)
                writer.write(answer)
                await writer.drain()
        self.ended += 1
        with contextlib.suppress(ConnectionError):
            writer.close()


async def read_body(heard: Heard, reader: asyncio.StreamReader) -> bytes:
    """Return a body, by a strict reading of its framing."""
    lengths, codings = heard.values("content-length"), heard.values("transfer-encoding")
    assert len(lengths) + len(codings) <= 1, heard.fields
    if lengths:
        return await reader.readexactly(int(lengths[0]))
    body = b""
    while codings:
        assert codings == ["chunked"]
        size = int(await reader.readline(), 16)
        piece = await reader.readexactly(size + 2)
        assert piece.endswith(b"\r\n")
        body += piece[:-2]
        if not size:
            break
    return body


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def running_legacy(tls: ssl.SSLContext | None = None) -> Iterator[RawLegacy]:
    """Run one for the block, in a thread of its own."""
    legacy, started = RawLegacy(), threading.Event()
    stop: list[Callable[[], object]] = []

    async def main() -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(legacy.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
        legacy.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        stop.append(lambda: loop.call_soon_threadsafe(stopping.set))
        started.set()
        await stopping.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield legacy
    finally:
        stop[0]()
        thread.join(60)


async def _read_head(reader: asyncio.StreamReader, number: int) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.split("\r\n")[:-2]
    pairs = [one.partition(": ") for one in lines]
    return Heard(number, line, [(name, value) for name, _, value in pairs])


def spoken(url: str, *pieces: bytes) -> bytes:
    """Send raw bytes on a connection, and return all that comes until its end."""
    host, _, port = url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while got := connection.recv(65_536):
                said += got
    return said
