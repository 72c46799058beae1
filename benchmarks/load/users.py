"""Users by the ten thousand: connections that stay open, of which some ask at any time, at a fixed rate.

The load is open: a request is due at its time whether or not earlier ones were answered, and its latency
counts from then, so that a stall is seen in full. Every latency is kept, and percentiles are exact.
"""

import multiprocessing
import selectors
import socket
import time
from array import array
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from benchmarks.holding import CONNECTIONS_AN_ADDRESS, RESERVED_FILES, raise_open_files
from benchmarks.load.mix import Mix, Shares

# How long after the last request answers are waited for.
_GRACE_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
# How long opening may take in all: whoever is not let in by then stays outside.
_OPENING_SECONDS = 300.0
# Connections that refuse in a row before a process gives up opening more.
_REFUSALS_MAX = 20
# What a process may be late beyond what it was told.
_PATIENCE_SECONDS = 60.0


class Asked(msgspec.Struct):
    """What came of one run. Latencies are in milliseconds."""

    latencies: list[float]
    # How many failed, by the status of the answer, or "lost" with the connection.
    failures: dict[str, int]
    unanswered: int
    seconds: float

    @property
    def failed(self) -> int:
        """How many had no good answer, of whatever kind."""
        return sum(self.failures.values())


class Users:
    """Several processes that hold connections to a port of 127.0.0.1 and ask when told to."""

    def __init__(self, port: int, payments: Mapping[str, Sequence[str]], shares: Shares) -> None:
        self._port = port
        self._payments = dict(payments)
        self._shares = shares
        self._processes: list[tuple[Any, Connection]] = []
        self._each = raise_open_files() - RESERVED_FILES

    def open(self, count: int) -> int:
        """Open so many connections and return how many the server took."""
        context = multiprocessing.get_context("spawn")
        for first in range(0, count, self._each):
            ours, theirs = context.Pipe()
            arguments = (
                theirs,
                self._port,
                first,
                min(self._each, count - first),
                self._payments,
                self._shares,
            )
            process = context.Process(target=_hold, args=arguments, daemon=True)
            process.start()
            self._processes.append((process, ours))
        return sum(_receive(pipe, _OPENING_SECONDS + _PATIENCE_SECONDS) for _, pipe in self._processes)

    def ask(self, rate: float, seconds: float) -> Asked:
        """Send so many requests a second, over all connections in turn."""
        for _, pipe in self._processes:
            pipe.send((rate / len(self._processes), seconds))
        patience = seconds + _GRACE_SECONDS + _PATIENCE_SECONDS
        parts: list[Asked] = [_receive(pipe, patience) for _, pipe in self._processes]
        latencies = [latency for part in parts for latency in part.latencies]
        failures: Counter[str] = Counter()
        for part in parts:
            failures.update(part.failures)
        return Asked(latencies, dict(failures), sum(p.unanswered for p in parts), seconds)

    def close(self) -> None:
        """End all connections."""
        for process, pipe in self._processes:
            pipe.close()
            process.join(10)
            process.kill()
        self._processes.clear()


def _receive(pipe: Connection, seconds: float) -> Any:
    """Return what a process says. Raises: SystemExit where it says nothing in time, or ends."""
    try:
        if pipe.poll(seconds):
            return pipe.recv()
    except EOFError:
        raise SystemExit("a process with users has ended") from None
    raise SystemExit(f"a process with users said nothing for {seconds:g} s")


def _hold(
    pipe: Connection,
    port: int,
    first: int,
    count: int,
    payments: Mapping[str, Sequence[str]],
    shares: Shares,
) -> None:
    raise_open_files()
    crowd = _Crowd(port, Mix(payments, shares, seed=first))
    pipe.send(crowd.open(first, count))
    while True:
        try:
            rate, seconds = pipe.recv()
        except EOFError:
            return
        pipe.send(crowd.ask(rate, seconds))


class _Crowd:
    """The connections of one process."""

    def __init__(self, port: int, mix: Mix) -> None:
        self._port = port
        self._mix = mix
        self._selector = selectors.EpollSelector()
        # Those who may ask next. They take turns, so that after a while every one has asked.
        self._idle: deque[socket.socket] = deque()
        self._due: dict[socket.socket, float] = {}
        self._answers: dict[socket.socket, bytes] = {}
        self._failures: Counter[str] = Counter()

    def open(self, first: int, count: int) -> int:
        refusals, deadline = 0, time.monotonic() + _OPENING_SECONDS
        for number in range(first, first + count):
            if refusals == _REFUSALS_MAX or time.monotonic() > deadline:
                break
            connection = socket.socket()
            try:
                connection.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
                connection.bind((f"127.0.0.{2 + number // CONNECTIONS_AN_ADDRESS}", 0))
                connection.settimeout(_CONNECT_SECONDS)
                connection.connect(("127.0.0.1", self._port))
            except OSError:
                connection.close()
                refusals += 1
                continue
            refusals = 0
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)
            self._idle.append(connection)
        return len(self._idle)

    def ask(self, rate: float, seconds: float) -> Asked:
        latencies = array("d")
        total = int(rate * seconds)
        begun = time.monotonic()
        asked, self._failures = 0, Counter()
        deadline = begun + seconds + _GRACE_SECONDS
        while (asked < total or self._due) and time.monotonic() < deadline:
            while asked < total and self._idle and begun + asked / rate <= time.monotonic():
                self._send(self._idle.popleft(), begun + asked / rate)
                asked += 1
            wait = begun + asked / rate - time.monotonic() if asked < total else 0.05
            for key, _ in self._selector.select(max(0.0, min(wait, 0.05))):
                connection: Any = key.fileobj
                if self._receive(connection, latencies):
                    self._idle.append(connection)
        unanswered = len(self._due) + total - asked
        self._due.clear()
        return Asked(list(latencies), dict(self._failures), unanswered, seconds)

    def _send(self, connection: socket.socket, due: float) -> None:
        self._due[connection] = due
        self._answers[connection] = b""
        try:
            connection.sendall(self._mix.next())
        except OSError:
            self._lose(connection)

    def _receive(self, connection: socket.socket, latencies: "array[float]") -> bool:
        """Read; tell whether an answer is complete."""
        try:
            piece = connection.recv(65_536)
        except OSError:
            piece = b""
        if not piece:
            self._lose(connection)
            return False
        answer = self._answers.get(connection, b"") + piece
        head, separator, body = answer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            self._answers[connection] = answer
            return False
        self._answers.pop(connection, None)
        due = self._due.pop(connection, None)
        if due is None:
            # Of a run that has ended; the connection may ask again.
            return True
        if head[9:10] == b"2":
            latencies.append((time.monotonic() - due) * 1000)
        else:
            self._failures[head[9:12].decode("ascii", "replace")] += 1
        return True

    def _lose(self, connection: socket.socket) -> None:
        # It is not replaced: how many are left is part of what is measured.
        if connection.fileno() >= 0:
            self._selector.unregister(connection)
            connection.close()
        if self._due.pop(connection, None) is not None:
            self._failures["lost"] += 1


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
