"""The state of a connection when another process takes over: no client loses a request, or is reset.

Each test brings a connection into a state, begins the hand-over, and goes on as a client that knows of
nothing: what it asks is answered, or refused by a GOAWAY that allows it to ask again elsewhere.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from fastpay.server.listener import Server
from tests.support.doors import Certificate
from tests.support.h2_client import PREFACE, frame
from tests.support.h2_raw import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    SETTINGS,
    WINDOW_UPDATE,
    RawClient,
    request,
)
from tests.support.http_server import Receive, Scope, Send, client_context, read_body, respond, run, serving
from tests.support.wire import Wire
from tests.transport.test_bytes_in_flight import until

_FOREVER_MS = 600_000
_LARGE = b"x" * 1_000_000
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
tls_or_not = pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])


class Scene:
    """A server whose requests wait for `release` if their path is /slow, and a way to connect to it."""

    def __init__(self, certificate: Certificate | None) -> None:
        self._certificate = certificate
        self.release = asyncio.Event()
        self.handing: asyncio.Task[None] | None = None
        self.server = cast(Server, None)
        self._wires: list[Wire] = []

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/slow":
                await self.release.wait()
            await read_body(receive)
            await respond(send, _LARGE if scope["path"] == "/large" else b"ok")

    @asynccontextmanager
    async def open(self, **settings: Any) -> AsyncIterator["Scene"]:
        made = self._certificate
        tls = {} if made is None else {"tls_cert": str(made.cert), "tls_key": str(made.key)}
        async with serving(self.answer, linger_timeout_ms=250, tick_ms=20, **tls, **settings) as self.server:
            try:
                yield self
            finally:
                for wire in self._wires:
                    wire.close()

    def connect(self, protocol: str) -> Wire:
        context = None if self._certificate is None else client_context(protocol)
        self._wires.append(Wire(self.server, context))
        return self._wires[-1]

    async def shake_hands(self, protocol: str) -> Wire:
        wire = self.connect(protocol)
        if self._certificate is not None:
            wire.hello()
            await wire.complete()
            wire.send_flight()
        return wire

    async def enter(self) -> RawClient:
        """Return a connection over HTTP/2 whose settings were exchanged."""
        client = over(await self.shake_hands("h2"))
        await client.ping()
        return client

    async def settle(self, connections: int = 1) -> None:
        """Let the server read what was sent."""
        await until(lambda: self.server.connection_count == connections)
        for _ in range(20):
            await asyncio.sleep(0.001)

    async def hand_over(self, period_ms: int = _FOREVER_MS) -> None:
        hand_over = self.server.hand_over(period_ms=period_ms, until=asyncio.Event())
        self.handing = asyncio.create_task(hand_over)
        await asyncio.sleep(0)

    async def end(self, wire: Wire) -> None:
        """Close the last connection; with it the hand-over ends."""
        assert self.handing is not None
        assert not self.handing.done()
        wire.close()
        await self.handing


def over(wire: Wire) -> RawClient:
    client = RawClient(cast(Any, wire), cast(Any, wire))
    client.wire = wire  # type: ignore[attr-defined]
    return client


def wire_of(client: RawClient) -> Wire:
    return client.wire  # type: ignore[attr-defined,no-any-return]


async def until_goaway(client: RawClient) -> None:
    while not client.goaways:
        assert await client.step(), "the end without GOAWAY"


def played(certificate: Certificate, is_tls: bool, play: Any, **settings: Any) -> None:
    async def main() -> None:
        async with Scene(certificate if is_tls else None).open(**settings) as scene:
            await play(scene)

    run(main())


async def _see_answered(scene: Scene, client: RawClient, stream: int) -> None:
    await client.until(stream)
    await until_goaway(client)
    assert client.statuses == {stream: [200]}
    assert client.goaways == [(stream, 0)]
    assert await wire_of(client).is_open()
    await scene.end(wire_of(client))


@pytest.mark.parametrize("sent", ["nothing", "half a hello", "all but the last flight", "the handshake"])
def test_a_handshake_at_any_point_is_completed_and_its_request_answered(
    certificate: Certificate, sent: str
) -> None:
    async def play(scene: Scene) -> None:
        wire = scene.connect("h2")
        if sent != "nothing":
            wire.hello(100 if sent == "half a hello" else None)
        if sent in {"all but the last flight", "the handshake"}:
            await wire.complete()
        if sent == "the handshake":
            wire.send_flight()
        await scene.settle()
        await scene.hand_over()
        await scene.settle()
        if sent == "nothing":
            wire.hello()
        if sent in {"nothing", "half a hello"}:
            await wire.complete()
        client = over(wire)
        await _see_answered(scene, client, client.request(request()))

    played(certificate, True, play)


@tls_or_not
@pytest.mark.parametrize("size", [0, 1, 10, len(PREFACE), len(PREFACE) + 5])
def test_a_connection_that_has_sent_a_part_of_its_preface_is_served(
    certificate: Certificate, is_tls: bool, size: int
) -> None:
    async def play(scene: Scene) -> None:
        wire = await scene.shake_hands("h2")
        if size:
            wire.write((PREFACE + frame(SETTINGS))[:size])
        await scene.settle()
        await scene.hand_over()
        await scene.settle()
        wire.skip = size
        client = over(wire)
        await _see_answered(scene, client, client.request(request()))

    played(certificate, is_tls, play)


@tls_or_not
@pytest.mark.parametrize("sent", ["settings", "half a head", "a head", "half a body", "all"])
def test_the_first_request_is_answered_whatever_was_sent_of_it(
    certificate: Certificate, is_tls: bool, sent: str
) -> None:
    async def play(scene: Scene) -> None:
        client = await scene.enter()
        stream, head = client.head(request("POST", "/slow"), end=False)
        block = head[9:]
        pieces = [
            frame(HEADERS, 0, stream, block[:5]),
            frame(CONTINUATION, END_HEADERS, stream, block[5:]),
            frame(DATA, 0, stream, b"half"),
            frame(DATA, END_STREAM, stream, b"half"),
        ]
        count = ["settings", "half a head", "a head", "half a body", "all"].index(sent)
        for piece in pieces[:count]:
            client.send(piece)
        await scene.settle()
        await scene.hand_over()
        await scene.settle()
        for piece in pieces[count:]:
            client.send(piece)
        scene.release.set()
        await _see_answered(scene, client, stream)

    played(certificate, is_tls, play)


@tls_or_not
@pytest.mark.parametrize("is_sent_before", [False, True], ids=["after GOAWAY", "crossing it"])
def test_a_request_that_meets_the_goaway_is_refused_by_it_and_never_reset(
    certificate: Certificate, is_tls: bool, is_sent_before: bool
) -> None:
    """A client that reads nothing while it is idle writes all of its request before it finds the GOAWAY."""

    async def play(scene: Scene) -> None:
        client = await scene.enter()
        await client.until(client.request(request()))
        stream, head = client.head(request("POST"), end=False)
        if is_sent_before:
            client.send(head)
        await scene.hand_over()
        await scene.settle()
        for piece in (
            b"" if is_sent_before else head,
            frame(DATA, 0, stream, b"half"),
            frame(DATA, 1, stream),
        ):
            client.send(piece)
            await scene.settle()
        await until_goaway(client)
        assert client.goaways == [(1, 0)]
        assert client.goaways[0][0] < stream
        assert scene.server.request_count == 1
        assert await wire_of(client).is_open()
        await scene.end(wire_of(client))

    played(certificate, is_tls, play)


@tls_or_not
def test_a_response_in_the_buffers_is_read_to_its_end(certificate: Certificate, is_tls: bool) -> None:
    async def play(scene: Scene) -> None:
        client = await scene.enter()
        client.takes_data = False
        huge = struct.pack(">I", 1 << 30)
        client.send(frame(SETTINGS, 0, 0, b"\0\4" + huge) + frame(WINDOW_UPDATE, 0, 0, huge))
        stream = client.request(request(path="/large"))
        await client.step()
        (connection,) = scene.server._service.http2_connections  # type: ignore[union-attr]
        # All of it has left the stream, and the end of it waits in the transport.
        while connection.guard.streams or not scene.server.request_count:
            assert await client.step()
            await asyncio.sleep(0)
        assert connection.transport.get_write_buffer_size()
        await scene.hand_over()
        # Longer than a connection lingers that the server ends itself.
        await asyncio.sleep(0.8)
        await until_goaway(client)
        assert client.bodies[stream] == _LARGE
        assert stream in client.ended
        await scene.end(wire_of(client))

    played(certificate, is_tls, play)


@tls_or_not
@pytest.mark.parametrize("is_handed_over", [False, True], ids=["a stop", "the end of a hand-over"])
def test_at_the_end_goaway_comes_before_the_end_and_no_reset_after_it(
    certificate: Certificate, is_tls: bool, is_handed_over: bool
) -> None:
    async def play(scene: Scene) -> None:
        client = await scene.enter()
        await client.until(client.request(request()))
        stream, head = client.head(request("POST"), end=False)
        if is_handed_over:
            await scene.hand_over(period_ms=1)
            assert scene.handing is not None
            await scene.handing
        stopping = asyncio.create_task(scene.server.stop())
        await asyncio.sleep(0)
        for piece in (head, frame(DATA, 0, stream, b"half"), frame(DATA, END_STREAM, stream)):
            await asyncio.sleep(0.02)
            client.send(piece)
        await client.until_closed()
        assert client.goaways == [(1, 0)]
        assert client.frames[-1] == (GOAWAY, 0)
        wire_of(client).close()
        await stopping

    played(certificate, is_tls, play, drain_timeout_ms=3_000)


@tls_or_not
def test_a_dismissed_connection_is_closed_after_the_idle_timeout(
    certificate: Certificate, is_tls: bool
) -> None:
    async def play(scene: Scene) -> None:
        client = await scene.enter()
        await client.until(client.request(request()))
        await scene.hand_over()
        await client.until_closed()
        assert client.goaways == [(1, 0)]
        wire_of(client).close()
        await cast("asyncio.Task[None]", scene.handing)

    played(certificate, is_tls, play, idle_timeout_ms=500)


@tls_or_not
def test_a_dismissed_connection_takes_only_so_many_bytes(certificate: Certificate, is_tls: bool) -> None:
    async def play(scene: Scene) -> None:
        client = await scene.enter()
        await client.until(client.request(request()))
        await scene.hand_over()
        with pytest.raises(ConnectionError):
            await _flood(client)
        wire_of(client).close()
        await cast("asyncio.Task[None]", scene.handing)

    played(certificate, is_tls, play, linger_bytes_max=10_000)


async def _flood(client: RawClient) -> None:
    for _ in range(100):
        client.send(frame(DATA, 0, 3, bytes(1_000)))
        await asyncio.sleep(0.001)


# HTTP/1.1


async def _read_answer(wire: Wire) -> bytes:
    received = b""
    while not received.endswith(b"ok"):
        data = await wire.read()
        assert data, received
        received += data
    return received.lower()


@tls_or_not
@pytest.mark.parametrize("sent", ["nothing", "half a head", "a head", "half a body", "all"])
def test_over_http1_the_request_is_answered_whatever_was_sent_of_it(
    certificate: Certificate, is_tls: bool, sent: str
) -> None:
    async def play(scene: Scene) -> None:
        wire = await scene.shake_hands("http/1.1")
        wire.write(_POST + b"body")
        assert b"connection: close" not in await _read_answer(wire)
        slow = _POST.replace(b"/", b"/slow", 1)
        size = {"nothing": 0, "half a head": 9, "a head": len(slow), "half a body": len(slow) + 2}
        cut = size.get(sent, len(slow) + 4)
        if cut:
            wire.write((slow + b"body")[:cut])
        await scene.settle()
        await scene.hand_over()
        await scene.settle()
        if sent != "all":
            wire.write((slow + b"body")[cut:])
        scene.release.set()
        assert b"connection: close" in await _read_answer(wire)
        # The next request, of a client that has not read that yet.
        for _ in range(3):
            wire.write(_POST)
            await asyncio.sleep(0.02)
        assert await wire.read() == b""
        assert scene.server.request_count == 2
        await scene.end(wire)

    played(certificate, is_tls, play)


@tls_or_not
def test_over_http1_a_stop_does_not_reset_a_request_that_is_being_sent(
    certificate: Certificate, is_tls: bool
) -> None:
    async def play(scene: Scene) -> None:
        wire = await scene.shake_hands("http/1.1")
        wire.write(_POST)
        await scene.settle()
        stopping = asyncio.create_task(scene.server.stop())
        for _ in range(3):
            await asyncio.sleep(0.02)
            wire.write(b"x")
        assert await wire.read() == b""
        wire.close()
        await stopping

    played(certificate, is_tls, play, drain_timeout_ms=3_000)
