"""Parsers go from connection to connection: what ended one says nothing to another."""

import asyncio

import pytest

from tests.support.http_server import Receive, Scope, Send, read_body, respond, run, serving, split, talk

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = {
    "close": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "close, in another case": b"GET / HTTP/1.1\r\nHost: a\r\nconnection: Close\r\n\r\n",
    "close and keep-alive": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
    "with a body": b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
    "in chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nab\r\n0\r\n\r\n"
    ),
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
}


async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after a wait, so that the parser is given back while the handler runs."""
    if scope["type"] == "http":
        await read_body(receive)
        await asyncio.sleep(0.001)
        await respond(send)


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_after_a_request_that_ends_its_connection_others_are_answered(last: bytes) -> None:
    answers: list[int] = []

    async def main() -> None:
        async with serving(waiting) as server:
            for request in (last, GET, last, last, GET):
                answers.append(split(await talk(server, request))[0].status)
            # Several at once, some of which end their connections.
            raw = await asyncio.gather(*(talk(server, (last, GET)[place % 2]) for place in range(20)))
            answers.extend(split(each)[0].status for each in raw)
            # An open connection that borrows a parser anew for each request.
            both = await asyncio.gather(talk(server, GET * 3), talk(server, last))
            answers.extend(response.status for each in both for response in split(each))

    run(main())
    assert answers == [200] * (5 + 20 + 4)


def test_a_limit_of_requests_on_a_connection_ends_no_other() -> None:
    answers: list[int] = []

    async def main() -> None:
        async with serving(waiting, connection_requests_max=2) as server:
            for _ in range(6):
                answers.extend(response.status for response in split(await talk(server, GET * 2)))

    run(main())
    assert answers == [200] * 12
