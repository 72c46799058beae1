"""The ASGI contract over HTTP/1.1, seen from both ends of real sockets."""

import asyncio
import contextvars
from typing import Any

import anyio
import pytest

from tests.support.http_server import (
    GET,
    Application,
    Receive,
    Scope,
    Send,
    answering,
    answers,
    connect,
    read_body,
    respond,
    run,
    serving,
    talk,
)


def keeping(scopes: list[Scope], app: Application | None = None) -> Application:
    async def keeper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
        await (app or answering())(scope, receive, send)

    return keeper


def scope_of(request: bytes, **settings: Any) -> Scope:
    scopes: list[Scope] = []

    async def main() -> None:
        async with serving(keeping(scopes), **settings) as server:
            await talk(server, request)

    run(main())
    assert len(scopes) == 1
    return scopes[0]


def test_a_scope_says_what_the_request_line_and_the_fields_say() -> None:
    scope = scope_of(
        b"POST /v1/caf%C3%A9/a%2Fb?x=%31&y HTTP/1.1\r\n"
        b"Host: api.test:80\r\nX-One:  two \r\nCONTENT-TYPE: a/b\r\n\r\n"
    )
    assert scope["type"] == "http"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert (scope["http_version"], scope["method"], scope["scheme"]) == ("1.1", "POST", "http")
    assert scope["path"] == "/v1/café/a/b"
    assert scope["raw_path"] == b"/v1/caf%C3%A9/a%2Fb"
    assert scope["query_string"] == b"x=%31&y"
    assert scope["headers"] == [(b"host", b"api.test:80"), (b"x-one", b"two"), (b"content-type", b"a/b")]
    assert scope["client"][0] == "127.0.0.1"
    assert scope["server"][0] == "127.0.0.1"
    assert scope["root_path"] == ""


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"/x", b"/x"),
        (b"/x?", b"/x?"),
        (b"/x?a=%41&", b"/x?a=%41&"),
        (b"/%78//?", b"/%78//?"),
        (b"http://a/x?b", b"/x?b"),
        (b"http://a", b"/"),
        (b"http://a?b", b"/?b"),
    ],
)
def test_a_scope_says_what_the_target_was_to_the_byte(line: bytes, target: bytes) -> None:
    scope = scope_of(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % line)
    assert scope["fastpay.target"] == target


def test_root_path_comes_from_the_settings() -> None:
    assert scope_of(GET, root_path="/pay")["root_path"] == "/pay"


def test_an_absolute_target_with_the_same_host_is_a_path() -> None:
    scope = scope_of(b"GET http://A:81/x?y HTTP/1.1\r\nHost: a:81\r\n\r\n")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/x", b"/x", b"y")


def test_each_request_gets_its_own_copy_of_the_lifespan_state() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["pool"] = "the pool"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(dict(scope["state"]))
        scope["state"]["mine"] = 1
        await respond(send)

    answers(app, GET + GET)
    assert seen == [{"pool": "the pool"}, {"pool": "the pool"}]


def test_a_body_with_a_length_arrives_whole_and_in_pieces() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, await read_body(receive))

    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    assert answers(app, head + b"0123456789")[0].body == b"0123456789"
    assert answers(app, head, b"01234", b"56789")[0].body == b"0123456789"


def test_a_chunked_body_arrives_without_its_framing_and_its_trailers() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, await read_body(receive))

    request = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: authorization\r\n\r\n"
        b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\nAuthorization: evil\r\n\r\n"
    )
    found = answers(keeping(scopes, app), request + GET)
    assert [response.body for response in found] == [b"abc0123456789", b""]
    assert not any(name == b"authorization" for name, _ in scopes[0]["headers"] + scopes[1]["headers"])


def test_a_large_body_streams_into_a_handler_that_reads_slowly() -> None:
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        total = 0
        while True:
            await asyncio.sleep(0.005)
            message = await receive()
            total += len(message["body"])
            sizes.append(len(message["body"]))
            if not message["more_body"]:
                break
        await respond(send, b"%d" % total)

    body = bytes(range(256)) * 4000
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert answers(app, request + body)[0].body == b"%d" % len(body)
    assert len(sizes) > 1
    assert max(sizes) < 600_000


