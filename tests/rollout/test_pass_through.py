"""What is not served here is passed to the older API, and its answer back, by the rules for gateways."""

import socket
from asyncio import StreamReader, StreamWriter

import httpx
import pytest

from fastpay import limits
from tests.support.api import open_client
from tests.support.doors import Door
from tests.support.legacy import OK, Heard, RawLegacy, spoken
from tests.support.servers import RunningServer

GET = "GET"


def test_an_unknown_path_is_passed_on_and_its_answer_comes_back(
    client: httpx.Client, legacy: RawLegacy
) -> None:
    legacy.answers["/v2/orders"] = (
        b"HTTP/1.1 418 Teapot\r\nContent-Type: text/x-order\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Request-Id: old_7\r\nContent-Length: 5\r\n\r\norder"
    )
    answer = client.post("/v2/orders?b=%2F&a=1&&", content=b"body", headers={"X-Own": "1"})
    assert (answer.status_code, answer.content) == (418, b"order")
    assert answer.headers["content-type"] == "text/x-order"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["request-id"] == "old_7"
    assert answer.headers["fastpay-request-id"].startswith("req_")
    assert answer.headers["via"] == "1.1 fastpay"
    heard = legacy.last("/v2/orders?b=%2F&a=1&&")
    assert heard.line == "POST /v2/orders?b=%2F&a=1&& HTTP/1.1"
    assert heard.body == b"body"
    assert heard.values("x-own") == ["1"]
    assert heard.values("request-id") == [answer.headers["fastpay-request-id"]]


def test_a_method_that_a_path_does_not_serve_is_passed_on(client: httpx.Client, legacy: RawLegacy) -> None:
    assert client.put("/v1/charges", content=b"x").content == b"ok"
    assert legacy.last("/v1/charges").line == "PUT /v1/charges HTTP/1.1"


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/readyz", "/v1/refunds"])
def test_what_is_served_here_is_not_passed_on(client: httpx.Client, legacy: RawLegacy, path: str) -> None:
    answer = client.get(path)
    assert "via" not in answer.headers
    assert answer.headers["request-id"].startswith("req_")
    assert legacy.count(path) == 0


def test_preflights_go_to_whoever_serves_the_path(client: httpx.Client, legacy: RawLegacy) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/payment_intents", headers=asked).headers["access-control-allow-origin"] == "*"
    assert legacy.count("/v1/payment_intents") == 0
    assert client.options("/v2/orders", headers=asked).content == b"ok"


def test_fields_of_the_connection_stay_behind_in_both_directions(
    front: RunningServer, legacy: RawLegacy
) -> None:
    legacy.answers["/hops"] = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Inner, keep-alive\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Upgrade: h2c\r\nProxy-Authenticate: Basic\r\nTrailer: X-End\r\nX-Outer: 1\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    raw = spoken(
        front.url,
        b"POST /hops HTTP/1.1\r\nHost: shop.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        b"TE: trailers\r\n"
        b"Proxy-Authorization: Basic eDp5\r\nKeep-Alive: 1\r\nX-End: 1\r\nContent-Length: 0\r\n\r\n",
    )
    head = raw.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nx-outer: 1" in head
    for name in (b"x-inner", b"keep-alive:", b"upgrade", b"proxy-authenticate", b"trailer"):
        assert name not in head, name
    heard = legacy.last("/hops")
    assert heard.values("x-end") == ["1"]
    for dropped in ("x-hop", "te", "proxy-authorization", "keep-alive", "connection"):
        assert heard.values(dropped) == [], dropped


def test_a_client_cannot_say_where_it_is_from(client: httpx.Client, door: Door, legacy: RawLegacy) -> None:
    said = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
        "Via": "1.1 cdn",
        "Host": "shop.example",
    }
    client.get("/origin", headers=said)
    heard = legacy.last("/origin")
    assert heard.values("host") == ["shop.example"]
    assert heard.values("x-forwarded-for") == ["127.0.0.1"]
    assert heard.values("x-forwarded-proto") == ["http"]
    assert heard.values("x-forwarded-host") == ["shop.example"]
    assert heard.values("x-real-ip") == []
    assert heard.values("forwarded") == ['for=127.0.0.1;host="shop.example";proto=http']
    assert heard.values("via") == [f"1.1 cdn, {'2' if door.is_http2 else '1.1'} fastpay"]


