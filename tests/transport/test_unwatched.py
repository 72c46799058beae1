"""Connections that no event can reach for a while: they are kept, and end when their deadline says so."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest

from fastpay import limits
from fastpay._native.poller import Stream
from fastpay.server import http2
from fastpay.server.http2_frames import PREFACE
from fastpay.server.listener import Server
from tests.support.doors import Certificate
from tests.support.http_server import GET, client_context, connect, respond, run, serving

BODY = b"x" * 4 * limits.ahead_bytes_max
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * len(BODY))


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    """Answer without a look at the body."""
    if scope["type"] == "http":
        await respond(send, b"no", 401)


async def emptied(server: Server) -> None:
    """Wait until nothing is counted of any connection."""
    assert server._service is not None
    for _ in range(1_000):
        if not server.connection_count and not len(server._service.peers):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a connection is counted that has ended")


def streams_of(server: Server) -> set[Stream]:
    assert server._service is not None
    nodes = server._service.wheel.nodes()
    return {found for node in nodes for found in gc.get_referents(node) if isinstance(found, Stream)}


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_a_body_is_discarded_after_an_answer_that_came_before_its_end(
    is_tls: bool, certificate: Certificate
) -> None:
    tls = {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)} if is_tls else {}
    options = {"ssl": client_context("http/1.1")} if is_tls else {}

    async def main() -> None:
        async with serving(refusing, **tls) as server:
            reader, writer = await connect(server, **options)
            writer.write(POST + BODY)
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
            gc.collect()
            # With bytes that are not read, the end of the connection would be a reset.
            writer.write(BODY)
            await writer.drain()
            writer.close() if is_tls else writer.write_eof()
            assert (await reader.read()).endswith(b"no")
            writer.close()
            await emptied(server)

    run(main())


def test_a_connection_that_cannot_become_http2_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(service: Any) -> Any:
        raise RuntimeError("no memory")

    async def main() -> None:
        monkeypatch.setattr(http2, "create_factory", lambda *_: fail)
        async with serving(refusing) as server:
            reader, writer = await connect(server)
            writer.write(PREFACE)
            try:
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            finally:
                writer.close()
            await emptied(server)

    run(main(), timeout_seconds=10)


def test_a_connection_that_is_not_watched_is_kept_until_its_deadline() -> None:
    async def main() -> None:
        async with serving(refusing, idle_timeout_ms=300) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 401")
            streams_of(server).pop().pause_reading()
            gc.collect()
            assert len(streams_of(server)) == 1
            assert await reader.read() == b""
            writer.close()
            await emptied(server)

    run(main())
