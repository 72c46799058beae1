"""fastpay/outbound/http.py: calls to servers that say anything."""

import pytest

from fastpay.outbound.http import HttpClient, NoAnswerError
from tests.unit.outbound.receivers import receiving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def send(url: str, method: str = "POST", body: bytes = b"", **bounds: int) -> tuple[int, bytes]:
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


async def test_a_post_is_not_sent_again_when_its_connection_ends() -> None:
    async with receiving(b"", closes=True) as receiver:
        with pytest.raises(NoAnswerError):
            await send(receiver.url)
    assert len(receiver.requests) == 1


async def test_a_server_that_is_not_there_is_no_answer() -> None:
    async with receiving(OK) as receiver:
        pass
    with pytest.raises(NoAnswerError):
        await send(receiver.url)
