"""Floods over HTTP/2: each ends in GOAWAY ENHANCE_YOUR_CALM, and nobody else feels it."""

import asyncio
import struct
import tracemalloc
from collections.abc import Callable

import hpack
import pytest

from fastpay import limits
from fastpay.config import Http2Engine
from fastpay.server.http2_codec import Codec
from fastpay.server.http2_engine import create_codecs
from fastpay.server.http2_frames import PREFACE
from fastpay.server.settings import ServerSettings
from tests.support.h2_client import CALM, Client, fields, frame
from tests.support.h2_raw import connected, padded, request
from tests.support.http_server import Receive, Scope, Send, answering, respond, run, serving

pytestmark = pytest.mark.usefixtures("each_engine")

DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
COUNT = 1500


def opened(client: Client) -> int:
    """Open a stream whose body goes on."""
    return client.request(fields("POST"), end=False)


def empty_data(client: Client) -> bytes:
    return frame(DATA, 0, opened(client)) * COUNT


def crumbs(client: Client) -> bytes:
    return frame(DATA, 0, opened(client), b"x") * COUNT


def padded_empty_data(client: Client) -> bytes:
    return padded(opened(client)) * COUNT


def padded_crumbs(client: Client) -> bytes:
    return padded(opened(client), b"x", 200) * COUNT


def trailers_of_a_refused_stream(client: Client) -> bytes:
    stream = opened(client)
    return frame(WINDOW_UPDATE, 0, stream, bytes(4)) + frame(HEADERS, 5, stream, b"\x82") * COUNT


def table_sizes(client: Client) -> bytes:
    stream = client.connection.get_next_available_stream_id()
    return frame(HEADERS, 1, stream, b"\x20" * 16_000) + frame(CONTINUATION, 0, stream, b"\x20" * 16_000) * 8


def pings(client: Client) -> bytes:
    return frame(PING, 0, 0, b"12345678") * COUNT


def settings(client: Client) -> bytes:
    return frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000)) * COUNT


def settings_acknowledgements(client: Client) -> bytes:
    return frame(SETTINGS, 1) * COUNT


def priorities(client: Client) -> bytes:
    return b"".join(frame(PRIORITY, 0, 2 * n + 101, struct.pack(">IB", 0, 1)) for n in range(COUNT))


def window_updates(client: Client) -> bytes:
    return frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * COUNT


def unknown_frames(client: Client) -> bytes:
    return frame(0xBB, 0, 0, b"x") * COUNT


def continuations(client: Client) -> bytes:
    stream = client.connection.get_next_available_stream_id()
    return frame(HEADERS, 1, stream) + frame(CONTINUATION, 0, stream) * 50


def large_continuations(client: Client) -> bytes:
    stream = client.connection.get_next_available_stream_id()
    return frame(HEADERS, 1, stream) + frame(CONTINUATION, 0, stream, b"\x00\x01x\x01y" * 3000) * 50


FLOODS = [
    empty_data,
    crumbs,
    padded_empty_data,
    padded_crumbs,
    trailers_of_a_refused_stream,
    table_sizes,
    pings,
    settings,
    settings_acknowledgements,
    priorities,
    window_updates,
    unknown_frames,
    continuations,
    large_continuations,
]


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("piece", [1 << 30, 1000, 7])
def test_a_flood_ends_in_enhance_your_calm_and_others_are_served(flood: object, piece: int) -> None:
    async def main() -> None:
        async with serving(answering()) as server, Client(server) as hostile, Client(server) as other:
            assert callable(flood)
            await hostile.until(hostile.request(fields()))
            data: bytes = flood(hostile)
            if piece == 7:
                # Enough of a flood, and not too many packets.
                large = flood in {large_continuations, table_sizes, padded_empty_data, padded_crumbs}
                data = data[:12_000] if not large else continuations(hostile)
            hostile.flush()
            hostile.quiet = True
            closing = asyncio.create_task(hostile.until_closed())
            for place in range(0, len(data), piece):
                if hostile.closed or hostile.goaway is not None:
                    break
                hostile.raw(data[place : place + piece])
                if place % 700 == 0:
                    await asyncio.sleep(0)
            await closing
            assert hostile.goaway == CALM
            stream = other.request(fields())
            await other.until(stream)
            assert other.statuses[stream] == [200]

    run(main())


