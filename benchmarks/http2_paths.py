"""One HTTP/2 connection without a socket: a request in, its response out, on either engine."""

import asyncio
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import hpack
import uvloop

from benchmarks.in_memory import Transport
from fastpay._native.service import Service
from fastpay.config import Http2Engine
from fastpay.server import http2, http2_engine
from fastpay.server.settings import ServerSettings

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_WINDOW = struct.pack(">I", (1 << 31) - 1 - 65_535)


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


@contextmanager
def http2_connection(
    create_service: Callable[[asyncio.AbstractEventLoop], Service],
    fields: list[tuple[bytes, bytes]],
    engine: Http2Engine,
) -> Iterator[Callable[[], bytes]]:
    """Give a function that sends the same request again, on its next stream, and returns what comes back."""
    settings = ServerSettings()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop, transport = runner.get_loop(), Transport()
        connect = http2.create_factory(
            settings, http2_engine.create_codecs(engine, settings), lambda: "req_1"
        )
        connection = connect(create_service(loop))
        connection.connection_made(cast(asyncio.Transport, transport))
        encoder = hpack.Encoder()
        block, stream = encoder.encode(fields), 1
        connection.data_received(_PREFACE + _frame(4, 0, 0, b"") + _frame(8, 0, 0, _WINDOW))
        connection.data_received(_frame(1, 5, stream, block))
        # All fields are in the table of the connection from here on.
        block = encoder.encode(fields)

        def ask() -> bytes:
            nonlocal stream
            stream += 2
            connection.data_received(_frame(1, 5, stream, block))
            return transport.written

        yield ask
        connection.connection_lost(None)
