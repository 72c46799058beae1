"""An HTTP/1.1 connection without a network: bytes in, bytes out, and what the handlers were told."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, cast

from fastpay._native.http1 import Connection
from fastpay._native.service import Service
from fastpay.clock import SystemClock
from fastpay.server.refusal import Refuser
from fastpay.server.settings import ServerSettings


class Transport:
    """What a connection needs of a transport; it keeps what was written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False
        self.paused = False
        self.ended = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 9) if name == "peername" else None


class Wire:
    """Feeds byte streams to connections of one service."""

    def __init__(self, app: Any = None, **settings: Any) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.service = Service(
            app or self._answer,
            asyncio.get_running_loop(),
            ServerSettings(**settings),
            clock=SystemClock(),
            refuse=Refuser(),
            switch_to_http2=None,
            server=("127.0.0.1", 80),
            scheme="http",
        )

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % len(body)})

    def open(self) -> tuple[Connection, Transport]:
        connection, transport = Connection(self.service), Transport()
        connection.connection_made(cast(asyncio.Transport, transport))
        return connection, transport

    def feed(self, *pieces: bytes) -> tuple[list[int], list[bytes], int]:
        """Return the statuses of the answers, the bodies that handlers read, and how many were run."""
        self.scopes.clear()
        self.bodies.clear()
        connection, transport = self.open()
        for piece in pieces:
            connection.data_received(piece)
        statuses = statuses_of(bytes(transport.written))
        connection.connection_lost(None)
        return statuses, list(self.bodies), len(self.scopes)


def statuses_of(raw: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


def cuts(stream: bytes) -> Iterable[tuple[bytes, ...]]:
    """Yield the stream whole, cut in two at each place, and byte by byte."""
    yield (stream,)
    for place in range(1, len(stream)):
        yield (stream[:place], stream[place:])
    yield tuple(stream[place : place + 1] for place in range(len(stream)))
