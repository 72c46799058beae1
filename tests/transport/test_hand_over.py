"""What becomes of the open connections when another process has taken the listening socket over."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fastpay.server.listener import Server, ServerSettings
from tests.support.doors import Certificate
from tests.support.h2_client import Client, fields
from tests.support.http_server import GET, Application, Receive, Scope, Send, answering, connect, run, serving
from tests.transport.test_bytes_in_flight import until

_FOREVER_MS = 600_000


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope.get("path") == "/slow":
        await asyncio.sleep(0.1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _hand_over(server: Server) -> "asyncio.Task[None]":
    """Begin it, and return once it has begun."""
    task = asyncio.create_task(server.hand_over(period_ms=_FOREVER_MS, until=asyncio.Event()))
    await asyncio.sleep(0)
    return task


def test_the_next_answer_ends_a_kept_connection() -> None:
    async def main() -> None:
        async with serving(_answer) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            assert b"connection: close" not in (await reader.readuntil(b"ok")).lower()
            handing = await _hand_over(server)
            writer.write(GET)
            assert b"connection: close" in (await reader.read()).lower()
            writer.close()
            await handing

    run(main())


def test_a_connection_that_has_sent_nothing_yet_is_served() -> None:
    async def main() -> None:
        async with serving(_answer) as server:
            first, second = await connect(server), Client(server)
            async with second:
                await until(lambda: server.connection_count == 2)
                handing = await _hand_over(server)
                first[1].write(GET)
                assert (await first[0].read()).endswith(b"ok")
                stream = second.request(fields())
                await second.until(stream)
                await second.until_goaway()
                assert (second.statuses[stream], second.goaway) == ([200], 0)
            first[1].close()
            await handing

    run(main())


def test_over_http2_goaway_comes_when_no_request_is_open() -> None:
    async def main() -> None:
        async with serving(_answer) as server, Client(server) as client:
            await client.until(client.request(fields()))
            slow = client.request(fields(path="/slow"))
            await until(lambda: server.request_count == 2)
            handing = await _hand_over(server)
            # One more while the slow one is open.
            quick = client.request(fields())
            await client.until(quick)
            assert not client.closed
            assert client.resets == {}
            await client.until(slow)
            await client.until_goaway()
            assert client.statuses[slow] == [200]
            client.writer.close()
            await handing

    run(main())


@pytest.mark.parametrize("http2", [False, True])
def test_a_handshake_that_has_begun_is_completed_and_served(certificate: Certificate, http2: bool) -> None:
    async def main() -> None:
        context = ssl.create_default_context(cafile=certificate.cert)
        context.set_alpn_protocols(["h2" if http2 else "http/1.1"])
        tls = {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)}
        async with serving(_answer, **tls) as server:
            reader, writer = await connect(server)
            # The server has accepted it, and waits for the first bytes of the handshake.
            await asyncio.sleep(0.05)
            handing = await _hand_over(server)
            await asyncio.sleep(0.2)
            assert not handing.done()
            await writer.start_tls(context, server_hostname="localhost")
            if http2:
                client = Client(server)
                client.reader, client.writer = reader, writer
                client.connection.initiate_connection()
                stream = client.request(fields())
                await client.until(stream)
                assert client.statuses[stream] == [200]
            else:
                writer.write(GET)
                assert (await reader.readuntil(b"ok")).endswith(b"ok")
            writer.close()
            await handing

    run(main())


def test_a_stop_ends_it_at_once() -> None:
    async def main() -> None:
        async with serving(_answer) as server:
            reader, writer = await connect(server)
            await until(lambda: server.connection_count == 1)
            stopping = asyncio.Event()
            handing = asyncio.create_task(server.hand_over(period_ms=_FOREVER_MS, until=stopping))
            await asyncio.sleep(0)
            stopping.set()
            await handing
            await server.stop()
            assert await reader.read() == b""
            writer.close()

    run(main())


@asynccontextmanager
async def _sharing(first: Server, app: Application) -> AsyncIterator[Server]:
    """Yield another server with the listening socket of the first, which is neither opened nor stopped."""
    assert first.listening is not None
    yield Server(app, ServerSettings(port=0), inherited=first.listening.dup())


def test_a_connection_that_comes_later_waits_for_the_newcomer() -> None:
    async def main() -> None:
        async with serving(answering(b"old")) as old, _sharing(old, answering(b"new")) as new:
            # The last connection keeps the old server from ending.
            _, kept = await connect(old)
            await until(lambda: old.connection_count == 1)
            handing = await _hand_over(old)
            reader, writer = await connect(old)
            writer.write(GET)
            await asyncio.sleep(0.1)
            assert old.connection_count == 1
            await new.start()
            assert await reader.readuntil(b"new")
            writer.close()
            kept.close()
            await handing
            await new.stop()

    run(main())


def test_a_newcomer_that_fails_before_it_accepts_has_taken_no_connection() -> None:
    async def main() -> None:
        async with serving(answering(b"old")) as old, _sharing(old, answering(b"new")) as new:
            await new.open()
            for _ in range(20):
                reader, writer = await connect(old)
                writer.write(GET)
                assert await reader.readuntil(b"old")
                writer.close()
            await new.stop()
            reader, writer = await connect(old)
            writer.write(GET)
            assert await reader.readuntil(b"old")
            writer.close()

    run(main())


def test_a_newcomer_that_fails_leaves_the_path_of_the_socket(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "socket"
        async with serving(answering(b"old"), unix=str(path)) as old, _sharing(old, answering()) as new:
            await new.open()
            await new.stop()
            assert path.exists()
        assert not path.exists()

    run(main())
