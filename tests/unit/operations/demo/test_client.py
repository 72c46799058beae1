"""The demo's HTTP client, against answers in every cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.operations.demo.client import Client, encode

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nStripe-Should-Retry: true\r\nContent-Length: 2\r\n\r\n{}"


@contextlib.asynccontextmanager
async def answering(*answers: Sequence[bytes]) -> AsyncIterator[tuple[Client, list[bytes], list[int]]]:
    """Yield a client of a server that gives these answers, each in pieces; and what it gets, and over what.

    An answer without pieces is a connection that ends.
    """
    heads: list[bytes] = []
    connections: list[int] = []
    waiting = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while waiting:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                connections[-1] += 1
                pieces = waiting.pop(0)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if not pieces:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}/below/", "sk_test_1")
    try:
        yield client, heads, connections
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(limits, "demo_backoff_ms", 0)


def test_answers_come_whole_however_they_are_cut() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n4;x=y\r\n2,3]\r\n0\r\n\r\n"

    async def scenario() -> None:
        cut = [chunked[position : position + 1] for position in range(len(chunked))]
        async with answering([chunked], cut, [OK]) as (client, heads, connections):
            assert (await client.get("/a", limit=1)).json() == [1, 2, 3]
            assert (await client.get("/b")).json() == [1, 2, 3]
            assert (await client.get("/c")).json() == {}
            assert connections == [3]
            assert heads[0].startswith(b"GET /below/a?limit=1 HTTP/1.1\r\nHost: 127.0.0.1:")
            assert b"\r\nAuthorization: Bearer sk_test_1\r\n" in heads[0]

    asyncio.run(scenario())


def test_a_request_is_sent_again_with_its_key_until_there_is_an_answer() -> None:
    async def scenario() -> None:
        async with answering([BUSY], [], [OK]) as (client, heads, connections):
            assert (await client.post("/a", "k", {})).status == 200
            assert client.retries == 2
            assert len(heads) == 3
            assert all(b"\r\nIdempotency-Key: k\r\n" in head for head in heads)
            assert connections == [2, 1]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (BUSY, "it says 503 and to try again"),
        (b"SSH-2.0-x\r\n\r\n", "the server does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "the response is too long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the server does not speak HTTP/1.1"),
    ],
)
def test_a_server_that_never_answers_is_given_up(answer: bytes, reason: str) -> None:
    async def scenario() -> None:
        async with answering(*[[answer]] * limits.demo_attempts_max) as (client, _, _):
            with pytest.raises(ConfigurationError, match=f"gives no answer: {reason}"):
                await client.get("/a")

    asyncio.run(scenario())


def test_parameters_are_encoded_as_the_dialect_has_them() -> None:
    params = {"a": 1, "b": True, "c": {"d e": "ü&", "f": {"g": 2}}, "h": ["i", "j"]}
    assert encode(params) == "a=1&b=true&c[d+e]=%C3%BC%26&c[f][g]=2&h[]=i&h[]=j"