def test_the_callers_trace_goes_on(client: httpx.Client, legacy: RawLegacy) -> None:
    context = {"traceparent": f"00-{7:032x}-{9:016x}-01", "tracestate": "a=b"}
    client.get("/traced", headers=context)
    heard = legacy.last("/traced")
    assert heard.values("traceparent") == [context["traceparent"]]
    assert heard.values("tracestate") == ["a=b"]


def test_bodies_are_passed_on_while_they_come(front: RunningServer, legacy: RawLegacy) -> None:
    """The older API answers each piece before the client sends the next: nobody waits for a whole body.

    The server waits for the first 64 KiB, so that slow clients hold no connections to the older API.
    """

    async def echo(_: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await reader.readline(), 16):
            piece = (await reader.readexactly(size + 2))[:-2]
            writer.write(b"%x\r\n%b\r\n" % (size, piece))
        writer.write(b"0\r\n\r\n")

    legacy.answers["/echo"] = echo
    host, _, port = front.url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        seen = b""
        for piece in (b"1" * limits.ahead_bytes_max, b"two", b"three"):
            raw.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            while not _unframed(seen).endswith(piece):
                got = raw.recv(65_536)
                assert got, seen
                seen += got
        raw.sendall(b"0\r\n\r\n")
        while got := raw.recv(65_536):
            seen += got
    assert seen.endswith(b"0\r\n\r\n")


def _unframed(answer: bytes) -> bytes:
    """Return what came of a body in chunks. A piece that was sent as one may come as several."""
    body, rest = b"", answer.partition(b"\r\n\r\n")[2]
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@pytest.mark.parametrize("size", [0, 1, 200_000, 900_000])
def test_bodies_of_any_length_come_whole_with_one_framing(
    client: httpx.Client, legacy: RawLegacy, size: int
) -> None:
    sent = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for content in (sent, iter([sent[: size // 2], sent[size // 2 :]])):
        assert client.post("/sized", content=content).content == b"ok"
        assert legacy.last("/sized").body == sent


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 300000\r\n\r\n", b"\r\n"], ids=["length", "until the end"]
)
def test_answers_of_any_framing_come_whole(client: httpx.Client, legacy: RawLegacy, framing: bytes) -> None:
    async def answer(_: Heard, __: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 300_000)
        await writer.drain()

    legacy.answers["/long"] = answer
    assert client.get("/long").content == b"x" * 300_000


@pytest.mark.parametrize(("status", "method"), [(204, GET), (304, GET), (200, "HEAD"), (205, GET)], ids=str)
def test_answers_without_a_body(client: httpx.Client, legacy: RawLegacy, status: int, method: str) -> None:
    length = (
        b"Content-Length: 10\r\n" if method == "HEAD" else b"Content-Length: 0\r\n" if status == 205 else b""
    )
    legacy.answers["/empty"] = b"HTTP/1.1 %d X\r\n%b\r\n" % (status, length)
    for _ in range(3):
        answer = client.request(method, "/empty")
        assert (answer.status_code, answer.content) == (status, b"")
    if method == "HEAD":
        assert answer.headers["content-length"] == "10"


def test_answers_ahead_of_the_final_one_are_left_out(client: httpx.Client, legacy: RawLegacy) -> None:
    legacy.answers["/early"] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    assert client.get("/early").content == b"ok"


def test_connections_are_kept(client: httpx.Client, legacy: RawLegacy) -> None:
    client.get("/kept")
    before = legacy.connections
    for _ in range(20):
        client.get("/kept")
    assert legacy.connections == before


def test_expectations_are_met_here(front: RunningServer, legacy: RawLegacy) -> None:
    host, _, port = front.url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(b"POST /expects HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert raw.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"ok")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")
    heard = legacy.last("/expects")
    assert heard.values("expect") == []
    assert heard.body == b"ok"


def test_an_answer_before_the_end_of_the_request_is_the_answer(
    front: RunningServer, legacy: RawLegacy
) -> None:
    """What is still on its way must not reach the next request on that connection."""

    async def refuse(_: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await reader.read()

    legacy.answers["/refuses"] = refuse
    host, _, port = front.url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(b"POST /refuses HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"x" * 70_000)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 413 ")
        before = legacy.last("/refuses").connection
        with open_client(front.url) as client:
            assert client.get("/next").content == b"ok"
    assert legacy.last("/next").connection != before


def test_a_request_that_came_through_here_is_not_passed_on_again(
    client: httpx.Client, legacy: RawLegacy
) -> None:
    answer = client.get("/loops", headers={"Via": "1.1 fastpay"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "legacy_loop")
    assert legacy.count("/loops") == 0
