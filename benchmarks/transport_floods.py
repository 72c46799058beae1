"""Does a flood on one HTTP/2 connection slow another? The p99 of the other, with a flood and without.

`python -m benchmarks.transport_floods [seconds] [runs]`

The flooding client, a process of its own, connects again each time that it is sent away, as fast as it can,
so that the flood never ends. The well-behaved one asks at a fixed rate, and counts from when it meant to.
"""

import asyncio
import multiprocessing
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

from benchmarks.transport_load import serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
RATE = 200
STREAMS = 100
FRAMES = 1500
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
# GET / at http://a by HPACK's static table; and the same as POST.
GET, POST = b"\x82\x84\x86\x41\x01a", b"\x83\x84\x86\x41\x01a"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _resets() -> bytes:
    streams = range(1, 2 * FRAMES, 2)
    return b"".join(frame(HEADERS, 5, n, GET) + frame(RST, 0, n, bytes(3) + b"\x08") for n in streams)


FLOODS: dict[str, Callable[[], bytes]] = {
    "PING": lambda: frame(PING, 0, 0, b"12345678") * FRAMES,
    "SETTINGS": lambda: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000)) * FRAMES,
    "PRIORITY": lambda: b"".join(
        frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 1)) for n in range(1, FRAMES)
    ),
    "WINDOW_UPDATE": lambda: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * FRAMES,
    "empty DATA": lambda: frame(HEADERS, 4, 1, POST) + frame(DATA, 0, 1) * FRAMES,
    "CONTINUATION": lambda: frame(HEADERS, 1, 1) + frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y") * FRAMES,
    "rapid reset": _resets,
}


def flood(port: int, name: str, floods: Any) -> None:
    """Flood until killed; count the connections that were ended."""
    data = PREFACE + FLOODS[name]()
    while True:
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


async def p99_ms(port: int, seconds: float) -> float:
    """Ask at the fixed rate and return the 99th percentile."""
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
    return statistics.quantiles(caller.latencies_ms, n=100)[98]


def measure(seconds: float, runs: int) -> None:
    """Measure each flood in turns with the silence before it."""
    with serving("fastpay", "app") as (_, port):
        for name in FLOODS:
            pairs, count = [], 0
            for _ in range(runs):
                alone = asyncio.run(p99_ms(port, seconds))
                floods = multiprocessing.Value("i", 0)
                hostile = multiprocessing.Process(target=flood, args=(port, name, floods), daemon=True)
                hostile.start()
                pairs.append((alone, asyncio.run(p99_ms(port, seconds))))
                hostile.kill()
                hostile.join()
                count += floods.value
            print(describe(name, pairs), f"{count / runs / seconds:.0f} floods a second", flush=True)


def describe(name: str, pairs: list[tuple[float, float]]) -> str:
    """Return medians, and the ratio with its spread."""
    alone, beside = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratios = sorted(pair[1] / pair[0] for pair in pairs)
    ratio = f"{statistics.median(ratios):.1f}x ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    return f"{name:14} p99 alone {alone:.1f} ms, beside it {beside:.1f} ms, {ratio}"


if __name__ == "__main__":
    arguments = [float(argument) for argument in sys.argv[1:3]]
    chosen_seconds, chosen_runs = arguments + [5.0, 3.0][len(arguments) :]
    measure(chosen_seconds, round(chosen_runs))
