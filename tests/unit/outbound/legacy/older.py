"""An older API in the test's own loop, a client of it, and what that client sends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from fastpay.engine.dependency_ports import NoPart
from fastpay.engine.rollout.ports import PassedRequest
from fastpay.outbound.legacy.client import LegacyClient
from tests.support.legacy import OK

TIMEOUT_MS = 100
LONGER_S = 3 * TIMEOUT_MS / 1000

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Older:
    """How many connections came, and how many requests on each."""

    port: int = 0
    requests: list[int] = field(default_factory=list)


@asynccontextmanager
async def asking(serve: Serve | None = None, **settings: Any) -> AsyncIterator[tuple[Older, LegacyClient]]:
    """Serve each connection like this, by default with an answer to each head, and make a client."""
    older, tasks = Older(), set[asyncio.Task[Any]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(older.requests)
        older.requests.append(0)
        while await reader.readuntil(b"\r\n\r\n"):
            older.requests[number] += 1
            writer.write(OK)

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, RuntimeError, ValueError, asyncio.IncompleteReadError):
            await (serve or answer)(reader, writer)
        writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    older.port = server.sockets[0].getsockname()[1]
    settings = {"timeout_ms": TIMEOUT_MS, "idle_ms": 60_000, **settings}
    client = LegacyClient(
        f"http://older.example:{older.port}", part=NoPart(), **{"resolve": here, **settings}
    )
    try:
        yield older, client
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*tasks)


async def here(_: str, port: int) -> list[Any]:
    """Return the address of this machine, as `getaddrinfo` does."""
    return [(0, 0, 0, "", ("127.0.0.1", port))]


class Body:
    """A body that the client is still sending: the test says what, and when, and whether it leaves."""

    is_whole = False

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def next(self) -> bytes | None:
        """Return what the test gives."""
        return await self.pieces.get()

    async def until_left(self) -> None:
        """Never return."""
        await asyncio.Event().wait()


class Whole(Body):
    """A body that is here, of a client that leaves when `leaves` is set."""

    is_whole = True

    def __init__(self, first: bytes = b"") -> None:
        super().__init__(first)
        self.leaves = asyncio.Event()

    async def until_left(self) -> None:
        """Return when the test says so."""
        await self.leaves.wait()


def request(method: str = "POST") -> PassedRequest:
    """Return a request."""
    return PassedRequest(
        method=method,
        target=b"/v2/orders",
        fields=[(b"host", b"a")],
        http_version="1.1",
        scheme="http",
        client=None,
        request_id="req_1",
    )


async def whole(client: LegacyClient, method: str = "GET") -> bytes:
    """Ask, and return all of the answer's body."""
    answer, body = await client.ask(request(method), Whole()), b""
    try:
        while (piece := await answer.next()) is not None:
            body += piece
    finally:
        answer.close()
    return body
