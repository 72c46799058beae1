"""Floods over HTTP/2: each ends in GOAWAY ENHANCE_YOUR_CALM, and nobody else feels it."""

import asyncio
import struct

import pytest

from fastpay import limits
from tests.transport.h2_client import CALM, Client, fields, frame
from tests.transport.harness import Receive, Scope, Send, answering, respond, run, serving

DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
COUNT = 1500


def opened(client: Client) -> int:
    """Open a stream whose body goes on."""
    return client.request(fields("POST"), end=False)


def empty_data(client: Client) -> bytes:
    return frame(DATA, 0, opened(client)) * COUNT


def crumbs(client: Client) -> bytes:
    return frame(DATA, 0, opened(client), b"x") * COUNT


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
                data = data[:12_000] if flood is not large_continuations else continuations(hostile)
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


def test_rapid_reset_starts_few_handlers_and_ends() -> None:
    async def main() -> None:
        started = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal started
            if scope["type"] == "http":
                started += 1
                await asyncio.sleep(0.01)
                await respond(send)

        async with serving(app) as server, Client(server) as hostile:
            closing = asyncio.create_task(hostile.until_closed())
            for _ in range(2000):
                if hostile.closed or hostile.goaway is not None:
                    break
                stream = hostile.request(fields())
                hostile.connection.reset_stream(stream, 8)
                hostile.flush()
                await asyncio.sleep(0)
            await closing
            assert hostile.goaway == CALM
            assert started <= limits.http2_reset_burst + 10

    run(main())


def test_resets_that_a_client_provokes_count_like_its_own() -> None:
    async def main() -> None:
        started = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal started
            if scope["type"] == "http":
                started += 1
                await asyncio.sleep(0.01)
                await respond(send)

        async with serving(app) as server, Client(server) as hostile:
            closing = asyncio.create_task(hostile.until_closed())
            for _ in range(2000):
                if hostile.closed or hostile.goaway is not None:
                    break
                stream = hostile.request(fields("POST"), end=False)
                # A window update by zero is a fault of the stream alone (RFC 9113 6.9).
                hostile.raw(frame(WINDOW_UPDATE, 0, stream, bytes(4)))
                await asyncio.sleep(0)
            await closing
            assert hostile.goaway in {CALM, 1}
            assert started <= limits.http2_reset_burst + 10

    run(main())


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
