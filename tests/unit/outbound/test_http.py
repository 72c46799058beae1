"""fastpay/outbound/http.py: calls to servers that say anything."""

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from fastpay import limits
from fastpay.outbound.http import HttpClient, NoAnswerError, NotSentError
from fastpay.outbound.http1.pool import Pool
from tests.support.doors import make_certificate
from tests.support.http_server import run
from tests.unit.outbound.http1.wires import CUT, GOOD, REFUSED
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


async def test_a_read_that_was_sent_stays_sent_if_there_is_no_second_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url, client = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", HttpClient()
    await client.send("GET", url, headers={})
    with pytest.raises(NoAnswerError) as failed:
        await client.send("GET", url, headers={})
    await client.close()
    assert failed.type is NoAnswerError


async def test_who_waits_for_a_name_when_a_client_is_closed_is_told_so() -> None:
    async def never(_: str, __: int) -> list[Any]:
        await asyncio.Event().wait()
        return []

    pool = Pool(URL("http://a.example"), turn_ms=50, idle_ms=1_000, tls=None, resolve=never)
    waiting = asyncio.create_task(pool.connect(60))
    while pool._lookup is None:  # noqa: ASYNC110  it has no event
        await asyncio.sleep(0)
    pool.close()
    with pytest.raises(ConnectionAbortedError):
        await waiting


@pytest.mark.parametrize(("wire", "method", "body", "keeps"), GOOD.values(), ids=GOOD)
async def test_an_answer_is_read_to_its_end_and_its_connection_kept_if_it_may_be(
    wire: bytes, method: str, body: bytes, keeps: bool
) -> None:
    async with receiving(wire) as receiver:
        client = HttpClient()
        for _ in range(2):
            answer = await client.send(method, receiver.url, headers={})
            assert answer.body == body
        await client.close()
        assert receiver.connections == (1 if keeps else 2)


@pytest.mark.parametrize(
    ("wire", "closes"),
    [*((wire, False) for wire in REFUSED.values()), *((wire, True) for wire in CUT.values())],
    ids=[*REFUSED, *CUT],
)
async def test_what_is_no_answer_leaves_a_request_in_doubt(wire: bytes, closes: bool) -> None:
    async with receiving(wire, closes=closes) as receiver:
        assert await lost(receiver.url) is NoAnswerError
        assert len(receiver.requests) == 1


async def test_only_a_get_of_which_nothing_was_answered_on_a_kept_connection_is_sent_again() -> None:
    for begun, times in ((b"", 2), (b"HTTP/1.1 2", 1)):
        async with receiving(OK) as receiver:
            client = HttpClient()
            await client.send("GET", receiver.url, headers={})
            receiver.answer, receiver.closes = begun, True
            with pytest.raises(NoAnswerError):
                await client.send("GET", receiver.url, headers={})
            await client.close()
            assert len(receiver.requests) == 1 + times
            receiver.requests.clear()
            # There was no answer on this connection before.
            with pytest.raises(NoAnswerError):
                await send(receiver.url, "GET")
            assert len(receiver.requests) == 1


async def test_the_connection_that_was_used_last_is_the_next_one_and_idle_ones_are_closed() -> None:
    async with receiving(OK) as receiver:
        client = HttpClient(idle_connection_ms=3_600_000)
        await asyncio.gather(*(client.send("GET", receiver.url, headers={}) for _ in range(2)))
        pool = next(iter(client._servers.values())).pool
        last, used = pool._idle[-1], []
        for _ in range(3):
            await client.send("GET", receiver.url, headers={})
            used.append(pool._idle[-1])
        pool._turns.now += pool._idle_turns
        pool._look()
        found = last.is_open, pool._idle, pool._timer
        await client.close()
        assert used == [last] * 3
        assert receiver.connections == 2
        assert found == (False, [], None)


async def test_what_comes_unasked_is_no_answer_to_the_next_request() -> None:
    async with receiving(OK + OK) as receiver:
        client = HttpClient(connections_max=1)
        for _ in range(3):
            await client.send("POST", receiver.url, headers={})
        assert receiver.connections == 3
        await client.close()


def test_what_came_while_the_process_stood_still_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the loop of production."""
    monkeypatch.setattr(limits, "outbound_turn_ms", 2_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for stands_still in (False, True):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            if stands_still:
                time.sleep(2.25)  # noqa: ASYNC251
        await reader.read()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            client = HttpClient()
            # The connection is there already, so that the whole second is for the answer.
            await client.send("GET", url, headers={}, timeout_ms=60_000)
            answer = await client.send("GET", url, headers={}, timeout_ms=1_000)
            await client.close()
            assert (answer.status, answer.body) == (200, b"{}")

    run(main())


async def test_only_a_server_that_shows_its_name_gets_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_certificate(tmp_path)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(made.cert, made.key)
    trusting = ssl.create_default_context(cafile=str(made.cert))
    async with receiving(OK, tls=server_side) as receiver:
        url = receiver.url.replace("http", "https", 1)
        names = []

        def look(host: str, port: int, **_: object) -> Any:
            names.append(host)
            return [(0, 0, 0, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        for host in ("127.0.0.1", "localhost"):
            assert await send(url.replace("127.0.0.1", host), tls=trusting) == (200, b"{}")
        assert await lost(url.replace("127.0.0.1", "other.example"), tls=trusting) is NotSentError
        assert await lost(url) is NotSentError
        assert len(receiver.requests) == 2
        # An address is no name.
        assert names == ["localhost", "other.example"]


@pytest.mark.parametrize("url", ["ftp://a/b", "http:///b", "/b", "", "http://a:x/", "http://[::1/"])
async def test_a_url_that_names_no_server_is_never_asked(url: str) -> None:
    assert await lost(url) is NotSentError


async def test_a_query_right_behind_the_server_and_a_fragment() -> None:
    async with receiving(OK) as receiver:
        await send(f"{receiver.url}?a=/b#c")
        assert receiver.requests[0].startswith(b"POST /?a=/b HTTP/1.1\r\n")


async def test_a_client_that_was_closed_sends_nothing() -> None:
    async with receiving(OK) as receiver:
        client = HttpClient()
        await client.send("POST", receiver.url, headers={})
        await client.close()
        with pytest.raises(NotSentError):
            await client.send("POST", receiver.url, headers={})
        assert len(receiver.requests) == 1
