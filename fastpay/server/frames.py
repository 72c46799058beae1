"""Connections between instances that carry frames: a length of four bytes, and then so many bytes.

On one host they are Unix sockets in the abstract namespace, which leave no files behind, and which both ends
accept only from a process of the same user. Between hosts they are TCP with TLS, where both ends show the
certificate that follows from a sealing key (`server/member_tls.py`). Whoever is neither is not heard.
"""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import cast

from fastpay import limits

_LENGTH = struct.Struct(">I")
# struct ucred: process, user and group. Source: unix(7), SO_PEERCRED.
_CREDENTIALS = struct.Struct("3i")


class FrameWire(asyncio.Protocol):
    """One connection. `received` is called with each frame, and `lost` once at the end."""

    def __init__(self, accept: "Callable[[FrameWire], None] | None" = None) -> None:
        self.received: Callable[[bytes], None] = lambda _: None
        self.lost: Callable[[], None] = lambda: None
        self._accept = accept
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_paused = False

    @property
    def is_full(self) -> bool:
        """Whether too much waits to be sent already."""
        return self._is_paused

    def send(self, frame: bytes) -> None:
        """Send a frame. Once the connection is lost, nothing happens."""
        if self._transport is not None:
            self._transport.writelines((_LENGTH.pack(len(frame)), frame))

    def close(self) -> None:
        """Send what waits, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and pass an accepted connection on."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(limits.home_buffer_bytes)
        if self._accept is None:
            return
        found = transport.get_extra_info("socket")
        if found.family == socket.AF_UNIX and not _is_own_user(found.fileno()):
            self.abort()
        else:
            self._accept(self)

    def data_received(self, data: bytes) -> None:
        """Pass on the frames that are complete."""
        self._unread += data
        while len(self._unread) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._unread)
            if length > limits.home_frame_bytes_max:
                self._unread.clear()
                self.abort()
                return
            end = _LENGTH.size + length
            if len(self._unread) < end:
                return
            frame = bytes(memoryview(self._unread)[_LENGTH.size : end])
            del self._unread[:end]
            self.received(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever uses the connection."""
        self._transport = None
        self.lost()

    def pause_writing(self) -> None:
        """Note that much waits to be sent."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Note that it was sent."""
        self._is_paused = False


class FrameNetwork:
    """Listens for such connections, and makes them.

    `socket_name` is in the abstract namespace. `address` is host and port for TCP, which needs `tls`: it is
    called for the contexts of the server's side and of the client's when they are needed.
    """

    def __init__(
        self,
        socket_name: str,
        *,
        address: str | None = None,
        tls: Callable[[], tuple[ssl.SSLContext, ssl.SSLContext]] | None = None,
    ) -> None:
        assert address is None or tls is not None
        self._socket_name = socket_name
        self._address = address
        self._tls = tls
        self._servers: list[asyncio.Server] = []

    async def listen(self, accept: Callable[[FrameWire], None]) -> None:
        """Accept connections. `accept` is called with each. Raises: OSError."""
        loop = asyncio.get_running_loop()
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.setblocking(False)
        unix.bind(f"\0{self._socket_name}")
        self._servers.append(await loop.create_unix_server(lambda: FrameWire(accept), sock=unix))
        if self._address is not None:
            host, port = _split_address(self._address)
            assert self._tls is not None
            self._servers.append(
                await loop.create_server(lambda: FrameWire(accept), host, port, ssl=self._tls()[0])
            )

    async def connect(self, socket_name: str, address: str | None) -> FrameWire:
        """Connect to an instance: on this host by its socket, or else by its address.

        Raises: OSError, TimeoutError.
        """
        loop = asyncio.get_running_loop()
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unix.setblocking(False)
            await loop.sock_connect(unix, f"\0{socket_name}")
            if _is_own_user(unix.fileno()):
                _, wire = await loop.create_unix_connection(FrameWire, sock=unix)
                return wire
        except OSError:
            pass
        unix.close()
        if address is None or self._tls is None:
            raise ConnectionRefusedError(
                "it is not on this host, and has no address or no sealing key is known"
            )
        host, port = _split_address(address)
        _, wire = await loop.create_connection(FrameWire, host, port, ssl=self._tls()[1], server_hostname="")
        return wire

    async def close(self) -> None:
        """Accept no more connections."""
        for server in self._servers:
            server.close()


def _split_address(address: str) -> tuple[str, int]:
    """Return host and port of an address such as `10.0.0.5:7000` or `[::1]:7000`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_own_user(descriptor: int) -> bool:
    """Tell whether the other end of a Unix socket was opened by a process of our user."""
    with socket.socket(fileno=os.dup(descriptor)) as own:
        found = own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(found)[1] == os.geteuid())
