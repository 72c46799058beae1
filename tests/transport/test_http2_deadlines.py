"""Deadlines over HTTP/2: what is slow ends, and nothing beside it."""

import asyncio
from typing import Any

import pytest

from tests.support.h2_client import frame
from tests.support.h2_raw import CALM, CANCEL, DATA, HEADERS, RawClient, connected, padded, request
from tests.support.http_server import Receive, Scope, Send, read_body, respond, run, serving

pytestmark = pytest.mark.usefixtures("each_engine")

QUICK = {"tick_ms": 10, "body_timeout_ms": 150, "linger_timeout_ms": 100}


async def trickle(client: RawClient, stream: int, piece: bytes) -> None:
    """Send a piece now and then until the stream ends, while other requests are answered."""
    for _ in range(1_000):
        if stream in client.resets or stream in client.ended:
            return
        client.send(piece)
        await client.until(client.request(request("POST", "/other"), b"whole"))
        await asyncio.sleep(0.02)
    raise AssertionError("the stream never ended")


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("sort", ["bytes", "padding", "nothing"])
def test_a_body_that_trickles_is_ended_and_other_streams_go_on(sort: str, begun: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, await read_body(receive))

    async def main() -> None:
        async with serving(app, **QUICK) as server, connected(server) as client:
            slow = client.request(request("POST", "/slow"), end=False)
            if begun:
                # So much that the handler runs, and reads whatever comes.
                for _ in range(3):
                    client.send(frame(DATA, 0, slow, bytes(12_000)))
            pieces = {
                "bytes": frame(DATA, 0, slow, b"x" * 64),
                "padding": padded(slow),
                "nothing": b"",
            }
            await trickle(client, slow, pieces[sort])
            assert client.statuses.get(slow, [408]) == [408]
            assert client.goaways == []

    run(main())


def test_the_time_of_a_slow_handler_is_not_on_the_senders_account() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(4 * QUICK["body_timeout_ms"] / 1000)
            await respond(send, b"%d" % len(await read_body(receive)))

    async def main() -> None:
        async with serving(app, **QUICK) as server, connected(server) as client:
            stream = client.request(request("POST", "/"), end=False)
            for _ in range(4):
                client.send(frame(DATA, 0, stream, bytes(16_000)))
            # No window is left: the rest waits for the handler.
            while (8, stream) not in client.frames:
                assert await client.step()
            client.send(frame(DATA, 1, stream, bytes(16_000)))
            await client.until(stream)
            assert (client.statuses[stream], client.bodies[stream]) == ([200], b"80000")

    run(main())


def test_a_field_block_that_does_not_end_ends_the_connection() -> None:
    async def main() -> None:
        settings: dict[str, Any] = {**QUICK, "head_timeout_ms": 100}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await asyncio.sleep(0.3)
                await respond(send, await read_body(receive))

        async with serving(app, **settings) as server, connected(server) as client:
            held = client.request(request("POST", "/"), b"pay")
            client.send(frame(HEADERS, 1, client.next_stream, b"\x82"))
            await client.until_closed()
            assert client.statuses == {held: [200]}
            assert client.goaways == [(held, 0)]

    run(main())


def test_an_answer_that_is_not_taken_is_reset_alone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, bytes(500_000) if scope["path"] == "/large" else b"ok")

    async def main() -> None:
        async with (
            serving(app, **QUICK, write_timeout_ms=100) as server,
            connected(server, settings=b"\0\4\0\0\0\x0a") as client,
        ):
            client.takes_data = False
            greedy = client.request(request("GET", "/large"))
            await client.until(greedy)
            assert client.resets == {greedy: CANCEL}
            await client.until(client.request(request()))
            assert CALM not in dict(client.goaways).values()

    run(main())
