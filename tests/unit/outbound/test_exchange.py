"""fastpay/outbound/exchange.py: one POST and its answer, beside receivers that mean harm."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings
from tests.unit.outbound.receivers import BODY, LOCAL, OK, deliver, delivery, receiving, target

_REFUSED = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
_EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """Give the address of a server that serves each connection like this, until the other end leaves."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # A RuntimeError is what uvloop says of a connection that has ended.
        with contextlib.suppress(OSError, RuntimeError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*tasks), timeout=10)


@contextlib.asynccontextmanager
async def writing(
    pieces: Callable[[], Iterator[bytes]], gap_s: float
) -> AsyncIterator[tuple[str, list[int]]]:
    """Give the address of a receiver that writes these pieces, and how many bytes it got rid of."""
    written: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces():
            writer.write(piece)
            await writer.drain()
            written.append(len(piece))
            await asyncio.sleep(gap_s)

    async with serving(serve) as url:
        yield url, written


def _endless(start: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield start
        while True:
            yield piece

    return pieces


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"H", b"T"),
        (b"HTTP/1.1 200 OK\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
    ],
)
async def test_an_answer_that_comes_byte_by_byte_has_the_time_of_any_other(
    start: bytes, piece: bytes
) -> None:
    async with writing(_endless(start, piece), gap_s=0.01) as (url, written):
        outcome = await deliver(url, timeout_ms=300)
    assert outcome.failure in {"timed_out", "malformed"}
    assert len(written) < 300


@pytest.mark.parametrize("line", [b"X-A: " + b"a" * 100_000 + b"\r\n", b"X-A: a\r\n" * 100])
async def test_headers_without_an_end_are_no_answer(line: bytes) -> None:
    async with writing(_endless(b"HTTP/1.1 200 OK\r\n", line), gap_s=0.0) as (url, written):
        outcome = await deliver(url)
        # The connection is closed: the receiver gets rid of no more than what lies in the buffers between.
        await asyncio.sleep(0.05)
        before = len(written)
        await asyncio.sleep(0.05)
    assert outcome.failure == "malformed"
    assert len(written) == before


async def test_informational_answers_are_passed_and_bounded() -> None:
    for count, failure in ((limits.webhook_informational_max, None), (1_000, "malformed")):
        async with receiving(_EARLY * count + OK) as receiver:
            outcome = await deliver(f"{receiver.url}/")
        assert outcome.failure == failure
        assert outcome.is_delivered == (failure is None)


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
async def test_an_answer_that_nobody_asked_for_acknowledges_nothing(wait_s: float) -> None:
    """Connections are shared by all endpoints of a host, and a stray 200 would be the next one's answer."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(BODY)
            writer.write(_REFUSED)
            await asyncio.sleep(wait_s)
            writer.write(OK)

    deliverer, found = WebhookDeliverer(LOCAL, clock=SystemClock()), []
    async with serving(serve) as url:
        to = target(url)
        for number in (1, 2, 3):
            found.append((await deliverer.deliver(delivery(to, number))).status)
            await asyncio.sleep(2 * wait_s)
        await deliverer.close()
    assert found == [500, 500, 500]
    assert connections == 3


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/a\r\nX-B: c", "X-A", "a"),
        ("/a b HTTP/1.1", "X-A", "a"),
        ("/", "X-A", "a\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1"),
        ("/", "X-A\r\nHost", "a"),
        ("/", "X-A", "a\nb"),
        ("/", "X-A", "a\0b"),
    ],
)
async def test_what_would_be_another_line_of_the_head_is_not_sent(path: str, name: str, value: str) -> None:
    async with receiving() as receiver:
        outcome = await deliver(target(f"{receiver.url}{path}", headers=((name, value),)))
        if outcome.failure is None:
            # The library for URLs has left it out, or quoted it.
            assert set(receiver.headers()) >= {"x-a", "host"}
            assert "x-b" not in receiver.headers()
            assert receiver.requests[0].count(b" HTTP/1.1\r\n") == 1
        else:
            assert (outcome.failure, receiver.connections) == ("address_refused", 0)


async def test_no_header_of_an_endpoint_replaces_one_of_ours() -> None:
    """The API refuses them; an endpoint that was stored by another release gets no further either."""
    ours = ("Stripe-Signature", "webhook-id", "WEBHOOK-TIMESTAMP", "webhook-signature", "Fastpay-Sequence")
    more = ("Fastpay-Previous-Sequence", "fastpay-attempt", "Host", "Content-Length", "Transfer-Encoding")
    last = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Expect")
    headers = tuple((name, "mine") for name in (*ours, *more, *last, "Proxy-Authorization", "X-Mine"))
    async with receiving() as receiver:
        assert (await deliver(target(f"{receiver.url}/", headers=headers))).is_delivered
    found = receiver.headers()
    assert [name for name, value in found.items() if value == "mine"] == ["x-mine"]
    assert found["content-length"] == str(len(BODY))


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
async def test_nobody_is_told_where_a_proxy_is_that_cannot_be_reached(host: str) -> None:
    through = WebhookSettings(proxy=f"http://user:word@{host}:1")
    outcome = await deliver("http://receiver.example/hook", through)
    assert (outcome.failure, outcome.excerpt) == ("not_connected", "the proxy cannot be reached")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_told_who_asks_and_the_receiver_is_not(scheme: str) -> None:
    expected = "Basic " + base64.b64encode(b"user:word").decode()
    async with receiving(_REFUSED) as proxy:
        through = WebhookSettings(proxy=f"http://user:word@127.0.0.1:{proxy.port}")
        await deliver(f"{scheme}://receiver.example/hook", through, times=2)
    assert proxy.headers()["proxy-authorization"] == expected
    async with receiving() as receiver:
        await deliver(f"{receiver.url}/")
    assert "proxy-authorization" not in receiver.headers()
