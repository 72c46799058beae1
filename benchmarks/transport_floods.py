"""Does a flood on one HTTP/2 connection slow another? The p99 of the other, with a flood and without.

`python -m benchmarks.transport_floods [seconds] [runs]`

The flooding client, a process of its own, connects again each time that it is sent away, as fast as it can,
so that the flood never ends. The well-behaved one asks at a fixed rate, and counts from when it meant to.
"""

import asyncio
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import msgspec

from benchmarks.transport_load import CLIENT_CORE, PATIENCE_SECONDS, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
RATE = 200
STREAMS = 100
FRAMES = 1500
DATA, HEADERS, PRIORITY, RST, SETTINGS, _PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
# GET / at http://a by HPACK's static table; and the same as POST.
GET, POST = b"\x82\x84\x86\x41\x01a", b"\x83\x84\x86\x41\x01a"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _resets() -> bytes:
    streams = range(1, 2 * FRAMES, 2)
    return b"".join(frame(HEADERS, 5, n, GET) + frame(RST, 0, n, bytes(3) + b"\x08") for n in streams)


def _requests(more: bytes) -> bytes:
    # With GOAWAY, since nothing else ends the connection.
    heads = (frame(HEADERS, 5, n, GET + more) for n in range(1, 2 * STREAMS, 2))
    return b"".join(heads) + frame(GOAWAY, 0, 0, bytes(8))


FLOODS: dict[str, Callable[[], bytes]] = {
    "PING": lambda: frame(PING, 0, 0, b"12345678") * FRAMES,
    "SETTINGS": lambda: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000)) * FRAMES,
    "PRIORITY": lambda: b"".join(
        frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 1)) for n in range(1, FRAMES)
    ),
    "WINDOW_UPDATE": lambda: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * FRAMES,
    "empty DATA": lambda: frame(HEADERS, 4, 1, POST) + frame(DATA, 0, 1) * FRAMES,
    "padded DATA": lambda: frame(HEADERS, 4, 1, POST) + frame(DATA, 8, 1, b"\xff" + bytes(255)) * 250,
    "window by byte": lambda: (
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
        + frame(HEADERS, 5, 1, GET)
        + frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * FRAMES
        + frame(RST, 0, 1, bytes(4))
    ),
    "malformed": lambda: _requests(b"\x00\x01X\x01y"),
    "cookie crumbs": lambda: _requests(b"\x60\x03a=1" + b"\xbe" * 700),
    "CONTINUATION": lambda: frame(HEADERS, 1, 1) + frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y") * FRAMES,
    "rapid reset": _resets,
}


def flood(port: int, name: str, floods: Any, running: Any) -> None:
    """Flood whenever told to, until killed; count the connections that were ended.

    With what processor time others leave, on the core of the clients: the other client's own delays must not
    be taken for the server's.
    """
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    data = PREFACE + FLOODS[name]()
    while True:
        running.wait()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(data)
            while connection.recv(65_536):
                pass
        floods.value += 1


class Caller(asyncio.Protocol):
    """A well-behaved client on one connection."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True)
        self.connection = h2.connection.H2Connection(config=config)
        self.due: dict[int, float] = {}
        self.latencies_ms: list[float] = []
        self.all_answered = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport
        self.connection.initiate_connection()
        transport.write(self.connection.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Note which answers are complete."""
        for event in self.connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.latencies_ms.append((time.monotonic() - self.due.pop(event.stream_id)) * 1000)
            elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                raise SystemExit("the well-behaved client was refused")
        if not self.due:
            self.all_answered.set()
        self.transport.write(self.connection.data_to_send())

    def ask(self, due: float) -> None:
        """Send one request."""
        stream = self.connection.get_next_available_stream_id()
        self.due[stream] = due
        self.all_answered.clear()
        head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/v1/x/pi_1")]
        self.connection.send_headers(stream, head, end_stream=True)
        self.transport.write(self.connection.data_to_send())


async def ask_for(port: int, seconds: float) -> list[float]:
    """Ask at the fixed rate and return the latencies in milliseconds. Raises: TimeoutError."""
    async with asyncio.timeout(seconds + PATIENCE_SECONDS):
        return await _ask_for(port, seconds)


async def _ask_for(port: int, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    _, caller = await loop.create_connection(Caller, "127.0.0.1", port)
    begun, count = time.monotonic(), round(seconds * RATE)
    for number in range(count):
        due = begun + number / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if len(caller.due) >= STREAMS:
            # The server stalls: what waits here counts as well.
            await caller.all_answered.wait()
        caller.ask(due)
    await caller.all_answered.wait()
    caller.transport.abort()
    return caller.latencies_ms


class Effect(msgspec.Struct, frozen=True):
    """What one kind of flood did: the ratio over all turns, and the spread of single ones."""

    name: str
    floods_per_second: float
    alone_ms: float
    beside_ms: float
    ratio: float
    lowest: float
    highest: float


def p99(latencies: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(latencies, n=100)[98]


def measure(name: str, seconds: float, runs: int) -> Effect:
    """Measure one flood in turns with silence; each turn is short, so that drifts meet both alike."""
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    floods, running = multiprocessing.Value("i", 0), multiprocessing.Event()
    alone: list[list[float]] = []
    beside: list[list[float]] = []
    with serving("fastpay", "app") as (_, port):
        hostile = multiprocessing.Process(target=flood, args=(port, name, floods, running), daemon=True)
        hostile.start()
        asyncio.run(ask_for(port, 0.2))
        for _ in range(runs):
            alone.append(asyncio.run(ask_for(port, seconds)))
            ended = floods.value
            running.set()
            beside.append(asyncio.run(ask_for(port, seconds)))
            while floods.value == ended and hostile.is_alive():
                # On a busy machine the first flood may not have come to its end.
                time.sleep(0.01)
            running.clear()
            # The last flood ends before silence is measured again.
            time.sleep(0.1)
        hostile.kill()
        hostile.join()
    ratios = sorted(p99(loud) / p99(quiet) for quiet, loud in zip(alone, beside, strict=True))
    quiet, loud = (p99([one for turn in turns for one in turn]) for turns in (alone, beside))
    rate = floods.value / (runs * seconds)
    return Effect(name, rate, quiet, loud, loud / quiet, ratios[0], ratios[-1])


def main(seconds: float = 2.0, runs: int = 5) -> None:
    """Measure every flood."""
    for name in FLOODS:
        found = measure(name, seconds, runs)
        times = f"p99 alone {found.alone_ms:.1f} ms, beside it {found.beside_ms:.1f} ms"
        ratio = f"{found.ratio:.1f}x ({found.lowest:.1f} to {found.highest:.1f})"
        print(f"{name:14} {times}, {ratio}, {found.floods_per_second:.0f} floods a second", flush=True)


if __name__ == "__main__":
    arguments = [float(argument) for argument in sys.argv[1:3]]
    main(arguments[0] if arguments else 2.0, round(arguments[1]) if len(arguments) > 1 else 5)
