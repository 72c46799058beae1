"""Open-loop load: requests arrive at a fixed rate whether or not earlier ones were answered.

A closed loop hides stalls, since it stops asking while it waits. Here an answer's latency counts from the
moment that its request was due, the wait for a free connection included. Every latency is kept, so that
percentiles are exact.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import cast

import msgspec
import uvloop

# How long a server may need to get through what the load before has left it with.
_SETTLE_SECONDS = 60.0
# How long the first connections may take to open.
_PATIENCE_SECONDS = 30.0
# How long after the last arrival answers are waited for.
_GRACE_SECONDS = 30.0
# uvloop's timers know whole milliseconds, and round less than half of one to none: a sleep ends up to
# one late. So the last two before an arrival are spent in turns of the loop, which take a core.
_TICK_SECONDS = 0.001
_TURNS_SECONDS = 0.002
# So many are sent at once at most, however late it is.
_ARRIVALS_A_TURN = 64
# What connections get to be opened in before the first arrival.
_CONNECT_SECONDS = 0.5
_CURVE = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)


class Phase(msgspec.Struct, frozen=True):
    """So many requests a second for so long."""

    rate: float
    seconds: float


class Record(msgspec.Struct):
    """When each request of one kind was due, sent and answered, in seconds since the first was due."""

    due: list[float] = msgspec.field(default_factory=list)
    sent: list[float] = msgspec.field(default_factory=list)
    ended: list[float] = msgspec.field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        """How long after it was due each had its answer, in seconds."""
        return [ended - due for due, ended in zip(self.due, self.ended, strict=True)]

    def add(self, other: "Record") -> None:
        """Take another's requests over."""
        self.due += other.due
        self.sent += other.sent
        self.ended += other.ended


