"""Bytes in flight: counted over both protocols with and without TLS, refused beyond a share, and let go."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastpay import limits
from fastpay.server.listener import Server
from tests.support.doors import Certificate
from tests.support.h2_client import Client, fields
from tests.support.http_server import (
    client_context,
    connect,
    held_by,
    read_body,
    respond,
    run,
    serving,
    split,
)

BUDGET = 8 << 20
SHARE = BUDGET * 3 // 4
BODY = b"x" * 900_000
# Together more than the whole budget.
COUNT = 12


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        body = await read_body(receive)
        await respond(send, b"%d" % len(body))


def post(length: int, client: str = "192.0.2.1") -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\nContent-Length: {length}\r\n\r\n"
    return head.encode()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


async def all_let_go(server: Server) -> None:
    budget = server.bytes_budget
    await until(lambda: not budget.held and not budget.leaving and not budget.accounts)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_unfinished_bodies_are_refused_beyond_a_share_and_let_go(
    is_tls: bool, certificate: Certificate
) -> None:
    tls = {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)} if is_tls else {}
    options = {"ssl": client_context("http/1.1")} if is_tls else {}

    async def main() -> None:
        async with serving(app, inflight_bytes_max=BUDGET, **tls) as server:
            held = [await connect(server, **options) for _ in range(COUNT)]
            for _, writer in held:
                writer.write(post(len(BODY) + 1) + BODY)
            refused = 0
            for reader, _ in held:
                try:
                    async with asyncio.timeout(0.2):
                        (answer,) = split(await reader.read())
                except TimeoutError:
                    continue
                refused += 1
                assert answer.status == 429
                assert answer.headers["retry-after"] == "1"
                assert answer.headers["stripe-should-retry"] == "true"
            assert 0 < refused < COUNT
            assert 0 < server.bytes_budget.held <= SHARE
            for _, writer in held:
                writer.transport.abort()
            await all_let_go(server)

    run(main())


def test_streams_that_are_refused_or_reset_let_go() -> None:
    async def main() -> None:
        async with (
            serving(app, inflight_bytes_max=BUDGET) as server,
            Client(server) as first,
            Client(server) as second,
        ):
            streams = [first.request(fields("POST"), end=False) for _ in range(100)]
            for stream in streams:
                first.connection.send_data(stream, b"x" * 600)
            first.flush()
            second.request(fields("POST"), b"x" * 10_000, end=False)
            await until(lambda: server.bytes_budget.held >= len(streams) * 4_000)
            first.writer.transport.abort()
            second.connection.reset_stream(1)
            second.flush()
            await all_let_go(server)

    run(main())


def test_a_stream_that_is_reset_before_its_handler_starts_lets_go() -> None:
    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            for _ in range(3):
                # All of it in one packet.
                stream = client.connection.get_next_available_stream_id()
                client.connection.send_headers(stream, fields("POST"))
                client.connection.send_data(stream, b"x" * 10_000, end_stream=True)
                client.connection.reset_stream(stream)
            client.flush()
            await client.until(client.request(fields("POST"), b"x"))
            assert server.request_count == 1
            await all_let_go(server)

    run(main())


def test_behind_a_trusted_proxy_each_client_has_a_share_of_its_own() -> None:
    async def main() -> None:
        async with serving(app, inflight_bytes_max=BUDGET, trusted_proxies=("127.0.0.1",)) as server:
            held = [await connect(server) for _ in range(COUNT)]
            for _, writer in held:
                writer.write(post(len(BODY) + 1) + BODY)
            await until(lambda: held_by(server.bytes_budget, "192.0.2.1") >= SHARE // 2)
            reader, writer = await connect(server)
            writer.write(post(len(BODY), "192.0.2.2") + BODY)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert held_by(server.bytes_budget, "127.0.0.1") == 0
            for _, other in [*held, (reader, writer)]:
                other.transport.abort()
            await all_let_go(server)

    run(main())


class Hanging:
    """An application that takes whole bodies in, and answers when it is told to."""

    def __init__(self) -> None:
        self.begun: set[int] = set()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            body = await read_body(receive)
            self.begun.add(len(body))
            await self.may_answer.wait()
            await respond(send, b"%d" % len(body))


def test_what_was_begun_is_never_refused() -> None:
    """Whoever is told to come again must not have been served already."""
    hanging = Hanging()

    async def main() -> None:
        async with serving(hanging, inflight_bytes_max=BUDGET) as server:
            # In one piece, so that the last of the bytes and the begin of the handler are one step.
            lengths = range(60_000, 60_000 + 2 * SHARE // 60_000)
            clients = {length: await connect(server) for length in lengths}
            for length, (_, writer) in clients.items():
                writer.write(post(length) + b"x" * length)
            await until(lambda: server.bytes_budget.refused > 0)
            # What comes behind a request that is being served is not its fault.
            clients[min(hanging.begun)][1].write(post(59_000) + b"x" * 59_000)
            await asyncio.sleep(0.1)
            hanging.may_answer.set()
            answered: dict[int, int] = {}
            for length, (reader, writer) in clients.items():
                head = await reader.readuntil(b"\r\n\r\n")
                answered[length] = int(head.split()[1])
                writer.transport.abort()
            assert set(answered.values()) == {200, 429}
            begun = hanging.begun & answered.keys()
            assert {length for length, status in answered.items() if status == 200} == begun
            await all_let_go(server)

    run(main())


def test_a_stream_that_was_begun_is_never_given_up_for_others() -> None:
    hanging = Hanging()

    async def main() -> None:
        async with (
            serving(hanging, inflight_bytes_max=BUDGET, trusted_proxies=("127.0.0.1",)) as server,
            Client(server) as client,
        ):
            headers = [*fields("POST"), ("x-forwarded-for", "192.0.2.1")]
            stream = client.request(headers, b"x" * 16_000)
            await until(lambda: hanging.begun == {16_000})
            held = [await connect(server) for _ in range(2 * COUNT)]
            for number, (_, writer) in enumerate(held):
                # Of the same client first, which is the heaviest then, and so has to give way to the other.
                writer.write(post(len(BODY) + 1, f"192.0.2.{1 + number // COUNT}") + BODY)
            await until(lambda: server.bytes_budget.given_up > 0)
            hanging.may_answer.set()
            await client.until(stream)
            assert client.statuses[stream] == [200]
            for _, writer in held:
                writer.transport.abort()
        await all_let_go(server)

    run(main())


def test_a_response_that_gives_up_its_own_request_ends_both() -> None:
    ended: list[str] = []

    async def answering_early(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        # The part of the body that came is what has not grown for longest when the response needs room.
        await asyncio.sleep(limits.stalled_ms / 1000 + 0.1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(2_000_000), "more_body": True})
        try:
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
        except OSError as error:
            ended.append(type(error).__name__)

    async def main() -> None:
        async with serving(answering_early, ahead_bytes_max=0, inflight_bytes_max=600_000) as server:
            _, writer = await connect(server)
            writer.write(post(1_000_000) + BODY[:60_000])
            await until(lambda: held_by(server.bytes_budget, "127.0.0.1") > 0)
            await until(lambda: ended == ["ClientDisconnected"])
            await all_let_go(server)
            writer.close()

    run(main())
