"""Frames that nobody thought of: what was completely asked before them is answered.

FASTPAY_FUZZ_SECONDS lets it run longer than the moment it gets in the test run.
"""

import asyncio
import logging
import os
import random
import struct
import time

import pytest

from fastpay.server.listener import Server
from tests.support.h2_client import frame
from tests.support.h2_raw import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST,
    SETTINGS,
    WINDOW_UPDATE,
    RawClient,
    connected,
    padded,
    request,
)
from tests.support.h2_sorts import CONNECTION_ERRORS, MALFORMED, MALFORMED_LATER, STREAM_ERRORS
from tests.support.http_server import Receive, Scope, Send, read_body, respond, run, serving

pytestmark = pytest.mark.usefixtures("each_engine")

SECONDS = float(os.environ.get("FASTPAY_FUZZ_SECONDS", "1"))
HELD = 8


def invent(client: RawClient, chance: random.Random) -> bytes:
    """Return some frames, honest and otherwise."""
    sorts = [
        lambda: client.head(chance.choice(list(MALFORMED.values())))[1],
        lambda: chance.choice(list(MALFORMED_LATER.values()))(client)[1],
        lambda: chance.choice(list(STREAM_ERRORS.values()))[1](client)[1],
        lambda: chance.choice(list(CONNECTION_ERRORS.values()))[1](client),
        lambda: client.head(request("GET", "/between"))[1],
        lambda: padded(client.next_stream - 2, b"x"),
        lambda: frame(chance.choice([PING, PRIORITY, WINDOW_UPDATE, 0xBB]), 0, 0, chance.randbytes(8)),
        lambda: frame(chance.randrange(12), chance.randrange(256), chance.randrange(40), chance.randbytes(5)),
        lambda: chance.randbytes(chance.randrange(40)),
    ]
    return b"".join(chance.choice(sorts)() for _ in range(chance.randint(1, 5)))


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Change, drop or repeat some bytes."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        if changed:
            place = chance.randrange(len(changed))
            changed[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    return bytes(changed)


def names(data: bytes) -> tuple[set[int], bool]:
    """Return the streams that these bytes name, and whether they change what may be sent."""
    named: set[int] = set()
    place, is_setting = 0, False
    while place + 9 <= len(data):
        length = struct.unpack(">I", b"\0" + data[place : place + 3])[0]
        kind = data[place + 3]
        stream = struct.unpack(">I", data[place + 5 : place + 9])[0] & 0x7FFFFFFF
        if kind in {DATA, HEADERS, PRIORITY, RST, WINDOW_UPDATE, CONTINUATION}:
            named.add(stream)
        is_setting = is_setting or kind == SETTINGS
        place += 9 + length
    return named, is_setting


def test_what_was_asked_before_mutated_frames_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await release.wait()
            await respond(send, await read_body(receive))

    async def one(server: Server) -> bool:
        async with connected(server) as client:
            packet, held = b"", {}
            for number in range(HELD):
                stream, head = client.head(request("POST", "/held"), end=False)
                held[stream] = b"pay %d" % number
                packet += head + frame(DATA, 1, stream, held[stream])
            strange = mutate(invent(client, chance), chance)
            named, is_setting = names(strange)
            data = packet + strange
            cut = chance.randrange(len(data))
            release.clear()
            client.send(data[:cut])
            await asyncio.sleep(0)
            client.send(data[cut:])
            client.end_input()
            asyncio.get_running_loop().call_soon(release.set)
            await client.until_closed()
            if is_setting:
                return False
            for stream in held.keys() - named:
                assert client.bodies.get(stream) == held[stream], (strange, client.goaways)
                assert client.statuses[stream] == [200]
            assert client.frames[-1] == (GOAWAY, 0)
            return True

    async def main() -> None:
        async with serving(app, tick_ms=10, drain_timeout_ms=2_000, linger_timeout_ms=50) as server:
            end, judged = time.monotonic() + SECONDS, 0
            while time.monotonic() < end or judged < 50:
                judged += await one(server)

    with caplog.at_level(logging.ERROR):
        run(main(), timeout_seconds=SECONDS + 60)
    assert caplog.records == []