class Counting:
    """An application that counts its requests, and takes a while for each."""

    def __init__(self) -> None:
        self.started = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.started += 1
            await asyncio.sleep(0.01)
            await respond(send)


async def flood(reset: Callable[[Client], None]) -> int | None:
    """Reset many streams as soon as they are open, and return with what the connection ended."""
    app = Counting()
    async with serving(app) as server, Client(server) as hostile:
        closing = asyncio.create_task(hostile.until_closed())
        for _ in range(2000):
            if hostile.closed or hostile.goaway is not None:
                break
            reset(hostile)
            await asyncio.sleep(0)
        await closing
        assert app.started <= limits.http2_reset_burst + 10
        return hostile.goaway


def test_rapid_reset_starts_few_handlers_and_ends() -> None:
    def reset(hostile: Client) -> None:
        hostile.connection.reset_stream(hostile.request(fields()), 8)
        hostile.flush()

    async def main() -> None:
        assert await flood(reset) == CALM

    run(main())


def test_resets_that_a_client_provokes_count_like_its_own() -> None:
    def provoke(hostile: Client) -> None:
        # A window update by zero is a fault of the stream alone (RFC 9113 6.9).
        stream = hostile.request(fields("POST"), end=False)
        hostile.raw(frame(WINDOW_UPDATE, 0, stream, bytes(4)))

    async def main() -> None:
        assert await flood(provoke) in {CALM, 1}

    run(main())


