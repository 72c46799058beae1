"""Sockets read and written without uvloop: what the kernel does not take, and how connections end."""

import asyncio
import os
import resource
import socket
import struct
from contextlib import suppress
from typing import Any

from fastpay import limits
from fastpay.server.listener import Server
from tests.support.http_server import answering, connect, port_of, run, serving

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
# More than both sockets' buffers hold.
LARGE = os.urandom(1 << 16) * 256


async def emptied(server: Server) -> None:
    """Wait until nothing is left of any connection."""
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if server.request_count and not server.connection_count:
            break
    assert server.connection_count == 0
    await asyncio.sleep(0.05)


def test_an_answer_larger_than_the_kernels_buffers_arrives_whole_and_in_order() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(LARGE))],
            }
        )
        await send({"type": "http.response.body", "body": LARGE[: 1 << 20], "more_body": True})
        await send({"type": "http.response.body", "body": LARGE[1 << 20 :]})

    async def main() -> None:
        async with serving(app) as server:
            reader, writer = await connect(server)
            for _ in range(2):
                writer.write(REQUEST)
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(len(LARGE)) == LARGE
            writer.close()

    run(main())


def test_a_handler_waits_for_a_client_that_does_not_read() -> None:
    sent = 0
    done = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(512):
            await send({"type": "http.response.body", "body": LARGE[:65_536], "more_body": True})
            sent += 1
        await send({"type": "http.response.body", "body": b""})
        done.set()

    async def main() -> None:
        async with serving(app) as server:
            reader, writer = await connect(server, limit=1)
            writer.write(REQUEST)
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.2)
            assert 0 < sent < 512
            while not done.is_set():
                await reader.read(1 << 20)
            assert sent == 512
            writer.close()

    run(main())


def test_a_reset_in_the_middle_of_an_answer_tells_the_handler() -> None:
    seen: list[str] = []
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": LARGE[:65_536], "more_body": True})
        except OSError as error:
            seen.append(type(error).__name__)
        seen.append((await receive())["type"])
        ended.set()

    async def main() -> None:
        async with serving(app) as server:
            with socket.create_connection(("127.0.0.1", port_of(server))) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(REQUEST)
                await asyncio.sleep(0.1)
            await ended.wait()
            assert seen == ["ClientDisconnected", "http.disconnect"]
            await emptied(server)

    run(main())


def test_what_a_client_sent_before_it_went_away_is_answered_to_nobody_and_leaves_nothing() -> None:
    async def main() -> None:
        async with serving(answering()) as server:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", port_of(server))) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(REQUEST)
            await emptied(server)
            assert len(os.listdir("/proc/self/fd")) == before

    run(main())


def test_running_out_of_descriptors_ends_no_connection_and_heals() -> None:
    async def main() -> None:
        async with serving(answering()) as server:
            reader, writer = await connect(server)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            # The client's side needs a descriptor too: it has one before the limit falls.
            client = socket.socket()
            highest = max(map(int, os.listdir("/proc/self/fd"))) + 1
            filler: list[int] = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            with suppress(OSError):
                while True:
                    filler.append(os.dup(0))
            try:
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port_of(server)))
                await asyncio.sleep(0.05)
                writer.write(REQUEST)
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                assert server.connection_count == 1
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for descriptor in filler:
                    os.close(descriptor)
            await asyncio.get_running_loop().sock_sendall(client, REQUEST)
            answer = await asyncio.get_running_loop().sock_recv(client, 1000)
            assert answer.startswith(b"HTTP/1.1 200")
            client.close()
            writer.close()

    assert limits.accept_retry_ms <= 1000
    run(main())
