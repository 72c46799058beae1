"""How exchanges end: disconnects, failures, slow clients; over real sockets."""

import asyncio
import logging
from typing import Any

import pytest

from tests.support.http_server import (
    GET,
    Message,
    Receive,
    Scope,
    Send,
    answers,
    connect,
    create_task,
    respond,
    run,
    serving,
    split,
    talk,
)


def test_receive_tells_of_a_disconnect_and_send_raises_after_it() -> None:
    async def main() -> None:
        told: asyncio.Queue[Any] = asyncio.Queue()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            await receive()
            told.put_nowait("running")
            told.put_nowait((await receive())["type"])
            for _ in range(100):
                await asyncio.sleep(0.005)
                try:
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                    await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
                    while True:
                        await send({"type": "http.response.body", "body": b"x" * 9000, "more_body": True})
                        await asyncio.sleep(0)
                except OSError as error:
                    told.put_nowait(type(error).__name__)
                    return

        async with serving(app) as server:
            _, writer = await connect(server)
            writer.write(GET)
            assert await told.get() == "running"
            writer.transport.abort()
            assert await told.get() == "http.disconnect"
            assert await told.get() == "ClientDisconnected"

    run(main())


def test_receive_after_the_answer_says_disconnect() -> None:
    said: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send)
            said.append(await receive())
            said.append(await receive())

    answers(app, GET)
    assert [message["type"] for message in said] == ["http.request", "http.disconnect"]


def test_receive_may_be_run_as_a_task_beside_the_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert (await create_task(receive()))["type"] == "http.request"
            listener = create_task(receive())
            await create_task(send({"type": "http.response.start", "status": 200, "headers": []}))
            await send({"type": "http.response.body", "body": b"x"})
            assert (await listener)["type"] == "http.disconnect"

    assert [r.status for r in answers(app, GET * 2)] == [200, 200]


def test_a_slow_reader_makes_the_sender_wait() -> None:
    async def main() -> None:
        sent = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal sent
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                for _ in range(200):
                    await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                    sent += 1
                await send({"type": "http.response.body"})

        async with serving(app) as server:
            reader, writer = await connect(server, limit=2**16)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await asyncio.sleep(0.3)
            assert sent < 200
            assert len(split(await reader.read())[0].body) == 20_000_000
            writer.close()

    run(main())


def test_a_handler_that_fails_before_its_answer_gives_500(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    with caplog.at_level(logging.ERROR):
        (only,) = answers(app, GET)
    assert only.status == 500
    assert only.headers["stripe-should-retry"] == "false"
    assert b'"type":"api_error"' in only.body
    assert only.headers["request-id"].startswith("req_")
    assert "handler_failed" in caplog.text


@pytest.mark.parametrize("ending", ["raise", "return", "short", "long"])
def test_half_an_answer_ends_the_connection_without_its_end(
    ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-length", b"10")] if ending in {"short", "long"} else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        if ending == "raise":
            raise ValueError("broken")
        if ending == "long":
            await send({"type": "http.response.body", "body": b"1234567"})
        if ending == "short":
            await send({"type": "http.response.body", "body": b"1"})

    async def main() -> None:
        async with serving(app) as server:
            try:
                raw = await talk(server, GET, half_close=False)
            except ConnectionResetError:
                raw = b""
        assert raw.count(b"HTTP/1.1") <= 1
        assert not raw.endswith(b"0\r\n\r\n")
        assert b"1234567" not in raw

    run(main())


BODY: Message = {"type": "http.response.body", "body": b"x"}


@pytest.mark.parametrize(
    "messages",
    [
        [BODY],
        [{"type": "http.response.start", "status": 99, "headers": []}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"a\n", b"b")]}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"a", None)]}, BODY],
        [{"type": "http.response.start", "status": 200, "headers": [(None, b"b")]}, BODY],
        [{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1, 2")]}],
        [{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")] * 2}],
        [{"type": "websocket.accept"}],
    ],
)
def test_an_answer_that_cannot_be_written_is_500(
    messages: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)

    assert [r.status for r in answers(app, GET)] == [500]


def test_a_client_that_closes_its_half_still_gets_the_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await receive()
            assert (await receive())["type"] == "http.disconnect"
            await respond(send, b"here it is")

    assert answers(app, GET)[0].body == b"here it is"