def test_a_window_opened_byte_by_byte_does_not_pay_for_itself() -> None:
    async def main() -> None:
        async with (
            serving(answering(bytes(100_000))) as server,
            connected(server, settings=b"\0\4\0\0\0\0") as hostile,
        ):
            # An initial window of nothing.
            hostile.takes_data = False
            stream = hostile.request(request())
            await hostile.ping()
            for _ in range(COUNT // 30):
                # Each would have a frame of one byte sent, and two were paid for each of those.
                hostile.send(frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\1") * 30)
                await asyncio.sleep(0)
            await hostile.until_closed()
            assert dict(hostile.goaways)[stream] == CALM
            # One budget until the fault, and one for the windows of the last answers.
            assert len(hostile.bodies[stream]) <= 3 * limits.http2_control_burst

    run(main(), timeout_seconds=60)


def test_what_was_asked_before_a_flood_is_answered_before_the_goaway() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await release.wait()
                await respond(send, scope["path"].encode())

        async with serving(app) as server, connected(server) as client:
            packet, held = b"", []
            for number in range(50):
                stream, head = client.head(request("GET", f"/{number}"))
                held.append(stream)
                packet += head
            client.send(packet + pings_of(COUNT))
            asyncio.get_running_loop().call_later(0.1, release.set)
            await client.until_closed()
            assert [client.bodies[stream] for stream in held] == [b"/%d" % number for number in range(50)]
            assert client.goaways == [(held[-1], CALM)]
            assert client.pings <= limits.http2_control_burst

    run(main())


def pings_of(count: int) -> bytes:
    return frame(PING, 0, 0, b"12345678") * count


def test_frames_larger_than_the_least_do_not_confuse_the_budget() -> None:
    """A client may allow frames of megabytes; resets were once counted amid their bytes."""

    async def main() -> None:
        # As DATA, what would be read as RST_STREAM frames by whoever lost count.
        body = frame(RST, 0, 1, bytes(4)) * 60_000
        large = struct.pack(">HIHI", 5, 1 << 20, 4, (1 << 31) - 1)
        async with serving(answering(body)) as server, connected(server, settings=large) as client:
            client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
            for _ in range(3):
                stream = client.request(request())
                await client.until(stream)
                assert client.bodies[stream] == body
            assert client.goaways == []

    run(main())


def test_cookie_crumbs_are_bounded_in_number() -> None:
    """A crumb of one byte on the wire becomes a field of its own (RFC 9113 8.2.3)."""

    async def main() -> None:
        async with serving(answering()) as server, connected(server) as client:
            few = client.request(request("GET", "/", *[("cookie", "a=1")] * 50))
            await client.until(few)
            assert client.statuses[few] == [200]
            many = [client.request(request("GET", "/", *[("cookie", "a=1")] * 100)) for _ in range(20)]
            await client.until(*many)
            assert {tuple(client.statuses[stream]) for stream in many} == {(431,)}
            # More than twice the bound, and far from filling the list in bytes.
            client.request(request("GET", "/", *[("cookie", "a=1")] * 130))
            await client.until_closed()
            assert client.goaways[-1][1] == CALM

    run(main())


def crumb_bomb(count: int) -> bytes:
    """Return a field block whose cookie is one entry of the table, as often as is said: a byte a crumb."""
    return b"\x82\x84\x86\x41\x01a" + b"\x60\x80" + b"\xbe" * (count - 1)


def test_a_bomb_of_empty_cookie_crumbs_ends_its_connection_and_joins_nothing() -> None:
    """CVE-2026-49975: a crumb is one byte on the wire, and a field and two joined bytes here.

    They are counted as fields before anything is joined, with what an entry costs.
    """

    async def main() -> None:
        async with serving(answering()) as server:
            for crumbs in (130, 1_000, 16_000):
                async with connected(server) as hostile:
                    held = hostile.request(request())
                    await hostile.until(held)
                    hostile.send(frame(HEADERS, 5, hostile.next_stream, crumb_bomb(crumbs)))
                    await hostile.until_closed()
                    assert hostile.goaways[-1][1] == CALM
            assert server.request_count == 3
            # Again and again within the bounds: each is refused for itself, before its crumbs are joined.
            async with connected(server) as client:
                for _ in range(50):
                    client.send(frame(HEADERS, 5, client.next_stream, crumb_bomb(80)))
                    await client.until(client.next_stream)
                    assert client.statuses[client.next_stream] == [431]
                    client.next_stream += 2
            assert server.request_count == 3

    run(main())


def test_a_bomb_of_crumbs_is_not_kept(each_engine: Http2Engine) -> None:
    """A block of 16,000 crumbs makes no list of 16,000 fields."""
    codec = create_codecs(each_engine, ServerSettings())()
    codec.initiate_connection()
    codec.read(PREFACE)
    tracemalloc.start()
    try:
        events, fault = codec.read(frame(HEADERS, 5, 1, crumb_bomb(16_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert events == []
    assert fault == CALM
    assert peak < 400_000


def test_the_table_of_responses_is_bounded_as_a_client_sees_it(each_engine: Http2Engine) -> None:
    codec = create_codecs(each_engine, ServerSettings())()
    codec.initiate_connection()
    codec.read(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 1 << 30)))
    codec.data_to_send()
    client = hpack.Decoder()
    client.max_allowed_table_size = 1 << 30
    for stream in range(1, 2_001, 2):
        codec.read(frame(HEADERS, 5, stream, b"\x82\x84\x86\x41\x01a"))
        codec.send_headers(stream, [(b":status", b"200"), (b"request-id", b"req_%d" % stream)], True)
        client.decode(codec.data_to_send()[9:])
    assert client.header_table_size == limits.http2_table_bytes_max
    assert len(client.header_table.dynamic_entries) < 100


def test_a_table_of_answers_stays_small_whatever_the_client_allows() -> None:
    codec = Codec(16_384, 64)
    codec.initiate_connection()
    codec.read(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 1 << 30)))
    for stream in range(1, 2_001, 2):
        codec.read(frame(HEADERS, 5, stream, b"\x82\x84\x86\x41\x01a"))
        codec.send_headers(stream, [(b":status", b"200"), (b"request-id", b"req_%d" % stream)], True)
        codec.data_to_send()
    assert codec.encoder.header_table_size == limits.http2_table_bytes_max
    assert len(codec.encoder.header_table.dynamic_entries) < 100
    assert len(codec._closed_streams) <= limits.http2_closed_streams_max


def test_a_header_bomb_ends_its_connection() -> None:
    async def main() -> None:
        async with serving(answering()) as server, Client(server) as hostile:
            hostile.request([*fields(), ("x", "y" * 4000)])
            await hostile.step()
            # Thousands of references to one entry of the table: few bytes, megabytes of fields.
            block = b"\x82\x84\x86\x41\x01a" + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 10_000
            hostile.raw(frame(HEADERS, 5, 3, block[:16_000]))
            await hostile.until_closed()
            assert hostile.goaway == CALM

    run(main())


def test_work_that_is_done_pays_for_control_frames() -> None:
    async def main() -> None:
        async with serving(answering()) as server, Client(server) as client:
            for _ in range(400):
                client.connection.ping(b"12345678")
                await client.until(client.request(fields()))
            assert client.goaway is None
            assert client.pings == 400

    run(main())
