"""Open-loop load: requests arrive at a fixed rate whether or not earlier ones were answered.

A closed loop hides stalls, since it stops asking while it waits. Here an answer's latency counts from the
moment that its request was due, the wait for a free connection included.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import cast

import msgspec
import uvloop

# How long after the last arrival answers are waited for.
_GRACE_SECONDS = 30.0
# Arrivals are handed out in ticks of this length at most.
_TICK_SECONDS = 0.0005
# What connections get to be opened in before the first arrival.
_CONNECT_SECONDS = 0.5
_CURVE = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)


class Latencies(msgspec.Struct, frozen=True):
    """What one run at a fixed rate found."""

    rate: float
    requests: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    # Latency in milliseconds at ever higher shares of the requests.
    curve: tuple[tuple[float, float], ...] = ()


def run_open_loop(
    port: int,
    requests: Iterator[bytes],
    *,
    rate: float,
    connections: int,
    seconds: float,
    spins: bool = False,
) -> Latencies:
    """Send `rate` requests a second to 127.0.0.1:port. Raises: SystemExit on anything but a 2xx.

    A sleep ends up to a millisecond late. With `spins` there is none between arrivals: for latencies below
    that, where the generator has a core of its own.
    """
    try:
        return uvloop.run(
            _run(port, requests, rate=rate, connections=connections, seconds=seconds, spins=spins)
        )
    except _LoadFault as fault:
        raise SystemExit(str(fault)) from None


async def _run(
    port: int, requests: Iterator[bytes], *, rate: float, connections: int, seconds: float, spins: bool
) -> Latencies:
    loop = asyncio.get_running_loop()
    load = _Load(loop, port, connections, keeps=_keeps_connections(port))
    try:
        await asyncio.sleep(_CONNECT_SECONDS)
        await _send(load, requests, rate, total=max(1, int(rate * seconds)), spins=spins)
    finally:
        load.close()
        # Connections that were aborted end in the next turns of the loop.
        await asyncio.sleep(_TICK_SECONDS)
    return _summarize(load.latencies, rate)


async def _send(load: "_Load", requests: Iterator[bytes], rate: float, *, total: int, spins: bool) -> None:
    """Send all requests as they become due, and wait for the answers. Raises: _LoadFault."""
    # The loop's own clock stands still within a turn, and knows milliseconds only.
    start = time.monotonic()
    arrived = 0
    while arrived < total:
        while arrived < total and start + arrived / rate <= time.monotonic():
            load.arrive(start + arrived / rate, next(requests))
            arrived += 1
        load.raise_fault()
        left = start + arrived / rate - time.monotonic()
        await asyncio.sleep(0 if spins else min(_TICK_SECONDS, max(0.0, left)))
    deadline = time.monotonic() + _GRACE_SECONDS
    while len(load.latencies) < total:
        load.raise_fault()
        if time.monotonic() > deadline:
            raise _LoadFault(f"{total - len(load.latencies)} of {total} requests were never answered")
        await asyncio.sleep(_TICK_SECONDS)


class _LoadFault(Exception):
    """Something went wrong that makes the figures worthless."""


class _Load:
    """What waits for a connection, and the connections that wait for work.

    Where the server keeps connections, all are opened at the start. Where it closes each after its answer,
    one is opened when there is something to send: a worker that waits on a silent one answers nobody else.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, connections: int, *, keeps: bool) -> None:
        self.loop = loop
        self.latencies: list[float] = []
        self.fault = ""
        self.closing = False
        self._port = port
        self._keeps = keeps
        self._connections = connections
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free: list[_Connection] = []
        self._open = 0
        self._all: set[_Connection] = set()
        self._opening: set[asyncio.Task[object]] = set()
        while keeps and self._open < connections:
            self._open_one()

    def arrive(self, due: float, request: bytes) -> None:
        """Send a request, or let it wait for a connection."""
        self._waiting.append((due, request))
        if self._free:
            self._free.pop().send(*self._waiting.popleft())
        elif self._open < self._connections:
            self._open_one()

    def is_free(self, connection: "_Connection") -> None:
        """Give a connection its next request."""
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)

    def opened(self, connection: "_Connection") -> None:
        """Know one connection more."""
        self._all.add(connection)
        self.is_free(connection)

    def lost(self, connection: "_Connection") -> None:
        """Open another connection in the place of one that the server closed after its answer."""
        self._all.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._open -= 1
        if not self.closing and (self._keeps or self._waiting):
            self._open_one()

    def raise_fault(self) -> None:
        """Raises: _LoadFault where an answer was no good."""
        if self.fault:
            raise _LoadFault(self.fault)

    def close(self) -> None:
        """Close all connections."""
        self.closing = True
        for connection in self._all:
            connection.close()

    def _open_one(self) -> None:
        self._open += 1
        opening = self.loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        task: asyncio.Task[object] = self.loop.create_task(opening)
        self._opening.add(task)
        task.add_done_callback(self._opening_ended)

    def _opening_ended(self, task: "asyncio.Task[object]") -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.fault = f"cannot connect: {task.exception()}"


class _Connection(asyncio.Protocol):
    """One request at a time, and just enough HTTP/1.1 to find the end of its answer."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._due: float | None = None
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._load.opened(self)

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        if self._due is None or head[9:10] != b"2":
            self._load.fault = f"not a good answer: {self._buffer[:500]!r}"
            return
        self._load.latencies.append(time.monotonic() - self._due)
        self._due, self._buffer = None, b""
        if b"connection: close" not in head.lower():
            self._load.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due is not None and not self._load.closing:
            self._load.fault = f"a connection was lost before its answer: {exc}"
        self._load.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _keeps_connections(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return not connection.getresponse().will_close
    finally:
        connection.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _summarize(latencies: list[float], rate: float) -> Latencies:
    ordered = sorted(latencies)

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    return Latencies(
        rate=rate,
        requests=len(ordered),
        p50_ms=percentile(0.5),
        p99_ms=percentile(0.99),
        p999_ms=percentile(0.999),
        max_ms=ordered[-1] * 1000,
        curve=tuple((share, percentile(share)) for share in _CURVE),
    )
