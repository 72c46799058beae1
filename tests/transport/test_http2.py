"""HTTP/2 over sockets: what must work, and each defect of the library beneath that is guarded against."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.h2_client import PREFACE, Client, fields
from tests.support.http_server import (
    Receive,
    Scope,
    Send,
    answering,
    client_context,
    connect,
    holding_back,
    make_certificate,
    port_of,
    read_body,
    respond,
    run,
    serving,
)

pytestmark = pytest.mark.usefixtures("each_engine")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await respond(send, await read_body(receive))


def test_a_request_and_its_answer_are_complete() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
            body = await read_body(receive)
            await respond(send, body, 201, [(b"X-Case", b"y"), (b"Connection", b"close")])

    async def main() -> None:
        async with serving(app, root_path="/r") as server, Client(server) as client:
            headers = fields("POST", "/caf%C3%A9?x=y", **{"content-type": "a/b"})
            stream = client.request([*headers, ("cookie", "a=1"), ("cookie", "b=2")], b"body")
            await client.until(stream)
            assert client.statuses[stream] == [201]
            assert client.bodies[stream] == b"body"
            names = client.headers[stream]
            assert names["content-length"] == "4"
            assert names["date"].endswith(" GMT")
            assert names["x-case"] == "y"
            assert "connection" not in names

    run(main())
    (scope,) = scopes
    assert (scope["http_version"], scope["method"], scope["scheme"]) == ("2", "POST", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/café", b"/caf%C3%A9", b"x=y")
    assert scope["headers"] == [(b"host", b"a"), (b"content-type", b"a/b"), (b"cookie", b"a=1; b=2")]
    assert scope["client"][0] == "127.0.0.1"
    assert scope["root_path"] == "/r"


def test_streams_run_beside_each_other() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                if scope["path"] == "/slow":
                    await release.wait()
                await respond(send, scope["path"].encode())

        async with serving(app) as server, Client(server) as client:
            slow = client.request(fields(path="/slow"))
            quick = client.request(fields(path="/quick"))
            await client.until(quick)
            assert slow not in client.ended
            release.set()
            await client.until(slow)

    run(main())


@pytest.mark.parametrize("size", [100_000, 900_000])
def test_large_bodies_pass_both_ways_through_the_windows(size: int) -> None:
    async def main() -> None:
        body = bytes(range(256)) * (size // 256)
        async with serving(echo) as server, Client(server) as client:
            stream = client.request(fields("POST"), end=False)
            sent = 0
            while sent < len(body):
                window = client.connection.local_flow_control_window(stream)
                piece = body[sent : sent + min(window, 16_384)]
                if piece:
                    sent += len(piece)
                    client.connection.send_data(stream, piece, end_stream=sent == len(body))
                    client.flush()
                else:
                    assert await client.step()
            await client.until(stream)
            assert client.bodies[stream] == body

    run(main())


def test_head_and_empty_statuses_have_no_body() -> None:
    async def main() -> None:
        async with serving(answering(b"abc")) as server, Client(server) as client:
            stream = client.request(fields("HEAD"))
            await client.until(stream)
            assert client.headers[stream]["content-length"] == "3"
            assert stream not in client.bodies
        async with serving(answering(b"abc", status=204)) as server, Client(server) as client:
            stream = client.request(fields())
            await client.until(stream)
            assert "content-length" not in client.headers[stream]
            assert stream not in client.bodies

    run(main())


def test_trailers_are_ignored() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = await read_body(receive)
            seen.append((body, scope["headers"]))
            await respond(send)

    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            stream = client.request(fields("POST"), b"abc", end=False)
            client.connection.send_headers(stream, [("authorization", "evil")], end_stream=True)
            client.flush()
            await client.until(stream)

    run(main())
    assert seen == [(b"abc", [(b"host", b"a")])]


def test_data_that_comes_late_for_an_answered_stream_hurts_nobody() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] != "/early":
                await read_body(receive)
            await respond(send, scope["path"].encode())

    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            early = client.request(fields("POST", "/early"), b"x" * 33_000 and b"x" * 16_000, end=False)
            client.connection.send_data(early, b"x" * 16_384)
            client.connection.send_data(early, b"x" * 16_384)
            other = client.request(fields("POST", "/other"), b"x", end=False)
            await client.until(early)
            for _ in range(3):
                # Raw, since the client's own codec knows that the stream is closed.
                client.raw(b"\x00\x00\x03\x00\x00" + early.to_bytes(4, "big") + b"abc")
                await asyncio.sleep(0.01)
            client.connection.send_data(other, b"y", end_stream=True)
            client.flush()
            await client.until(other)
            assert client.bodies[other] == b"/other"
            last = client.request(fields(path="/last"))
            await client.until(last)
            assert client.goaway is None

    run(main())


def test_connect_is_refused_and_the_connection_goes_on() -> None:
    async def main() -> None:
        async with serving(answering()) as server, Client(server) as client:
            plain = client.request([(":method", "CONNECT"), (":authority", "a:443")])
            extended = client.request([*fields("CONNECT"), (":protocol", "websocket")])
            fine = client.request(fields())
            await client.until(fine)
            assert client.statuses[fine] == [200]
            assert client.statuses.get(plain, [501]) == [501]
            assert 200 not in client.statuses.get(extended, [])

    run(main())


def test_a_body_that_nobody_reads_blocks_only_its_stream() -> None:
    async def main() -> None:
        release = asyncio.Event()
        async with serving(holding_back(release, "/unread")) as server, Client(server) as client:
            unread = [client.request(fields("POST", "/unread"), end=False) for _ in range(5)]
            for stream in unread:
                for _ in range(3):
                    client.connection.send_data(stream, b"x" * 13_000)
                    client.flush()
                    await asyncio.sleep(0.01)
                    client.connection.ping(b"12345678")
                    client.flush()
                    await client.step()
            assert client.pings > 3
            read = client.request(fields("POST", "/read"), b"x" * 10_000)
            await client.until(read)
            assert client.statuses[read] == [200]
            release.set()
            for stream in unread:
                client.connection.end_stream(stream)
            client.flush()
            await client.until(*unread)

    run(main())


def test_a_body_that_does_not_come_is_refused_and_an_answer_that_is_not_taken_is_reset() -> None:
    async def main() -> None:
        lost = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                try:
                    while True:
                        await send({"type": "http.response.body", "body": b"x" * 30_000, "more_body": True})
                except OSError:
                    lost.set()

        settings = {"tick_ms": 10, "body_timeout_ms": 100, "write_timeout_ms": 150}
        async with serving(app, **settings) as server, Client(server) as client:
            client.takes_data = False
            slow = client.request(fields("POST"), b"abc", end=False)
            greedy = client.request(fields())
            await client.until(slow, greedy)
            assert client.statuses[slow] == [408]
            assert client.resets[greedy] == 8
            await lost.wait()

    run(main())


def test_a_connection_serves_more_than_a_thousand_requests() -> None:
    async def main() -> None:
        async with serving(answering()) as server, Client(server) as client:
            for _ in range(30):
                streams = [client.request(fields()) for _ in range(50)]
                await client.until(*streams)
            assert len(client.statuses) == 1500
            assert client.goaway is None

    run(main())


def test_an_idle_connection_is_sent_away() -> None:
    async def main() -> None:
        async with serving(answering(), tick_ms=10, idle_timeout_ms=100) as server, Client(server) as client:
            await client.until(client.request(fields()))
            await client.until_closed()
            assert client.goaway == 0

    run(main())


def test_draining_lets_streams_end_and_takes_no_new_ones() -> None:
    async def main() -> None:
        begun, release = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                begun.set()
                await release.wait()
                await respond(send)

        async with serving(app, drain_timeout_ms=20_000) as server, Client(server) as client:
            running = client.request(fields())
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            while client.goaway is None:
                await client.step()
            assert client.goaway == 0
            release.set()
            await client.until_closed()
            assert b"\x01\x04" + running.to_bytes(4, "big") in client.tail
            await stopping

    run(main())


def test_a_failing_handler_gives_500_or_a_reset(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/half":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
            raise ValueError("broken")

    async def main() -> None:
        async with serving(app) as server, Client(server) as client:
            whole, half = client.request(fields()), client.request(fields(path="/half"))
            await client.until(whole, half)
            assert client.statuses[whole] == [500]
            assert client.headers[whole]["request-id"].startswith("req_")
            assert client.resets[half] == 2

    run(main())


def test_the_preface_is_known_however_it_is_cut() -> None:
    async def main() -> None:
        settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        async with serving(answering()) as server:
            for cut in (1, 3, 4, 15, 18, 23, 24, 25):
                reader, writer = await connect(server)
                for piece in ((PREFACE + settings)[:cut], (PREFACE + settings)[cut:]):
                    writer.write(piece)
                    await asyncio.sleep(0.005)
                assert (await reader.readexactly(9))[3] == 4
                writer.close()
            reader, writer = await connect(server)
            for byte in PREFACE + settings:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
            assert (await reader.readexactly(9))[3] == 4
            writer.close()

    run(main())


@pytest.mark.parametrize(
    "almost", [PREFACE[:18] + b"XX\r\n\r\n", PREFACE.replace(b"2.0", b"2.1"), b"P\r\n\r\n"]
)
def test_what_only_begins_like_the_preface_is_http1(almost: bytes) -> None:
    async def main() -> None:
        async with serving(answering()) as server:
            for size in (len(almost), 1):
                reader, writer = await connect(server)
                for place in range(0, len(almost), size):
                    writer.write(almost[place : place + size])
                    await asyncio.sleep(0.001)
                assert (await reader.readline()).split()[1] in {b"400", b"505"}
                writer.close()

    run(main())


def find_h2spec() -> str:
    """Return the path of h2spec, which is where Go puts programs if not on the path; or skip."""
    found, go = shutil.which("h2spec"), shutil.which("go")
    if found is None and go is not None:
        place = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=True).stdout
        found = shutil.which("h2spec", path=str(Path(place.strip()) / "bin"))
    if found is None:
        pytest.skip("h2spec is not installed (go install github.com/summerwind/h2spec/cmd/h2spec@latest)")
    return found


def test_h2spec_finds_nothing(tmp_path: Path) -> None:
    program = find_h2spec()
    cert, key = make_certificate(tmp_path)

    async def main() -> None:
        async with serving(answering(b"ok" * 50), tls_cert=cert, tls_key=key) as server:
            # It waits two seconds otherwise, and a machine may stand still for longer.
            command = [program, "-h", "localhost", "-p", str(port_of(server)), "-t", "-k", "-S", "-o", "30"]
            result = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, check=False
            )
            assert "146 tests, 146 passed" in result.stdout, result.stdout

    run(main())


def test_over_tls_alpn_decides(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def main() -> None:
        async with serving(answering(), tls_cert=cert, tls_key=key) as server:
            async with Client(server, ssl=client_context("h2", "http/1.1")) as client:
                stream = client.request(fields())
                await client.until(stream)
                assert client.statuses[stream] == [200]
            for protocols in ((), ("http/1.1",)):
                reader, writer = await connect(server, ssl=client_context(*protocols))
                # Without ALPN there is no HTTP/2 over TLS, preface or not (RFC 9113 3.3).
                writer.write(PREFACE)
                assert (await reader.readline()).split()[1] == b"505"
                writer.close()

    run(main())
