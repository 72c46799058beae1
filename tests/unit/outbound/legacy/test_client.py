"""How long the older API may be silent: never longer than this, and only while it is its turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

from fastpay.engine.dependency_ports import NoPart
from fastpay.engine.rollout.ports import PassedRequest
from fastpay.outbound.legacy.client import LegacyClient
from tests.support.legacy import OK, Heard, read_body

TIMEOUT_MS = 100
LONGER_S = 3 * TIMEOUT_MS / 1000
CHUNKED = [("transfer-encoding", "chunked")]


class Body:
    """A body that the client is still sending: the test says what, and when."""

    is_whole = False

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def next(self) -> bytes | None:
        return await self.pieces.get()

    async def until_left(self) -> None:
        await asyncio.Event().wait()


@dataclass
class Older:
    """An API that answers as soon as a head is here. `heard` gets each body once it is whole."""

    answer: bytes
    url: str = ""
    connections: int = 0
    heard: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(self.answer)
                self.heard.put_nowait(await read_body(Heard(0, "", CHUNKED), reader))
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def asking(answer: bytes) -> AsyncIterator[tuple[Older, LegacyClient]]:
    older = Older(answer)
    server = await asyncio.start_server(older.serve, "127.0.0.1", 0)
    older.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = LegacyClient(older.url, part=NoPart(), timeout_ms=TIMEOUT_MS, idle_ms=60_000)
    try:
        yield older, client
    finally:
        await client.close()
        server.close()


def request() -> PassedRequest:
    return PassedRequest(
        method="POST",
        target=b"/v2/orders",
        fields=[(b"host", b"a")],
        http_version="1.1",
        scheme="http",
        client=None,
        request_id="req_1",
    )


def test_a_client_that_sends_slowly_is_not_taken_for_an_older_api_that_is_late() -> None:
    """Though the answer has begun. The request does not end: no timeout may run at any time."""

    async def main() -> None:
        begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
        async with asking(begun) as (_, client):
            answer = await client.ask(request(), Body(b"first"))
            assert await answer.next() == b"one"
            following = asyncio.create_task(answer.next())
            await asyncio.wait([following], timeout=LONGER_S)
            was_awaited = not following.done()
            answer.close()
            following.cancel()
            assert was_awaited, following.exception()

    asyncio.run(main())


def test_no_timeout_is_left_on_a_connection_that_is_kept() -> None:
    """The answer is over before its request is: once that is complete, nothing is awaited any more."""

    async def main() -> None:
        async with asking(OK) as (older, client):
            for _ in range(2):
                body = Body(b"first")
                with closing(await client.ask(request(), body)) as answer:
                    assert await answer.next() == b"ok"
                    assert await answer.next() is None
                    body.pieces.put_nowait(None)
                    assert await older.heard.get() == b"first"
                await asyncio.sleep(LONGER_S)
            assert older.connections == 1

    asyncio.run(main())
