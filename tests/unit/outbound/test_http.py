"""fastpay/outbound/http.py: calls to servers that say anything."""

import asyncio
from typing import Any

import pytest

from fastpay.outbound.http import HttpClient, NoAnswerError, NotSentError
from tests.unit.outbound.receivers import receiving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def send(url: str, method: str = "POST", body: bytes = b"", **bounds: Any) -> tuple[int, bytes]:
    client = HttpClient(**bounds)
    try:
        answer = await client.send(method, url, headers={"X-Own": "1"}, body=body)
    finally:
        await client.close()
    return answer.status, answer.body


async def test_a_request_goes_out_as_it_is_written_and_with_no_headers_of_its_own() -> None:
    async with receiving(OK) as receiver:
        assert await send(f"{receiver.url}/a%2Fb/../c?x=%7e&y=a+b", body=b"k=v") == (200, b"{}")
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /a%2Fb/../c?x=%7e&y=a+b HTTP/1.1"
    assert sorted(line.partition(b":")[0].lower() for line in headers) == [
        b"content-length",
        b"host",
        b"x-own",
    ]
    assert body == b"k=v"


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with receiving(moved) as receiver:
        assert await send(f"{receiver.url}/here") == (307, b"")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"6\r\nxxxxxx\r\n" * 2,
    ],
)
async def test_an_answer_is_read_up_to_its_bound(answer: bytes) -> None:
    async with receiving(answer) as receiver:
        with pytest.raises(NoAnswerError, match="the response is too long"):
            await send(receiver.url, answer_bytes_max=10)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with receiving(b"") as receiver:
        with pytest.raises(NoAnswerError, match="the server did not answer in time"):
            await send(receiver.url, timeout_ms=50)


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
async def test_only_a_get_is_sent_again_when_its_connection_ends(method: str, times: int) -> None:
    """Once: a kept-alive connection may have ended a moment before."""
    async with receiving(OK) as receiver:
        client = HttpClient()
        await client.send(method, receiver.url, headers={})
        receiver.answer, receiver.closes = b"", True
        with pytest.raises(NoAnswerError):
            await client.send(method, receiver.url, headers={})
        await client.close()
    assert len(receiver.requests) == 1 + times


@pytest.mark.parametrize("broken", [{"X": "a\r\nY: b"}, {"X\nY": "b"}, {"X": "\0"}])
async def test_what_is_no_line_of_a_head_is_never_sent(broken: dict[str, str]) -> None:
    async with receiving(OK) as receiver:
        client = HttpClient()
        for url, headers in ((receiver.url, broken), (f"{receiver.url}/a b", {})):
            with pytest.raises(NotSentError):
                await client.send("GET", url, headers=headers)
        await client.close()
    assert receiver.requests == []


async def test_a_server_that_is_not_there_is_no_answer() -> None:
    async with receiving(OK) as receiver:
        pass
    with pytest.raises(NoAnswerError):
        await send(receiver.url)


async def lost(url: str, **options: Any) -> type[NoAnswerError]:
    """Return what kind of failure a POST ends with."""
    with pytest.raises(NoAnswerError) as failed:
        await send(url, body=b"secret", **options)
    assert "secret" not in str(failed.value)
    return failed.type


async def test_only_what_was_never_connected_was_not_sent() -> None:
    async with receiving(OK) as receiver:
        gone = receiver.url
    assert await lost(gone) is NotSentError
    assert await lost("http://name.invalid") is NotSentError
    async with receiving(b"", closes=True) as receiver:
        assert await lost(receiver.url) is NoAnswerError
        # It speaks no TLS, and has read none of the request.
        assert await lost(receiver.url.replace("http", "https", 1), timeout_ms=500) is NotSentError
        assert len(receiver.requests) == 1
    async with receiving(b"") as receiver:
        assert await lost(receiver.url, timeout_ms=50) is NoAnswerError


@pytest.mark.parametrize("bytes_read", [0, 1, 40])
async def test_a_connection_that_is_closed_after_it_was_opened_leaves_a_request_in_doubt(
    bytes_read: int,
) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(bytes_read)
        writer.transport.abort()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await lost(f"http://127.0.0.1:{port}") is NoAnswerError


async def test_a_request_that_waits_for_a_free_connection_was_not_sent() -> None:
    arrived = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert not arrived.is_set()
        await reader.read(1)
        arrived.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = HttpClient(connections_max=1)
        first = asyncio.create_task(client.send("POST", url, headers={}, timeout_ms=500))
        await arrived.wait()
        with pytest.raises(NotSentError):
            await client.send("POST", url, headers={}, timeout_ms=50)
        with pytest.raises(NoAnswerError) as failed:
            await first
        assert failed.type is NoAnswerError
        await client.close()


async def test_what_is_said_of_a_kept_connection_is_what_is_known() -> None:
    """It was sent, though the server closes before it reads."""
    async with receiving(OK) as receiver:
        client = HttpClient()
        await client.send("POST", receiver.url, headers={})
        receiver.answer, receiver.closes = b"", True
        with pytest.raises(NoAnswerError) as failed:
            await client.send("POST", receiver.url, headers={})
        assert failed.type is NoAnswerError
        await client.close()
    assert receiver.connections == 1
