"""Follows a fastpay server's stream of events, for development and for the command line."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import aiohttp

from fastpay import limits


class StreamedEvent(NamedTuple):
    """An event of the stream: its number in the sequence, and its JSON exactly as it was sent."""

    sequence: int
    body: bytes


class StreamRefused(Exception):
    """The server refuses the stream. Its text is what the server says."""


class EventStream:
    """The events of a tenant from a server, without a gap, also after the connection was lost.

    Source: WHATWG HTML, 9.2 (server-sent events), as far as fastpay uses it.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, after: int | None = None) -> None:
        """Follow `url` from behind a number of the sequence, or from now on."""
        self._url = url
        self._headers = {**headers, "Accept": "text/event-stream"}
        self._after = after

    async def events(self) -> AsyncIterator[StreamedEvent]:
        """Yield events as they happen, for ever. Raises: StreamRefused."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=5, sock_read=limits.feed_silence_ms_max / 1000
        )
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session:
            while True:
                try:
                    async for event in self._connection(session):
                        yield event
                except (aiohttp.ClientError, OSError, TimeoutError):
                    pass
                await asyncio.sleep(limits.feed_reconnect_ms / 1000)

    async def _connection(self, session: aiohttp.ClientSession) -> AsyncIterator[StreamedEvent]:
        headers = dict(self._headers)
        if self._after is not None:
            headers["Last-Event-ID"] = str(self._after)
        async with session.get(self._url, headers=headers, allow_redirects=False) as response:
            if response.status in {429, 500, 502, 503, 504}:
                return
            if response.status != 200:
                raise StreamRefused((await response.content.read(limits.outbound_answer_bytes_max)).decode())
            data = b""
            sequence: int | None = None
            async for line in response.content:
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"id":
                    sequence = int(value)
                elif name == b"data":
                    data = value
                elif not name and sequence is not None:
                    # Only now: a client that was cut off within an event gets it again.
                    if data:
                        yield StreamedEvent(sequence, data)
                    self._after, data, sequence = sequence, b"", None
