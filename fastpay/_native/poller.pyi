"""Sockets of plain connections, read and written without uvloop's streams."""

import asyncio
import socket
from typing import Any

from fastpay._native.peers import Member
from fastpay._native.service import BytesBudget

class Endpoint(Member):
    """A compiled protocol, which a Stream calls without looking its methods up."""

class AcceptHandler:
    """Accepts connections when the listening socket is ready."""

class Poller:
    """Watches a listening socket and transfers the bytes of connections.

    The poller owns the listening socket from here on.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        bytes_budget: BytesBudget | None = None,
    ) -> None: ...
    def listen(self, handler: AcceptHandler) -> None:
        """Begin to accept connections."""

    def close(self) -> None:
        """Stop accepting. Open connections continue."""

    def release(self) -> None:
        """Close the epoll set, after the last connection has ended."""

class Stream:
    """The transport of one plain connection: asyncio's, as far as protocols use it."""

    def set_protocol(self, protocol: Any) -> None:
        """Pass input to another protocol."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return peername or sockname; other names are unknown."""

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""

    def pause_reading(self) -> None:
        """Leave input in the kernel."""

    def resume_reading(self) -> None:
        """Read again."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now, and keep what the kernel does not accept."""

    def writelines(self, pieces: list[bytes]) -> None:
        """Send the pieces together."""

    def can_write_eof(self) -> bool:
        """Return True: one direction can be closed."""

    def write_eof(self) -> None:
        """Close the sending direction once everything is sent."""

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the kernel has not accepted."""

    def close(self) -> None:
        """End the connection once everything is sent."""

    def abort(self) -> None:
        """End the connection now."""
