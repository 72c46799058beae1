"""The HTTP/1.1 protocol of one connection."""

import asyncio

from fastpay._native.link import Link
from fastpay._native.service import Service

class Connection(Link):
    """An asyncio protocol that speaks HTTP/1.1 and passes HTTP/2 connections to another protocol."""

    def __init__(self, service: Service) -> None: ...
    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to read."""

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handler that the client is gone."""

    def data_received(self, data: bytes) -> None:
        """Read the data, and start the handlers of complete requests."""

    def eof_received(self) -> bool:
        """Return whether the connection stays open for writing."""

    def pause_writing(self) -> None:
        """Make handlers wait before they send more."""

    def resume_writing(self) -> None:
        """Let handlers send again."""

    def retire(self) -> None:
        """Close now if no handler runs, otherwise when the response is written."""
