"""TLS: versions, and a certificate that changes while connections are open."""

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from fastpay.errors import ConfigurationError
from fastpay.server.listener import Server, ServerSettings
from tests.support.http_server import (
    GET,
    Receive,
    Scope,
    Send,
    answering,
    client_context,
    connect,
    make_certificate,
    respond,
    run,
    serving,
    split,
    talk,
)

CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def name_seen(server: Server) -> bytes:
    _, writer = await connect(server, ssl=client_context())
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return certificate


def test_http1_is_served_over_tls(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
            await respond(send, b"x" * 200_000)

    async def main() -> None:
        async with serving(app, tls_cert=cert, tls_key=key) as server:
            assert server.url.startswith("https://")
            found = split(await talk(server, GET * 2 + CLOSING, ssl=client_context("http/1.1")))
            assert [len(response.body) for response in found] == [200_000] * 3
            (refused,) = split(await talk(server, b"BAD\r\n\r\n", ssl=client_context()))
            assert refused.status == 400

    run(main())
    assert {scope["scheme"] for scope in scopes} == {"https"}


def test_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def main() -> None:
        async with serving(answering(), tls_cert=cert, tls_key=key) as server:
            old = client_context()
            with pytest.warns(DeprecationWarning, match="TLSVersion"):
                old.minimum_version = ssl.TLSVersion.TLSv1
            with pytest.warns(DeprecationWarning, match="TLSVersion"):
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(server, ssl=old)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = client_context()
                context.minimum_version = context.maximum_version = version
                assert split(await talk(server, CLOSING, ssl=context))[0].status == 200

    run(main())


def test_a_reload_changes_new_connections_and_no_open_one(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    new_cert, new_key = make_certificate(tmp_path, "renewed")

    async def main() -> None:
        async with serving(answering(), tls_cert=cert, tls_key=key) as server:
            reader, writer = await connect(server, ssl=client_context("http/1.1"))
            before = await name_seen(server)
            shutil.copyfile(new_cert, cert)
            with pytest.raises(ConfigurationError, match="certificate"):
                # The key does not belong to it yet: nothing changes.
                server.reload_tls()
            assert await name_seen(server) == before
            shutil.copyfile(new_key, key)
            server.reload_tls()
            assert await name_seen(server) != before
            writer.write(GET)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            writer.close()

    run(main())


def test_a_client_that_never_shakes_hands_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = make_certificate(tmp_path)
    monkeypatch.setattr("fastpay.limits.tls_handshake_timeout_ms", 100)

    async def main() -> None:
        async with serving(answering(), tls_cert=cert, tls_key=key) as server:
            reader, writer = await connect(server)
            assert await reader.read() == b""
            writer.close()

    run(main())


@pytest.mark.parametrize(
    "settings",
    [
        {"tls_cert": "/nowhere/cert.pem"},
        {"unix": "/nowhere/socket"},
        {"host": "192.0.2.1"},
        {"trusted_proxies": ("a proxy",)},
    ],
)
def test_a_door_that_cannot_open_says_why(settings: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError):
            await Server(answering(), ServerSettings(**{"port": 0, **settings})).start()

    run(main())


def test_a_unix_socket_is_served_and_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "door"

    async def main() -> None:
        async with serving(answering(), unix=str(path)) as server:
            assert server.url == f"http+unix://{path}"
            assert split(await talk(server, CLOSING))[0].status == 200
        assert not path.exists()

    run(main())


def test_an_application_that_cannot_start_keeps_the_door_shut() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="no database"):
            await Server(app, ServerSettings(port=0)).start()

    run(main())


def test_shutdown_comes_after_the_last_answer() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            order.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        await asyncio.sleep(0.05)
        await respond(send)
        order.append("answer")

    async def main() -> None:
        async with serving(app) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            await asyncio.sleep(0.02)
            await server.stop()
            assert split(await reader.read())[0].status == 200
            writer.close()

    run(main())
    assert order == ["answer", "shutdown"]


def test_two_servers_may_share_a_port_on_request() -> None:
    async def main() -> None:
        async with serving(answering(), reuse_port=True) as first:
            port = int(first.url.rpartition(":")[2])
            async with serving(answering(), reuse_port=True, port=port) as second:
                assert second.url == first.url

    run(main())
