"""A proxy in front of an HTTP server that cuts, delays and repeats one request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["closes", "cuts_request", "cuts_answer", "halves_answer", "holds_answer", "repeats_request"]
FAULTS: tuple[Fault, ...] = (
    *("closes", "cuts_request", "cuts_answer"),
    *("halves_answer", "holds_answer", "repeats_request"),
)
# After these the server has certainly acted.
ACTED: tuple[Fault, ...] = ("cuts_answer", "halves_answer", "holds_answer", "repeats_request")


class FaultyProxy:
    """Has its fault with each request whose path does not begin with `spared`."""

    def __init__(self, upstream: str, fault: Fault, *, spared: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname, parts.port
        self._fault = fault
        self._spared = spared.encode()
        self.faults = 0
        # Set once the server has answered a request with a fault.
        self.acted = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await self._pass_on(reader, writer):
                pass
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass on one request and its answer; return whether the connection goes on."""
        request = await read_message(reader)
        if request.split(b" ")[1].startswith(self._spared):
            writer.write(await self._ask(request))
            return True
        self.faults += 1
        if self._fault == "closes":
            return False
        if self._fault == "cuts_request":
            await self._ask(request[:-7], is_whole=False)
            return False
        answer = await self._ask(request)
        if self._fault == "repeats_request":
            await self._ask(request)
        self.acted.set()
        if self._fault == "repeats_request":
            writer.write(answer)
            return True
        if self._fault == "halves_answer":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
        if self._fault == "holds_answer":
            # Until the client gives up.
            await reader.read()
        return False

    async def _ask(self, request: bytes, *, is_whole: bool = True) -> bytes:
        return await ask_at(self._host, self._port, request, is_whole=is_whole)


async def ask_at(host: str | None, port: int | None, request: bytes, *, is_whole: bool = True) -> bytes:
    """Send a request on a connection of its own, and return the answer, b"" to one that is not whole."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        return await read_message(reader) if is_whole else b""
    finally:
        writer.close()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Return a head, and a body if it has a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


@contextlib.asynccontextmanager
async def faulty_proxy(upstream: str, fault: Fault, *, spared: str) -> AsyncIterator[FaultyProxy]:
    """Run a proxy for the block."""
    proxy = FaultyProxy(upstream, fault, spared=spared)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
