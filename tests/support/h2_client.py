"""A small HTTP/2 client that does what it is told, also what it must not do."""

import struct
from types import TracebackType
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from fastpay.server.listener import Server
from tests.support.http_server import connect

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CALM = 11


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def fields(method: str = "GET", path: str = "/", **extra: str) -> list[tuple[str, str]]:
    pseudo = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
    return pseudo + [(name.replace("__", "-"), value) for name, value in extra.items()]


class Client:
    """One connection; `answers` and `goaway` are filled as bytes come in."""

    def __init__(self, server: Server, **options: Any) -> None:
        self._server = server
        self._options = options
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.connection = h2.connection.H2Connection(config=config)
        self.statuses: dict[int, list[int]] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goaway: int | None = None
        self.pings = 0
        self.closed = False
        self.tail = b""
        self.takes_data = True
        # Nothing of the codec's own may come between the pieces of raw frames.
        self.quiet = False

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await connect(self._server, **self._options)
        self.connection.initiate_connection()
        self.flush()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()

    def flush(self) -> None:
        if not self.quiet:
            self.writer.write(self.connection.data_to_send())

    def raw(self, data: bytes) -> None:
        self.flush()
        self.writer.write(data)

    def request(self, headers: list[tuple[str, str]], body: bytes | None = None, *, end: bool = True) -> int:
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, headers, end_stream=end and body is None)
        if body is not None:
            self.connection.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    async def step(self) -> bool:
        """Take in what comes next; return False at the end of the connection."""
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return False
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            # The codec takes nothing more after a GOAWAY, but streams may still be answered.
            self.tail += data
            return True
        for event in events:
            self._note(event)
        self.flush()
        return True

    async def until(self, *streams: int) -> None:
        """Read until these streams have ended, by an answer or by a reset."""
        while not all(stream in self.ended or stream in self.resets for stream in streams):
            assert await self.step(), f"the connection ended, GOAWAY {self.goaway}"

    async def until_goaway(self) -> None:
        while self.goaway is None:
            assert await self.step(), "the connection ended without GOAWAY"

    async def until_closed(self) -> None:
        while await self.step():
            pass

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.InformationalResponseReceived):
            names = {str(name): str(value) for name, value in event.headers}
            self.headers[event.stream_id] = names
            self.statuses.setdefault(event.stream_id, []).append(int(names[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            if self.takes_data:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code or 0)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
