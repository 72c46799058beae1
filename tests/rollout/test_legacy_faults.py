"""What clients are told when the older API fails, and that nothing is sent twice or taken for another's."""

import asyncio
import socket
import threading
from asyncio import StreamReader, StreamWriter

import httpx
import pytest

from tests.support.api import open_client
from tests.support.doors import Door
from tests.support.legacy import OK, Handler, Heard, RawLegacy, reset, spoken
from tests.support.servers import PATIENCE_SECONDS, RunningServer, free_port, running_server

READS, WRITES = ("GET", "OPTIONS"), ("POST", "DELETE", "PUT", "PATCH")


async def hang(_: Heard, reader: StreamReader, __: StreamWriter) -> None:
    await reader.read()


async def cut(_: Heard, __: StreamReader, writer: StreamWriter) -> None:
    reset(writer)


async def close(_: Heard, __: StreamReader, ___: StreamWriter) -> None:
    pass


def saying(data: bytes) -> Handler:
    """Return what says this and ends the connection."""

    async def say(_: Heard, __: StreamReader, writer: StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return say


# Each could be read differently by two readers, or is no answer at all.
BROKEN = {
    "garbage": b"\x16\x03\x01\x02\x00 not HTTP\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
    "status 700": b"HTTP/1.1 700 X\r\nContent-Length: 0\r\n\r\n",
    "only informational": b"HTTP/1.1 103 X\r\n\r\n" * 20,
    "switching": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a length with a coding": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    ),
    "a name with a space": b"HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 2\r\n\r\nok",
    "a value with NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "a value with a control character": b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 2\r\n\r\nok",
    "a long line": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1_000 + b"Content-Length: 2\r\n\r\nok",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_a_502_and_no_write_may_be_repeated(
    client: httpx.Client, legacy: RawLegacy, broken: bytes
) -> None:
    legacy.answers["/broken"] = saying(broken)
    told = _error(client.get("/broken"), 502)
    assert (told["code"], told["retry"]) == ("legacy_failed", "true")
    told = _error(client.post("/broken", content=b"x"), 502)
    assert (told["code"], told["retry"]) == ("outcome_unknown", "false")


@pytest.mark.parametrize("method", READS + WRITES)
@pytest.mark.parametrize("end", [cut, close], ids=["reset", "end"])
def test_a_write_that_was_sent_is_never_sent_again(
    client: httpx.Client, legacy: RawLegacy, method: str, end: Handler
) -> None:
    legacy.answers["/ends"] = end
    before = legacy.count("/ends")
    told = _error(client.request(method, "/ends"), 502)
    is_read = method in READS
    assert (told["code"], told["retry"]) == (
        ("legacy_failed", "true") if is_read else ("outcome_unknown", "false")
    )
    came = legacy.count("/ends") - before
    assert came == 1 if method in ("POST", "PATCH") else 1 <= came <= 2


def test_the_end_of_a_kept_connection_is_not_seen_by_reads(client: httpx.Client, legacy: RawLegacy) -> None:
    """The older API closes a connection just when the next request comes: the race that keeping brings."""
    ended: list[int] = []

    async def end_once(heard: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        if not ended:
            ended.append(heard.connection)
            return
        writer.write(OK)
        await writer.drain()

    client.get("/first")
    legacy.answers["/races"] = end_once
    before = legacy.count("/races")
    assert client.get("/races").content == b"ok"
    assert legacy.count("/races") == before + 2
    client.get("/first")
    ended.clear()
    assert _error(client.post("/races"), 502)["code"] == "outcome_unknown"
    assert legacy.count("/races") == before + 3


def test_a_slow_answer_is_a_504(impatient_front: RunningServer, legacy: RawLegacy, door: Door) -> None:
    legacy.answers["/hangs"] = hang
    with open_client(impatient_front.url, http1=not door.is_http2, http2=door.is_http2) as client:
        told = _error(client.get("/hangs"), 504)
        assert (told["code"], told["retry"]) == ("legacy_timed_out", "true")
        before = legacy.count("/hangs")
        told = _error(client.post("/hangs", content=b"x"), 504)
        assert (told["code"], told["retry"]) == ("outcome_unknown", "false")
        assert legacy.count("/hangs") == before + 1


HALVES = {
    "by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "by chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    "by a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n",
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
@pytest.mark.parametrize("pauses", [False, True])
def test_half_an_answer_is_never_shown_as_a_whole_one(
    client: httpx.Client, legacy: RawLegacy, half: bytes, pauses: bool
) -> None:
    async def break_off(_: Heard, __: StreamReader, writer: StreamWriter) -> None:
        writer.write(half)
        await writer.drain()
        if pauses:
            await asyncio.sleep(0.1)
        reset(writer)

    legacy.answers["/half"] = break_off
    try:
        answer = client.get("/half")
    except httpx.RemoteProtocolError:
        return
    assert answer.status_code == 502


def test_what_comes_behind_an_answer_is_nobodys(client: httpx.Client, legacy: RawLegacy) -> None:
    legacy.answers["/extra"] = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    for _ in range(5):
        assert client.get("/extra").content == b"ok"
        assert client.get("/mine").content == b"ok"


def test_a_body_that_comes_with_no_content_is_nobodys(client: httpx.Client, legacy: RawLegacy) -> None:
    legacy.answers["/no-content"] = b"HTTP/1.1 204 X\r\nContent-Length: 40\r\n\r\n" + OK
    for _ in range(5):
        assert client.get("/no-content").status_code == 204
        assert client.get("/mine").content == b"ok"


SMUGGLED = {
    "both framings": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
    "an obscure coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
    "a bare LF": b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("rest", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_a_request_that_two_servers_could_read_differently_goes_nowhere(
    front: RunningServer, legacy: RawLegacy, rest: bytes
) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    said = spoken(front.url, b"POST /outer HTTP/1.1\r\nHost: a\r\n" + rest + hidden)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), said
    assert legacy.count("/hidden") == legacy.count("/outer") == 0


def test_a_connection_field_cannot_take_away_the_framing(front: RunningServer, legacy: RawLegacy) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    spoken(
        front.url,
        b"POST /stripped HTTP/1.1\r\nHost: a\r\nConnection: close, content-length, host, via\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(hidden), hidden),
    )
    heard = legacy.last("/stripped")
    assert heard.body == hidden
    assert heard.values("host") == ["a"]
    assert heard.values("via") == ["1.1 fastpay"]
    assert legacy.count("/hidden") == 0


@pytest.mark.parametrize("where", ["/waits", "/streams"])
def test_a_client_that_leaves_ends_the_request_there(
    front: RunningServer, legacy: RawLegacy, where: str
) -> None:
    has_left, release = threading.Event(), threading.Event()

    async def wait(_: Heard, reader: StreamReader, writer: StreamWriter) -> None:
        if where == "/streams":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            await writer.drain()
        assert await reader.read() == b""
        has_left.set()

    async def stay(_: Heard, __: StreamReader, writer: StreamWriter) -> None:
        await asyncio.to_thread(release.wait, PATIENCE_SECONDS)
        writer.write(OK)
        await writer.drain()

    legacy.answers[where] = wait
    legacy.answers["/stays"] = stay
    said: list[bytes] = []
    # Before: if the other one ended only once it was given up for being silent, this one would, too.
    request = b"GET /stays HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    staying = threading.Thread(target=lambda: said.append(spoken(front.url, request)))
    stays = legacy.count("/stays")
    staying.start()
    while legacy.count("/stays") == stays:
        pass
    host, _, port = front.url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % where.encode())
        if where == "/streams":
            assert raw.recv(65_536).startswith(b"HTTP/1.1 200 ")
        while not legacy.count(where):
            pass
    assert has_left.wait(PATIENCE_SECONDS)
    release.set()
    staying.join(PATIENCE_SECONDS)
    assert said[0].startswith(b"HTTP/1.1 200 ")


def test_an_api_that_cannot_be_reached_is_a_502_and_was_sent_nothing(
    cluster: object, front: RunningServer
) -> None:
    environment = {
        "FASTPAY_LEGACY_URL": f"http://127.0.0.1:{free_port()}",
        "FASTPAY_DATABASE_URL": front.database_url,
        "FASTPAY_HOMES": "false",
    }
    with (
        running_server("alone", cluster, environment=environment) as alone,  # type: ignore[arg-type]
        open_client(alone.url) as client,
    ):
        for method in READS + WRITES:
            told = _error(client.request(method, "/anything"), 502)
            assert (told["code"], told["retry"]) == ("legacy_unavailable", "true")
        assert client.get("/readyz").status_code == 200
        assert alone.output.count("dependency_lost dependency=legacy") == 1


def _error(answer: httpx.Response, status: int) -> dict[str, str]:
    """Return the code of an error in the dialect, and whether it may be sent again."""
    assert answer.status_code == status, answer.text
    assert answer.headers["request-id"].startswith("req_")
    return {"code": answer.json()["error"]["code"], "retry": answer.headers["stripe-should-retry"]}
