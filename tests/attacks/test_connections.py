"""One client address cannot take the connections of all others."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

import pytest

from fastpay.server.listener import Server
from tests.support.doors import Certificate
from tests.support.h2_client import Client, fields
from tests.support.http_server import client_context, holding_back, port_of, respond, run, serving

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UNFINISHED = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"
OK = b"HTTP/1.1 200 OK\r\n"
ATTACKER, CUSTOMER = "127.0.0.2", "127.0.0.3"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await respond(send)


async def connect(server: Server, address: str, *, sends: bytes = b"", **options: Any) -> Streams:
    # Connected before the loop knows of it: one that is reset at once fails when it is used, and not here.
    if options:
        return await asyncio.open_connection("127.0.0.1", port_of(server), local_addr=(address, 0), **options)
    client = socket.create_connection(("127.0.0.1", port_of(server)), source_address=(address, 0))
    client.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=client)
    writer.write(sends)
    return reader, writer


async def ask(streams: Streams) -> bytes:
    """Send a request on an open connection; return the first line of the answer, or b"" if it is closed."""
    reader, writer = streams
    try:
        writer.write(GET)
        line = await reader.readline()
        if line:
            await reader.readuntil(b"\r\n\r\nok")
        return line
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""


async def is_open(streams: Streams) -> bool:
    try:
        async with asyncio.timeout(0.05):
            return bool(await streams[0].read(1))
    except TimeoutError:
        return True
    except ConnectionError:
        return False


async def is_served(server: Server, address: str, **options: Any) -> bool:
    streams = await connect(server, address, **options)
    try:
        return await ask(streams) == OK
    finally:
        streams[1].close()


async def settled(server: Server, count: int) -> None:
    for _ in range(1_000):
        await asyncio.sleep(0.01)
        if server.connection_count == count:
            return
    raise AssertionError(f"{server.connection_count} connections, not {count}")


def close(held: list[Streams]) -> None:
    for _, writer in held:
        writer.close()


def test_one_address_holds_no_more_than_its_share() -> None:
    async def main() -> None:
        async with serving(app, connections_max=16) as server:
            held = [await connect(server, ATTACKER) for _ in range(20)]
            assert [await ask(streams) for streams in held[:8]] == [OK] * 8
            # One that asks at once may only see the reset.
            refused = [await reader.readline() for reader, _ in held[8:]]
            assert refused == [b"HTTP/1.1 429 Too Many Requests\r\n"] * 12
            assert server.connection_count == 8
            assert await is_served(server, CUSTOMER)
            # Those that were let in are not disturbed, and one that leaves makes room for another.
            assert await ask(held[0]) == OK
            held.pop(0)[1].close()
            await settled(server, 7)
            assert await is_served(server, ATTACKER)
            close(held)

    run(main())


@pytest.mark.parametrize("sends", [b"", b"G", UNFINISHED], ids=["idle", "in a head", "in a body"])
def test_a_full_server_closes_what_waited_longest_at_the_address_with_the_most(sends: bytes) -> None:
    async def main() -> None:
        async with serving(app, connections_max=8, address_connections_max=8) as server:
            kept = await connect(server, CUSTOMER)
            held = [await connect(server, ATTACKER, sends=sends) for _ in range(7)]
            await settled(server, 8)
            for _ in range(3):
                assert await is_served(server, "127.0.0.4")
                # Keep the place that was won, so that the next one has to be won too.
                await settled(server, 7)
                held.append(await connect(server, CUSTOMER))
                await settled(server, 8)
            opened = [await is_open(streams) for streams in held]
            assert opened == [False] * 3 + [True] * 7
            assert await ask(kept) == OK
            close([kept, *held])

    run(main())


def test_a_request_that_is_being_answered_is_never_closed_to_make_room() -> None:
    async def main() -> None:
        release = asyncio.Event()
        async with serving(holding_back(release), connections_max=4, address_connections_max=4) as server:
            busy = [await connect(server, ATTACKER, sends=GET) for _ in range(3)]
            idle = await connect(server, ATTACKER)
            await settled(server, 4)
            customer = await connect(server, CUSTOMER, sends=GET)
            assert not await is_open(idle)
            release.set()
            for reader, _ in (*busy, customer):
                assert await reader.readline() == OK
            close([*busy, idle, customer])

    run(main())


def test_connections_that_were_used_again_outlive_those_that_were_not() -> None:
    async def main() -> None:
        async with serving(app, connections_max=3, address_connections_max=3) as server:
            held = [await connect(server, ATTACKER) for _ in range(3)]
            assert await ask(held[0]) == OK
            assert await is_served(server, CUSTOMER)
            assert [await is_open(streams) for streams in held] == [True, False, True]
            close(held)

    run(main())


def test_http2_connections_count_and_make_room_like_others() -> None:
    async def main() -> None:
        async with serving(app, connections_max=4, address_connections_max=4) as server:
            local = {"local_addr": (ATTACKER, 0)}
            async with Client(server, **local) as first, Client(server, **local) as second:
                for client in (first, second):
                    await client.until(client.request(fields()))
                held = [await connect(server, ATTACKER) for _ in range(2)]
                await settled(server, 4)
                assert await is_served(server, CUSTOMER)
                await first.until_closed()
                await second.until(second.request(fields()))
                close(held)

    run(main())


def test_a_flood_of_new_connections_is_reset_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bounds = {"address_connections_max": 20, "address_connections_per_second": 1}
        async with serving(app, **bounds) as server:
            served = [await is_served(server, ATTACKER) for _ in range(150)]
            assert served[:20] == [True] * 20
            # A token comes every second, so that a slow machine may see some more.
            assert sum(served) < 100
            assert await is_served(server, CUSTOMER)
            await settled(server, 0)

    with caplog.at_level(logging.WARNING):
        run(main())
    (record,) = [record for record in caplog.records if record.message == "connections_refused"]
    fields = record.__dict__["fields"]
    assert fields["address"] == ATTACKER
    assert "trusted_proxies" in fields["advice"]


def test_trusted_proxies_have_no_bounds_of_one_address() -> None:
    async def main() -> None:
        bounds = {"address_connections_max": 2, "address_connections_per_second": 1}
        async with serving(app, trusted_proxies=("127.0.0.2/32",), **bounds) as server:
            held = [await connect(server, ATTACKER) for _ in range(6)]
            assert [await ask(streams) for streams in held] == [OK] * 6
            close(held)

    run(main())


def test_handshakes_that_are_never_finished_are_bounded_by_address(certificate: Certificate) -> None:
    async def main() -> None:
        tls = {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)}
        async with serving(app, address_handshakes_max=4, **tls) as server:
            held = [await connect(server, ATTACKER) for _ in range(10)]
            opened = [await is_open(streams) for streams in held]
            assert opened == [True] * 4 + [False] * 6
            assert server.connection_count == 4
            assert await is_served(server, CUSTOMER, ssl=client_context())
            close(held)

    run(main())


def test_handshakes_are_bounded_in_time_by_address(certificate: Certificate) -> None:
    async def main() -> None:
        tls = {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)}
        async with serving(app, address_handshakes_max=4, address_handshakes_per_second=1, **tls) as server:
            served = 0
            for _ in range(60):
                with contextlib.suppress(OSError):
                    served += await is_served(server, ATTACKER, ssl=client_context())
            assert 4 <= served < 40
            assert await is_served(server, CUSTOMER, ssl=client_context())

    run(main())
