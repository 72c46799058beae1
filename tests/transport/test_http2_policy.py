"""The policy over HTTP/2."""

import asyncio
from typing import Any

import pytest
from h2.settings import SettingCodes

from tests.support.h2_client import Client, fields
from tests.support.http1_cases import REFUSED
from tests.support.http_server import Receive, Scope, Send, answering, read_body, respond, run, serving

pytestmark = pytest.mark.usefixtures("each_engine")

POST = fields("POST")

CASES: list[tuple[int, list[tuple[str, str]]]] = [
    (501, fields("TRACE")),
    (501, fields("BREW")),
    (501, fields("get")),
    (400, fields("GET", "*")),
    (400, fields("GET", "v1")),
    (400, fields("GET", "http://a/")),
    (400, fields("GET", "/a#b")),
    (400, fields("GET", "/%0")),
    (400, fields("GET", "/%xx")),
    (400, fields("GET", "/{a}")),
    (414, fields("GET", "/" + "a" * 200)),
    (431, [*fields(), *[("x", "y")] * 8]),
    (431, [*fields(), ("x", "y" * 400)]),
    (400, [*fields(), ("x_y", "z")]),
    (400, [*fields(), ("content-type", "a/b"), ("content-type", "a/b")]),
    (400, [*fields(), ("authorization", "a"), ("authorization", "a")]),
    (400, [*fields(), ("idempotency-key", "a"), ("idempotency-key", "b")]),
    (400, [*POST, ("content-length", "0"), ("content-length", "0")]),
    (413, [*POST, ("content-length", "101")]),
    (417, [*POST, ("expect", "magic")]),
    (400, [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "")]),
    (400, [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "a b")]),
    (400, [(":method", "GET"), (":scheme", "http"), (":authority", "u@a"), (":path", "/")]),
    (200, [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "a")]),
    (200, [*fields(), ("host", "a")]),
    (200, fields("OPTIONS", "*")),
    (200, [*POST, ("content-length", "0")]),
]
SMALL = {"target_bytes_max": 120, "header_bytes_max": 300, "header_count_max": 8, "body_bytes_max": 100}


def test_refused_streams_run_no_handler_and_leave_the_connection_alone() -> None:
    run_for: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            run_for.append(scope["path"])
            await respond(send)

    async def main() -> None:
        async with serving(app, **SMALL) as server, Client(server) as client:
            for status, headers in CASES:
                stream = client.request(headers)
                await client.until(stream)
                assert client.statuses[stream] == [status], headers
                assert (client.headers[stream].get("request-id") is None) == (status == 200)
            assert len(run_for) == 4
            assert client.goaway is None

    run(main())


def test_a_body_over_the_limit_is_refused_whatever_its_length_field_says() -> None:
    async def main() -> None:
        async with serving(answering(), **SMALL) as server, Client(server) as client:
            stream = client.request(fields("POST"), b"x" * 101)
            await client.until(stream)
            assert client.statuses[stream] == [413]

    run(main())


def test_an_expectation_is_answered_before_the_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, await read_body(receive))

    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            stream = client.request([*POST, ("expect", "100-continue")], end=False)
            while stream not in client.statuses:
                await client.step()
            client.connection.send_data(stream, b"abc", end_stream=True)
            client.flush()
            await client.until(stream)
            assert client.statuses[stream] == [100, 200]
            assert client.bodies[stream] == b"abc"

    run(main())


@pytest.mark.parametrize("group", ["request line", "version", "chunks"])
def test_bytes_of_http1_never_reach_a_handler_of_http2(group: str) -> None:
    """A client that begins with the preface and goes on in HTTP/1.1 gets nothing but a GOAWAY."""

    async def main() -> None:
        async with serving(answering()) as server, Client(server) as client:
            client.raw(REFUSED[group][0][1] * 20)
            await client.until_closed()
            assert client.goaway in {1, 6}
            assert client.statuses == {}
            assert server.request_count == 0

    run(main())


def test_a_refused_request_is_not_carried_out_while_its_refusal_waits() -> None:
    """The refusal waits for a window, and meanwhile the rest of the body comes."""
    begun, complete = asyncio.Event(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            begun.set()
            message: dict[str, Any] = {"more_body": True}
            while message.get("more_body"):
                message = dict(await receive())
            complete.append(message["type"] == "http.request")
            await respond(send)

    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            client.connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
            stream = client.request(fields("POST"), end=False)
            for _ in range(3):
                client.connection.send_data(stream, bytes(16_000))
            client.flush()
            await begun.wait()
            client.connection.send_headers(stream, [("te", "gzip")], end_stream=True)
            client.flush()
            while not client.statuses.get(stream):
                assert await client.step()
            client.connection.increment_flow_control_window(60_000, stream)
            client.flush()
            await client.until(stream)
            assert client.statuses[stream] == [400]
            # Another request goes the whole way meanwhile.
            other = client.request(fields("POST"), b"other")
            client.connection.increment_flow_control_window(60_000, other)
            client.flush()
            await client.until(other)

    run(main())
    assert complete == [False, True]
