"""Slow and silent clients, limits, and the end of the server; all deadlines shortened."""

import asyncio
import contextlib
import json
import resource
import time
from typing import Any

import pytest

from fastpay.server.listener import open_connections_max
from tests.support.http_server import (
    GET,
    Receive,
    Scope,
    Send,
    answering,
    connect,
    read_body,
    respond,
    run,
    serving,
    split,
    talk,
)

QUICK: dict[str, Any] = {
    "tick_ms": 10,
    "head_timeout_ms": 50,
    "body_timeout_ms": 50,
    "idle_timeout_ms": 50,
    "write_timeout_ms": 50,
    "linger_timeout_ms": 50,
}
SLOW: dict[str, Any] = dict.fromkeys(QUICK, 60_000) | {"tick_ms": 10, "linger_timeout_ms": 50}


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte at a time for as long as the other side takes them."""
    with contextlib.suppress(ConnectionError):
        for index in range(len(data)):
            writer.write(data[index : index + 1])
            await writer.drain()
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "prefix", "slowly"),
    [
        ("head_timeout_ms", b"", b"GET / HTTP/1.1\r\nX: " + b"y" * 4000),
        ("head_timeout_ms", GET, b"GET / HTTP/1.1\r\nX: " + b"y" * 4000),
        ("body_timeout_ms", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n", b"y" * 4000),
        (
            "body_timeout_ms",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\ny\r\n" * 900,
        ),
    ],
)
def test_who_drips_gets_408_however_diligently(name: str, prefix: bytes, slowly: bytes) -> None:
    async def main() -> None:
        async with serving(answering(), **SLOW | {name: 50}) as server:
            reader, writer = await connect(server)
            writer.write(prefix)
            dripping = asyncio.create_task(drip(writer, slowly))
            last = split(await reader.read())[-1]
            assert last.status == 408
            assert json.loads(last.body)["error"]["type"] == "invalid_request_error"
            dripping.cancel()
            writer.close()

    run(main())


@pytest.mark.parametrize("prefix", [b"", GET])
def test_an_idle_connection_is_closed_without_a_word(prefix: bytes) -> None:
    async def main() -> None:
        async with serving(answering(b"ok"), **SLOW | {"idle_timeout_ms": 50}) as server:
            raw = await talk(server, prefix, half_close=False)
            assert [response.status for response in split(raw)] == ([200] if prefix else [])

    run(main())


def test_a_client_that_does_not_read_is_dropped() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                try:
                    while True:
                        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
                except OSError:
                    ended.set()

        async with serving(app, **SLOW | {"write_timeout_ms": 50}) as server:
            _, writer = await connect(server, limit=1024)
            writer.write(GET)
            await ended.wait()
            assert server.connection_count == 0
            writer.transport.abort()

    run(main())


def test_a_handler_may_take_its_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(0.2)
            await read_body(receive)
            await respond(send)

    async def main() -> None:
        async with serving(app, **QUICK) as server:
            raw = await talk(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            assert split(raw)[0].status == 200

    run(main())


def test_a_refused_sender_that_goes_on_still_gets_its_answer() -> None:
    async def main() -> None:
        async with serving(answering(), **SLOW | {"linger_timeout_ms": 2000}) as server:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
            reader, writer = await connect(server)
            for piece in (head, *[b"x" * 50_000] * 15):
                writer.write(piece)
                await asyncio.sleep(0.001)
            assert split(await reader.read())[0].status == 413
            writer.close()

    run(main())


def test_a_refused_sender_that_never_stops_is_cut_off() -> None:
    async def main() -> None:
        async with serving(answering(), **SLOW | {"linger_timeout_ms": 50}) as server:
            _, writer = await connect(server)
            writer.write(b"BAD\r\n\r\n")
            await drip(writer, b"x" * 100_000)
            assert server.connection_count == 0
            writer.close()

    run(main())


OK = b"HTTP/1.1 200 OK\r\n"


def test_one_connection_too_many_is_told_so() -> None:
    released = asyncio.Event()

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await released.wait()
            await respond(send)

    async def main() -> None:
        async with serving(stalling, connections_max=2, address_connections_max=3) as server:
            held = [await connect(server) for _ in range(2)]
            for _, writer in held:
                writer.write(GET)
            await asyncio.sleep(0.02)
            (refused,) = split(await talk(server, b"", half_close=False))
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["stripe-should-retry"] == "true"
            released.set()
            # Now both are idle, and one of them makes room.
            assert (await held[0][0].readline(), await held[1][0].readline()) == (OK, OK)
            assert split(await talk(server, GET))[0].status == 200
            for _, writer in held:
                writer.close()

    run(main())


def test_a_connection_serves_only_so_many_requests() -> None:
    async def main() -> None:
        async with serving(answering(), connection_requests_max=3) as server:
            found = split(await talk(server, GET * 5))
            assert [response.headers.get("connection") for response in found] == [None, None, "close"]

    run(main())


def test_without_files_for_more_connections_the_server_waits_without_spinning() -> None:
    async def main() -> None:
        async with serving(answering()) as server:
            reader, writer = await connect(server)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            used = socket_number(writer) + 1
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 3, hard))
            try:
                crowd: list[Any] = []
                while len(crowd) < 20:
                    try:
                        crowd.append(await connect(server))
                    except OSError:
                        break
                before = time.process_time()
                await asyncio.sleep(0.5)
                spent = time.process_time() - before
                writer.write(GET)
                assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert spent < 0.25
            for _, other in crowd:
                other.close()
            writer.close()
            assert split(await talk(server, GET))[0].status == 200

    run(main())


def socket_number(writer: asyncio.StreamWriter) -> int:
    number: int = writer.get_extra_info("socket").fileno()
    return number


def test_connections_never_claim_all_files_of_the_process() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert open_connections_max(10) == 10
    assert open_connections_max(1 << 40) < soft


def test_stopping_lets_running_requests_end_and_closes_idle_connections() -> None:
    async def main() -> None:
        begun = asyncio.Event()
        release = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                begun.set()
                await release.wait()
                await respond(send, b"finished")

        async with serving(app, drain_timeout_ms=20_000) as server:
            idle_reader, idle_writer = await connect(server)
            reader, writer = await connect(server)
            writer.write(GET * 2)
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            assert await idle_reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await connect(server)
            release.set()
            (only,) = split(await reader.read())
            assert only.body == b"finished"
            assert only.headers["connection"] == "close"
            await stopping
            for each in (idle_writer, writer):
                each.close()

    run(main())


def test_a_thousand_hostile_clients_cannot_hold_up_the_end() -> None:
    async def main() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            if scope["path"] == "/stubborn":
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(0.2)
                        if scope["query_string"] == b"":
                            return
            await read_body(receive)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            with contextlib.suppress(OSError):
                while True:
                    await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})

        kinds = [
            b"",
            b"GET / HT",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
            GET,
            b"BAD\r\n\r\n",
            b"GET /stubborn HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        async with serving(app, drain_timeout_ms=300) as server:
            clients = []
            for index in range(1000):
                _, writer = await connect(server, limit=256)
                writer.write(kinds[index % len(kinds)])
                clients.append(writer)
            await asyncio.sleep(0.2)
            async with asyncio.timeout(5):
                await server.stop()
            assert server.connection_count == 0
            for writer in clients:
                writer.transport.abort()

    run(main())
