"""A connection whose flights a test sends one by one, and that notices a reset; TLS records in memory."""

import asyncio
import socket
import ssl

from fastpay.server.listener import Server
from tests.support.http_server import port_of


class Wire:
    """Reader and writer of one connection.

    `write` sends at once, and raises ConnectionError if the other side has reset the connection. So does
    `read`, which returns nothing at an orderly end. An end of a TLS connection without close_notify is a
    reset, too.
    """

    def __init__(self, server: Server, context: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        # So that a response of some hundred kilobytes does not fit into the buffers of the kernel.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._socket.connect(("127.0.0.1", port_of(server)))
        self._socket.setblocking(False)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._channel: ssl.SSLObject | None = None
        if context is not None:
            self._channel = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._read = b""
        # How many bytes of the next write were sent before.
        self.skip = 0

    # The handshake.

    def hello(self, size: int | None = None) -> None:
        """Begin the handshake; send only so many bytes of the first flight."""
        self._shake_hands()
        self._socket.send(self._outgoing.read() if size is None else self._outgoing.read(size))

    async def complete(self) -> None:
        """Finish the handshake. The last flight waits for the next write (`send_flight`)."""
        self.send_flight()
        while not self._shake_hands():
            self.send_flight()
            self._incoming.write(await self._receive())

    def send_flight(self) -> None:
        """Send what the handshake has left to send."""
        if self._outgoing.pending:
            self._socket.send(self._outgoing.read())

    def _shake_hands(self) -> bool:
        assert self._channel is not None
        try:
            self._channel.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    # Bytes.

    def write(self, data: bytes) -> None:
        data, self.skip = data[self.skip :], max(0, self.skip - len(data))
        if self._channel is None:
            assert self._socket.send(data) == len(data)
        else:
            self._channel.write(data)
            self.send_flight()

    async def read(self) -> bytes:
        """Return what comes next; nothing at the end."""
        if self._channel is None:
            return await self._loop.sock_recv(self._socket, 4_096)
        while True:
            try:
                return self._channel.read(4_096)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self._incoming.write(await self._receive())

    async def _receive(self) -> bytes:
        data = await self._loop.sock_recv(self._socket, 4_096)
        if not data:
            raise ConnectionResetError("the end without close_notify")
        return data

    async def readexactly(self, size: int) -> bytes:
        """Do what a StreamReader does."""
        while len(self._read) < size:
            data = await self.read()
            if not data:
                raise asyncio.IncompleteReadError(self._read, size)
            self._read += data
        found, self._read = self._read[:size], self._read[size:]
        return found

    async def is_open(self) -> bool:
        """Return whether nothing comes for some turns of the loop, also no end."""
        reading = asyncio.ensure_future(self.read())
        await asyncio.wait([reading], timeout=0.1)
        if reading.done():
            assert reading.result() == b""
            return False
        reading.cancel()
        await asyncio.wait([reading])
        return True

    def close(self) -> None:
        self._socket.close()