# By what was asked for (`kind_of`), what got a good answer; beside it what was refused with a 503, and so on.
Records = dict[str, Record]
FAILURES = ("refused", "failed", "lost", "unanswered")


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
    # Beside the requests above, which all had a good answer.
    failed: int = 0


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

    With `spins` there is no sleep between arrivals either: for a generator that has a core of its own.
    """
    found = run_phases(port, requests, (Phase(rate, seconds),), connections=connections, spins=spins)
    return summarize((late for record in found.values() for late in record.latencies), rate)


def run_phases(
    port: int,
    requests: Iterator[bytes],
    phases: Sequence[Phase],
    *,
    connections: int,
    spins: bool = False,
    tolerant: bool = False,
) -> Records:
    """Send requests at one rate after another, and return what came of them, by kind.

    What is not a good answer ends the run with a SystemExit, or is counted where the run is tolerant.
    """
    try:
        return uvloop.run(
            _run(port, requests, phases, connections=connections, spins=spins, tolerant=tolerant)
        )
    except _LoadFault as fault:
        raise SystemExit(str(fault)) from None


def summarize(latencies: Iterable[float], rate: float, *, failed: int = 0) -> Latencies:
    """Return the percentiles of latencies in seconds; they are NaN where there is none."""
    ordered = sorted(latencies) or [math.nan]

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    return Latencies(
        rate=rate,
        requests=sum(not math.isnan(latency) for latency in ordered),
        p50_ms=percentile(0.5),
        p99_ms=percentile(0.99),
        p999_ms=percentile(0.999),
        max_ms=ordered[-1] * 1000,
        curve=tuple((share, percentile(share)) for share in _CURVE),
        failed=failed,
    )


def count_failures(records: Records) -> int:
    """Return how many had no good answer."""
    return sum(len(records[kind].due) for kind in FAILURES if kind in records)


def kind_of(request: bytes) -> str:
    """Return what a request asks for."""
    if request.startswith(b"GET "):
        return "read"
    return "refund" if request.startswith(b"POST /v1/refunds") else "payment"


async def _run(
    port: int,
    requests: Iterator[bytes],
    phases: Sequence[Phase],
    *,
    connections: int,
    spins: bool,
    tolerant: bool,
) -> Records:
    loop = asyncio.get_running_loop()
    load = _Load(loop, port, connections, keeps=_keeps_connections(port), tolerant=tolerant)
    try:
        await asyncio.sleep(_CONNECT_SECONDS)
        await load.wait_connected()
        await _send(load, requests, phases, spins=spins)
    finally:
        load.close()
        # Connections that were aborted end in the next turns of the loop.
        await asyncio.sleep(_TICK_SECONDS)
    return load.records


async def _send(load: "_Load", requests: Iterator[bytes], phases: Sequence[Phase], *, spins: bool) -> None:
    """Send all requests as they become due, and wait for the answers. Raises: _LoadFault."""
    # The loop's own clock stands still within a turn, and knows milliseconds only.
    load.begun = time.monotonic()
    arrived = 0
    for due in _arrivals(phases):
        left = due - load.now()
        while left > 0:
            await asyncio.sleep(0 if spins or left <= _TURNS_SECONDS else left - _TURNS_SECONDS)
            load.raise_fault()
            left = due - load.now()
        load.arrive(due, next(requests))
        arrived += 1
        if arrived % _ARRIVALS_A_TURN == 0:
            # Behind the time: answers still have to be read.
            await asyncio.sleep(0)
            load.raise_fault()
    deadline = load.now() + _GRACE_SECONDS
    while load.ended < arrived:
        load.raise_fault()
        if load.now() > deadline:
            load.give_up()
            break
        await asyncio.sleep(_TICK_SECONDS)
    load.raise_fault()


def _arrivals(phases: Sequence[Phase]) -> Iterator[float]:
    """Yield when each request is due."""
    begun = 0.0
    for phase in phases:
        for number in range(max(1, int(phase.rate * phase.seconds))):
            yield begun + number / phase.rate
        begun += phase.seconds


class _LoadFault(Exception):
    """Something went wrong that makes the figures worthless."""


class _Load:
    """What waits for a connection, and the connections that wait for work.

    Where the server keeps connections, all are opened at the start. Where it closes each after its answer,
    one is opened when there is something to send: a worker that waits on a silent one answers nobody else.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, port: int, connections: int, *, keeps: bool, tolerant: bool
    ) -> None:
        self.loop = loop
        self.records: Records = {}
        self.ended = 0
        self.begun = 0.0
        self.fault = ""
        self.closing = False
        self._tolerant = tolerant
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

    async def wait_connected(self) -> None:
        """Return once all connections that are being opened are open. Raises: _LoadFault."""
        for _ in range(int(_PATIENCE_SECONDS / _CONNECT_SECONDS)):
            self.raise_fault()
            if not self._opening:
                return
            await asyncio.sleep(_CONNECT_SECONDS)
        raise _LoadFault(f"{len(self._opening)} of {self._connections} connections could not be opened")

    def now(self) -> float:
        """Return the seconds since the first request was due."""
        return time.monotonic() - self.begun

    def note(self, kind: str, due: float, sent: float) -> None:
        """Know that a request has ended now."""
        record = self.records.get(kind)
        if record is None:
            record = self.records[kind] = Record()
        record.due.append(due)
        record.sent.append(sent)
        record.ended.append(self.now())
        self.ended += 1

    def fail(self, kind: str, due: float, sent: float, reason: str) -> None:
        """Count what is not a good answer, or end the run."""
        if self._tolerant:
            self.note(kind, due, sent)
        else:
            self.fault = reason

    def give_up(self) -> None:
        """Wait for no more answers."""
        pending = [one.pending for one in self._all if one.pending is not None]
        pending += [(due, due) for due, _ in self._waiting]
        for due, sent in pending:
            self.fail("unanswered", due, sent, f"{len(pending)} requests were never answered")

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
        self.pending: tuple[float, float] | None = None
        self._kind = ""
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._load.opened(self)

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self.pending = (due, self._load.now())
        self._kind = kind_of(request)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        if self.pending is None:
            self._load.fault = f"not a good answer, since nothing was asked: {self._buffer[:500]!r}"
            return
        due, sent = self.pending
        self.pending = None
        if head[9:10] == b"2":
            self._load.note(self._kind, due, sent)
        else:
            kind = "refused" if head[9:12] == b"503" else "failed"
            self._load.fail(kind, due, sent, f"not a good answer: {self._buffer[:500]!r}")
        self._buffer = b""
        if b"connection: close" not in head.lower():
            self._load.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.pending is not None and not self._load.closing:
            due, sent = self.pending
            self._load.fail("lost", due, sent, f"a connection was lost before its answer: {exc}")
        self.pending = None
        self._load.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _keeps_connections(port: int) -> bool:
    """Ask once. A server that is behind with the load before gets through it first. Raises: _LoadFault."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=_SETTLE_SECONDS)) as connection:
        try:
            connection.request("GET", "/health")
            return not connection.getresponse().will_close
        except OSError as error:
            raise _LoadFault(f"nothing was asked yet, and the server answers nobody: {error}") from error


def _content_length(head: bytes) -> int:
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.partition(b"\r\n")[0] or 0)
