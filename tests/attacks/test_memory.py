"""Clients that never finish a request, or never read an answer, cannot fill the server's memory."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fastpay import limits
from tests.support.h2_client import Client, fields
from tests.support.http_server import run
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import make_tenant

BUDGET = 16 << 20
ATTACKER, CUSTOMER = "127.0.0.2", "127.0.0.3"
# A body that the API takes, and that is as long as one may be: empty fields of a form are skipped.
EMAIL = b"email=a%40example.com"
LONG = b"&" * (1_000_000 - len(EMAIL)) + EMAIL
CUSTOMERS = 100
# So many attackers hold four times the budget, each what a request may be.
ATTACKERS = 4 * BUDGET // len(LONG)


@pytest.fixture(scope="module")
def bounded_server(plain_server: RunningServer, cluster: Path) -> Iterator[RunningServer]:
    """A server with a small budget, on the database of the shared one."""
    environment = {
        "FASTPAY_DATABASE_URL": plain_server.database_url,
        "FASTPAY_INFLIGHT_BYTES_MAX": str(BUDGET),
    }
    with running_server("memory", cluster, environment=environment) as running:
        running.test_key = plain_server.test_key
        run(_warm_up(running))
        yield running


def head(server: RunningServer, path: str, length: int | None = None, *, key: str | None = None) -> bytes:
    method = "GET" if length is None else "POST"
    lines = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {key or server.test_key}"]
    if length is not None:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def connect(server: RunningServer, address: str, *, reads: bool = True) -> socket.socket:
    client = socket.socket()
    if not reads:
        # The less the kernel takes, the more the server has to keep.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.bind((address, 0))
    client.setblocking(False)
    port = urlsplit(server.url).port
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


async def push(client: socket.socket, data: bytes) -> None:
    """Send as much as the server takes."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(10):
            await asyncio.get_running_loop().sock_sendall(client, data)


async def ask(server: RunningServer, data: bytes, *, address: str = CUSTOMER) -> int:
    """Send a request and return the status of its answer, which is read to the end."""
    client = await connect(server, address)
    reader, writer = await asyncio.open_connection(sock=client)
    try:
        writer.write(data)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return int(answer[9:12])
    finally:
        writer.close()


async def _warm_up(server: RunningServer) -> None:
    """Have everything done once, so that what grows later is what is held."""
    metadata = "".join(f"&metadata[k{number}]={'v' * 500}" for number in range(50)).encode()
    body = EMAIL + metadata
    request = head(server, "/v1/customers", len(body)) + body
    assert set(await asyncio.gather(*(ask(server, request) for _ in range(CUSTOMERS)))) == {200}
    release(await hold_http2_bodies(server))
    await asyncio.sleep(0.1)
    for _ in range(4):
        assert await ask(server, head(server, "/v1/customers?limit=100")) == 200
        assert await ask(server, head(server, "/v1/customers", len(LONG)) + LONG) == 200


async def settled_rss(server: RunningServer) -> int:
    """Return the resident memory once it does not change any more."""
    before, now, waits = -1, resident_bytes(server), 0
    while abs(now - before) > 1 << 19 and waits < 40:
        await asyncio.sleep(0.5)
        before, now, waits = now, resident_bytes(server), waits + 1
    return now


async def falls_to(server: RunningServer, bound: float) -> None:
    """Wait until the server holds no more than so much, now that all that is to come has come."""
    await asyncio.sleep(0.5)
    for _ in range(40):
        if resident_bytes(server) <= bound:
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"{resident_bytes(server):,} bytes, not {bound:,.0f}")


def resident_bytes(server: RunningServer) -> int:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


async def hold_bodies(server: RunningServer) -> list[Any]:
    clients = [await connect(server, ATTACKER) for _ in range(ATTACKERS)]
    data = head(server, "/v1/customers", len(LONG)) + LONG[:-1]
    await asyncio.gather(*(push(client, data) for client in clients))
    return clients


async def hold_answers(server: RunningServer) -> list[Any]:
    clients = [await connect(server, ATTACKER, reads=False) for _ in range(ATTACKERS)]
    data = head(server, "/v1/customers?limit=100")
    await asyncio.gather(*(push(client, data) for client in clients))
    return clients


async def hold_http2_answers(server: RunningServer) -> list[Any]:
    clients: list[Any] = []
    for _ in range(ATTACKERS // 8):
        client = Client(server, local_addr=(ATTACKER, 0))  # type: ignore[arg-type]
        await client.__aenter__()
        clients.append(client.writer)
        for _ in range(8):
            client.request(fields(path="/v1/customers?limit=100", authorization=f"Bearer {server.test_key}"))
    return clients


async def hold_http2_bodies(server: RunningServer) -> list[Any]:
    clients: list[Any] = []
    each = 16
    for _ in range(ATTACKERS // each):
        client = Client(server, local_addr=(ATTACKER, 0))  # type: ignore[arg-type]
        await client.__aenter__()
        clients.append(client.writer)
        headers = fields("POST", "/v1/customers", authorization=f"Bearer {server.test_key}")
        headers.append(("content-type", "application/x-www-form-urlencoded"))
        streams = {client.request(headers, end=False): len(LONG) for _ in range(each)}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await _fill(client, streams)
    return clients


async def _fill(client: Client, streams: dict[int, int]) -> None:
    """Send all but the last byte of each stream's body."""
    while streams and not client.closed:
        for stream, left in list(streams.items()):
            if left <= 1 or stream in client.resets or stream in client.statuses:
                del streams[stream]
                continue
            size = min(left - 1, client.connection.local_flow_control_window(stream), 16_384)
            if size > 0:
                client.connection.send_data(stream, b"&" * size)
                streams[stream] -= size
        client.flush()
        if streams and not await client.step():
            return


def release(clients: list[Any]) -> None:
    for client in clients:
        client.close() if isinstance(client, socket.socket) else client.transport.abort()


ATTACKS = {
    "bodies": hold_bodies,
    "bodies over HTTP/2": hold_http2_bodies,
    "answers": hold_answers,
    "answers over HTTP/2": hold_http2_answers,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_bytes_in_flight_are_bounded_shared_and_given_back(
    bounded_server: RunningServer, attack: Any
) -> None:
    """One address and key hold as much as they can; others are served, and the memory comes back."""
    server = bounded_server
    customer = make_tenant(server.database_url).secret

    async def main() -> None:
        before = await settled_rss(server)
        clients = await attack(server)
        # What is freed and smaller than a surge is left to be used again.
        await falls_to(server, before + BUDGET * 1.25 + limits.surge_bytes_min)
        assert await ask(server, head(server, "/v1/customers", len(LONG), key=customer) + LONG) == 200
        assert await ask(server, head(server, "/v1/customers?limit=10", key=customer)) == 200
        release(clients)
        await falls_to(server, before + BUDGET / 8 + limits.surge_bytes_min)

    run(main(), timeout_seconds=60)
