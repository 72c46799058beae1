"""One fault costs one request, one stream or one connection, and never the answers of others."""

import asyncio
from pathlib import Path

import pytest

from fastpay import limits
from tests.support.h2_client import frame
from tests.support.h2_raw import (
    COMPRESSION_ERROR,
    DATA,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    HEADERS,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RawClient,
    connected,
    request,
)
from tests.support.h2_sorts import CONNECTION_ERRORS, MALFORMED, MALFORMED_LATER, STREAM_ERRORS
from tests.support.http_server import (
    Receive,
    Scope,
    Send,
    client_context,
    holding_back,
    make_certificate,
    read_body,
    respond,
    run,
    serving,
)

pytestmark = pytest.mark.usefixtures("each_engine")


class Till:
    """An application that answers when it is told to, and counts whom it served."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun: list[str] = []
        self._news = asyncio.Event()

    async def until_begun(self, count: int) -> None:
        while len(self.begun) < count:
            self._news.clear()
            await self._news.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.begun.append(scope["path"])
            self._news.set()
            if scope["path"] == "/held":
                await self.release.wait()
            await respond(send, await read_body(receive))


def hold(client: RawClient, count: int = 20) -> list[int]:
    """Send requests that stay under way until they are released."""
    return [client.request(request("POST", "/held"), b"pay %d" % number) for number in range(count)]


def check_held(client: RawClient, held: list[int]) -> None:
    assert [client.bodies.get(stream) for stream in held] == [b"pay %d" % n for n in range(len(held))]
    assert all(client.statuses[stream] == [200] for stream in held)
    assert client.ended >= set(held)


def test_each_malformed_request_is_refused_alone() -> None:
    async def main() -> None:
        till = Till()
        async with serving(till) as server, connected(server) as client:
            held = hold(client)
            faults: dict[int, str] = {}
            for name, fields in MALFORMED.items():
                faults[client.request(fields)] = name
                await client.until(*faults)
                await client.until(client.request(request("POST", "/"), b"between"))
            for name, make in MALFORMED_LATER.items():
                stream, data = make(client)
                client.send(data)
                faults[stream] = name
                await client.until(client.request(request("POST", "/"), b"between"))
            while not all(stream in client.resets for stream in faults):
                assert await client.step(), client.goaways
            for stream, name in faults.items():
                assert client.statuses[stream] == [400], name
                assert stream in client.ended, name
                assert client.resets[stream] == PROTOCOL_ERROR, name
                assert client.headers[stream]["request-id"].startswith("req_"), name
            till.release.set()
            await client.until(*held)
            check_held(client, held)
            assert client.goaways == []
            assert len(till.begun) == len(held) + len(faults)

    run(main())


def test_a_packet_of_malformed_and_honest_requests_is_answered_whole() -> None:
    async def main() -> None:
        till = Till()
        till.release.set()
        async with serving(till) as server, connected(server) as client:
            for _ in range(6):
                # One packet, and fewer streams than may run at once.
                packet = b""
                honest: list[int] = []
                for fields in MALFORMED.values():
                    packet += client.head(fields)[1]
                    stream, head = client.head(request("POST", "/held"), end=False)
                    packet += head + frame(DATA, 1, stream, b"pay %d" % len(honest))
                    honest.append(stream)
                client.send(packet)
                await client.until(*honest)
                check_held(client, honest)
            await client.ping()
            assert len([1 for statuses in client.statuses.values() if statuses == [400]]) == 6 * len(
                MALFORMED
            )
            assert client.goaways == []

    run(main())


@pytest.mark.parametrize("name", STREAM_ERRORS)
def test_a_fault_of_a_stream_resets_that_stream_alone(name: str) -> None:
    async def main() -> None:
        till = Till()
        code, make = STREAM_ERRORS[name]
        async with serving(till) as server, connected(server) as client:
            held = hold(client)
            stream, data = make(client)
            client.send(data)
            while stream not in client.resets:
                assert await client.step(), client.goaways
            assert client.resets[stream] == code
            await client.until(client.request(request("POST", "/"), b"after"))
            till.release.set()
            await client.until(*held)
            check_held(client, held)
            assert client.goaways == []

    run(main())


def test_data_beyond_a_streams_window_resets_that_stream_alone() -> None:
    async def main() -> None:
        release = asyncio.Event()
        async with serving(holding_back(release, "/unread")) as server, connected(server) as client:
            greedy = client.request(request("POST", "/unread"), end=False)
            for _ in range(6):
                # The connection's window is given back, the stream's is not.
                client.send(frame(DATA, 0, greedy, bytes(11_000)))
                await client.ping()
            assert client.resets == {greedy: FLOW_CONTROL_ERROR}
            for _ in range(3):
                # What is still on its way is thrown away, and its window given back.
                client.send(frame(DATA, 0, greedy, bytes(16_000)))
                await client.ping()
                await client.until(client.request(request("POST", "/"), bytes(15_000)))
            assert client.goaways == []
            release.set()

    run(main())


def test_streams_beyond_the_limit_are_refused_alone_and_may_be_sent_again() -> None:
    async def main() -> None:
        till = Till()
        async with serving(till) as server, connected(server) as client:
            held = hold(client, limits.http2_streams_max)
            refused = [client.request(request("POST", "/"), b"later") for _ in range(20)]
            await client.until(*refused)
            assert {client.resets.get(stream) for stream in refused} == {REFUSED_STREAM}
            till.release.set()
            await client.until(*held)
            check_held(client, held)
            again = client.request(request("POST", "/"), b"later")
            await client.until(again)
            assert client.statuses[again] == [200]
            assert client.goaways == []

    run(main())


@pytest.mark.parametrize("packets", ["one packet", "two packets"])
def test_a_fault_of_the_connection_comes_after_the_answers_of_what_was_asked(packets: str) -> None:
    async def main() -> None:
        for name, (code, make) in CONNECTION_ERRORS.items():
            till = Till()
            async with serving(till) as server, connected(server) as client:
                await client.until(client.request(request("POST", "/"), b"first"))
                stream, fields = client.head(request("POST", "/held"), end=False)
                half = frame(DATA, 0, stream, b"half of a body")
                data = fields + half
                held = []
                for number in range(20):
                    stream, head = client.head(request("POST", "/held"), end=False)
                    data += head + frame(DATA, 1, stream, b"pay %d" % number)
                    held.append(stream)
                if packets == "two packets":
                    client.send(data)
                    await client.ping()
                    data = b""
                client.send(data + make(client))
                await till.until_begun(21)
                till.release.set()
                await client.until_closed()
                check_held(client, held)
                last, found = client.goaways[-1]
                assert (name, found) == (name, code)
                assert last >= held[-1]
                assert client.frames[-1] == (GOAWAY, 0)
                # A request whose body was not complete was not begun, and may be sent again.
                assert client.resets[3] == REFUSED_STREAM, name

    run(main(), timeout_seconds=60)


def test_answers_leave_before_the_goaway_over_tls_too(tmp_path: Path) -> None:
    async def main() -> None:
        till = Till()
        cert, key = make_certificate(tmp_path)
        context = client_context("h2")
        async with (
            serving(till, tls_cert=cert, tls_key=key) as server,
            connected(server, tls=context) as client,
        ):
            held = hold(client)
            client.send(frame(HEADERS, 5, client.next_stream, b"\xff\xff\xff\xff\xff\xff"))
            await till.until_begun(len(held))
            till.release.set()
            await client.until_closed()
            check_held(client, held)
            assert client.goaways == [(held[-1], COMPRESSION_ERROR)]

    run(main())


@pytest.mark.parametrize("name", ["a field block that cannot be decoded", "a frame that is too large"])
def test_answers_larger_than_a_window_are_sent_to_their_end_behind_a_fault(name: str) -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await release.wait()
                await respond(send, bytes(30_000))

        async with serving(app) as server, connected(server) as client:
            held = [client.request(request()) for _ in range(10)]
            client.send(CONNECTION_ERRORS[name][1](client))
            asyncio.get_running_loop().call_later(0.05, release.set)
            await client.until_closed()
            assert [len(client.bodies[stream]) for stream in held] == [30_000] * 10
            assert client.goaways == [(held[-1], CONNECTION_ERRORS[name][0])]

    run(main())


def test_requests_are_answered_after_the_client_said_goaway_or_closed_its_half() -> None:
    async def main() -> None:
        for ending in ("goaway", "end of input"):
            till = Till()
            async with serving(till) as server, connected(server) as client:
                held = hold(client)
                if ending == "goaway":
                    client.send(frame(GOAWAY, 0, 0, bytes(8)))
                    await client.ping()
                else:
                    client.end_input()
                    await till.until_begun(len(held))
                till.release.set()
                await client.until_closed()
                check_held(client, held)

    run(main())


def test_what_is_never_answered_does_not_keep_a_broken_connection_open() -> None:
    async def main() -> None:
        till = Till()
        async with serving(till, tick_ms=10, drain_timeout_ms=100, linger_timeout_ms=50) as server:
            async with connected(server) as client:
                hold(client)
                client.send(frame(HEADERS, 5, client.next_stream, b"\xff\xff\xff\xff\xff\xff"))
                await client.until_closed()
                assert client.goaways
            till.release.set()

    run(main())