def test_continue_is_said_only_when_the_body_is_wanted_and_not_yet_here() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(send, await read_body(receive))

    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    for ahead in (0, 65_536):
        assert [r.status for r in answers(app, head, b"abc", ahead_bytes_max=ahead)] == [100, 200]
        assert [r.status for r in answers(app, head + b"abc", ahead_bytes_max=ahead)] == [200]
    early = answers(answering(b"no", status=401), head, ahead_bytes_max=0)
    assert [r.status for r in early] == [401]


def test_the_framing_of_an_answer_follows_what_the_application_says() -> None:
    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for piece in (b"one", b"", b"two"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})

    assert [r.body for r in answers(streaming, GET + GET)] == [b"onetwo", b"onetwo"]
    (old,) = answers(streaming, b"GET / HTTP/1.0\r\n\r\n")
    assert old.body == b"onetwo"
    assert "transfer-encoding" not in old.headers
    (plain,) = answers(answering(b"abc"), GET)
    assert plain.headers["content-length"] == "3"
    assert plain.headers["date"].endswith(" GMT")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_have_no_body_have_none(status: int) -> None:
    (first, second) = answers(answering(b"surprise", status=status), GET + GET)
    assert first.status == second.status == status
    assert "content-length" not in first.headers
    assert "transfer-encoding" not in first.headers


def test_head_gets_the_fields_of_get_and_no_body() -> None:
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    found = answers(answering(b"abcdef"), request + GET, methods=("HEAD", "GET"))
    assert [(r.headers["content-length"], r.body) for r in found] == [("6", b""), ("6", b"abcdef")]


@pytest.mark.parametrize(
    ("request_line", "fields", "stays"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: foo, Close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_a_connection_stays_open_exactly_when_both_sides_want_it(
    request_line: bytes, fields: bytes, stays: bool
) -> None:
    request = request_line + b"\r\nHost: a\r\n" + fields + b"\r\n"
    found = answers(answering(), request * 3)
    assert len(found) == (3 if stays else 1)
    assert (found[0].headers.get("connection") == "close") is not stays


def test_an_application_may_close_the_connection() -> None:
    (only,) = answers(answering(headers=[(b"Connection", b"close")]), GET * 3)
    assert only.headers["connection"] == "close"


def test_pipelined_requests_are_answered_in_order_also_when_the_first_is_slow() -> None:
    running: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            running.append(1)
            assert len(running) == 1
            if scope["path"] in {"/0", "/3"}:
                await asyncio.sleep(0.02)
            running.pop()
            await respond(send, scope["path"].encode())

    stream = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % index for index in range(50))
    assert [r.body for r in answers(app, stream)] == [b"/%d" % index for index in range(50)]


def test_a_flood_of_pipelined_requests_is_not_kept_in_memory() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await gate.wait()
                await respond(send)

        async with serving(app) as server:
            reader, writer = await connect(server)
            writer.transport.set_write_buffer_limits(high=0)
            writer.write(GET * 400_000)
            with pytest.raises(TimeoutError):
                # The server stops reading, so the client cannot get rid of its bytes.
                await asyncio.wait_for(writer.drain(), 0.3)
            gate.set()
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            writer.transport.abort()

    run(main())


def test_a_handler_that_waits_keeps_its_task_and_its_context() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        task = asyncio.current_task()
        seen.append(variable.get())
        variable.set(len(seen))
        own = variable.get()
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)
        with anyio.move_on_after(0.01) as scope_of_cancelling:
            await anyio.sleep(5)
        assert scope_of_cancelling.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        assert asyncio.current_task() is task
        assert variable.get() == own
        await respond(send)

    found = answers(app, GET * 3)
    assert [r.status for r in found] == [200, 200, 200]
    assert seen == [0, 0, 0]


@pytest.mark.parametrize(
    ("target", "path"), [(b"/a%00b", "/a\0b"), (b"/%ff", "/\ufffd"), (b"/%ed%a0%80", "/\ufffd\ufffd\ufffd")]
)
def test_a_path_that_is_no_text_leads_nowhere(target: bytes, path: str) -> None:
    scope = scope_of(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (scope["path"], scope["raw_path"]) == (path, target)
