"""Starting peers, loading them and reading what they cost; shared by the transport's benchmarks.

Beside requests a second it tells the processor time a request that the server's processes used: on a machine
that others use too, that figure is worth more than the rate.
"""

import contextlib
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, CLIENT_CORE = "0", "1"
# What a server gets to end in, and what a load generator gets beyond the time that it was told to run.
STOP_SECONDS, PATIENCE_SECONDS = 10, 30
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One run of one server."""

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second as the client saw them."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the server a request, in microseconds."""
        return self.cpu_seconds / self.requests * 1e6


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(name: str, app: str, *tls: str) -> Iterator[tuple[int, int]]:
    """Run a server on its core; yield its process id and port."""
    port = free_port()
    command = [
        "taskset",
        "-c",
        SERVER_CORE,
        sys.executable,
        "-m",
        "benchmarks.peers.serve",
        name,
        app,
        str(port),
    ]
    process = subprocess.Popen([*command, *tls], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield process.pid, port
    except TimeoutError as error:
        raise SystemExit(f"{name} ({app}): {error}") from error
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for number in family(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def bounded(seconds: float, doing: str) -> Iterator[None]:
    """Let the block take so long at most; in the main thread only. Raises: TimeoutError, what hung."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"{doing} hung: {seconds:g} s were not enough")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def family(process: int) -> list[int]:
    """Return a process and all below it: granian works in a child."""
    found, pending = [], [process]
    while pending:
        number = pending.pop()
        found.append(number)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{number}/task").iterdir():
                pending += map(int, (thread / "children").read_text().split())
    return found


def cpu_seconds(process: int) -> float:
    """Return the processor time of a process and all below it."""
    total = 0
    for number in family(process):
        # A helper of the database may have ended since.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process and all below it."""
    pages = sum(int(Path(f"/proc/{number}/statm").read_text().split()[1]) for number in family(process))
    return pages * resource.getpagesize()


def load(process: int, command: list[str], pattern: str, *, seconds_max: float) -> Figure:
    """Run a load generator on its core; `pattern` finds the count of requests in what it says.

    Raises: TimeoutError where it does not end in time.
    """
    before, begun = cpu_seconds(process), time.monotonic()
    full = ["taskset", "-c", CLIENT_CORE, *command]
    try:
        done = subprocess.run(full, capture_output=True, text=True, check=True, timeout=seconds_max)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{' '.join(command)} did not end within {seconds_max:g} s") from error
    said = done.stdout
    # A refusal is answered faster than what is asked for.
    assert "Non-2xx" not in said, said
    spent, seconds = cpu_seconds(process) - before, time.monotonic() - begun
    match = re.search(pattern, said)
    assert match is not None, said
    return Figure(int(match[1]), seconds, spent)


def wrk(
    process: int, url: str, seconds: float, *, connections: int = 64, headers: Sequence[str] = ()
) -> Figure:
    """Load with HTTP/1.1."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", url]
    command += [f"-H{header}" for header in headers]
    return load(process, command, r"(\d+) requests in", seconds_max=seconds + PATIENCE_SECONDS)


def h2load(process: int, url: str, count: int) -> Figure:
    """Load with HTTP/2, 16 connections of 16 streams."""
    command = ["h2load", "-c16", "-m16", f"-n{count}", url]
    # Five hundred a second is a fifth of what the slowest server does.
    return load(process, command, r"(\d+) succeeded", seconds_max=count / 500 + PATIENCE_SECONDS)


def describe(name: str, figures: list[Figure]) -> str:
    """Return a line with medians and spreads."""
    rates = sorted(figure.rate for figure in figures)
    costs = sorted(figure.cpu_us for figure in figures)
    return (
        f"{name:12} {statistics.median(rates):9.0f} requests/s ({rates[0]:.0f} to {rates[-1]:.0f})"
        f"   {statistics.median(costs):7.1f} us of CPU a request ({costs[0]:.1f} to {costs[-1]:.1f})"
    )
