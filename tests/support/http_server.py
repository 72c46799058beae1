"""A server on a free port, a raw client, and a reader of responses that trusts nobody."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from fastpay.server.bytes_budget import BytesBudget
from fastpay.server.listener import Server, ServerSettings
from tests.support import doors

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def run(main: Coroutine[Any, Any, None], *, timeout_seconds: float = 30) -> None:
    """Run a test on the loop of production, and not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(timeout_seconds):
            await main

    uvloop.run(bounded())


@asynccontextmanager
async def serving(app: Application, **settings: Any) -> AsyncIterator[Server]:
    """Serve an application on a free port."""
    server = Server(app, ServerSettings(**{"port": 0, "drain_timeout_ms": 500, **settings}))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


async def connect(server: Server, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if server.url.startswith("http+unix://"):
        return await asyncio.open_unix_connection(server.url.removeprefix("http+unix://"), **options)
    return await asyncio.open_connection("127.0.0.1", port_of(server), **options)


async def talk(server: Server, *pieces: bytes, half_close: bool = True, **options: Any) -> bytes:
    """Send the pieces one after another, and return all that comes back until the end."""
    reader, writer = await connect(server, **options)
    try:
        for index, piece in enumerate(pieces):
            if index:
                await asyncio.sleep(0.01)
            writer.write(piece)
            await writer.drain()
        if half_close and writer.can_write_eof():
            writer.write_eof()
        return bytes(await reader.read())
    finally:
        writer.close()


@dataclass
class Response:
    """What a strict client understands of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    lines: list[bytes] = field(default_factory=list)


def split(raw: bytes, *methods: str) -> list[Response]:
    """Cut a stream into the answers to requests with these methods (GET, where there are more)."""
    found: list[Response] = []
    while raw:
        head, separator, raw = raw.partition(b"\r\n\r\n")
        assert separator, f"no end of head in {head!r}"
        lines = head.split(b"\r\n")
        version, status, _ = lines[0].split(b" ", 2)
        assert version == b"HTTP/1.1", lines[0]
        pairs = [line.split(b": ", 1) for line in lines[1:]]
        headers = {name.decode().lower(): value.decode() for name, value in pairs}
        assert len(headers) == len(pairs), f"a repeated field in {head!r}"
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        body = b""
        if int(status) >= 200:
            body, raw = _cut_body(raw, headers, has_body=method != "HEAD" and int(status) not in {204, 304})
        found.append(Response(int(status), headers, body, lines))
    return found


def _cut_body(raw: bytes, headers: dict[str, str], *, has_body: bool) -> tuple[bytes, bytes]:
    if not has_body:
        return b"", raw
    if "content-length" in headers:
        assert "transfer-encoding" not in headers
        length = int(headers["content-length"])
        assert len(raw) >= length, f"{len(raw)} of {length} bytes of a body"
        return raw[:length], raw[length:]
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, separator, raw = raw.partition(b"\r\n")
            assert separator
            length = int(size, 16)
            assert raw[length : length + 2] == b"\r\n"
            body += raw[:length]
            raw = raw[length + 2 :]
            if length == 0:
                return body, raw
    assert headers.get("connection") == "close"
    return raw, b""


def answering(body: bytes = b"ok", *, status: int = 200, headers: list[Any] | None = None) -> Application:
    """Return an application that gives one answer to everything."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": status, "headers": headers or []})
            await send({"type": "http.response.body", "body": body})

    return app


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += bytes(message["body"])
        if not message["more_body"]:
            return body


async def respond(send: Send, body: bytes = b"ok", status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def make_certificate(folder: Path, name: str = "localhost") -> tuple[str, str]:
    """Make a certificate for a name; return the paths of certificate and key."""
    made = doors.make_certificate(folder, name)
    return str(made.cert), str(made.key)


def client_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def holding_back(release: asyncio.Event, path: str | None = None) -> Application:
    """Return an application that reads and responds, for this path or for all only after the release."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if path is None or scope["path"] == path:
                await release.wait()
            await read_body(receive)
            await respond(send)

    return app


def create_task(awaitable: Any) -> asyncio.Task[Any]:
    """Do what middleware does with `receive()`: take it for a coroutine."""
    return asyncio.create_task(awaitable)


def answers(app: Application, *pieces: bytes, methods: tuple[str, ...] = (), **settings: Any) -> Any:
    """Return the responses of an application to one connection, on which these pieces are sent."""
    raw: list[bytes] = []

    async def main() -> None:
        async with serving(app, **settings) as server:
            raw.append(await talk(server, *pieces))

    run(main())
    return split(raw[0], *methods)


def held_by(budget: BytesBudget, name: str) -> int:
    """Return how many bytes an account of a server's budget holds."""
    account = budget.accounts.get(name)
    return 0 if account is None else account.held
