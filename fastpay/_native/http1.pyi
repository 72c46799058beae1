"""The HTTP/1.1 protocol of one connection."""

import asyncio

from fastpay._native.link import Link
from fastpay._native.service import Service

class Connection(Link):
    """An asyncio protocol that speaks HTTP/1.1 and hands HTTP/2 over to its own protocol."""

    def __init__(self, service: Service) -> None: ...
    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to read."""

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handler that nobody listens any more."""

    def data_received(self, data: bytes) -> None:
        """Read what came, and start the handlers of requests that are complete."""

    def eof_received(self) -> bool:
        """Tell whether the connection stays open for writing."""

    def pause_writing(self) -> None:
        """Let handlers wait with what they send."""

    def resume_writing(self) -> None:
        """Let handlers send again."""

    def retire(self) -> None:
        """Close now if nothing is running here, or else as soon as the answer is written."""
