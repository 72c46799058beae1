"""What does tracing cost, with one request of a hundred sampled?

Run: python -m benchmarks.tracing [--seconds 5 --rounds 7 --connections 64]

Four servers are loaded in turns, each over a database of its own: two without OpenTelemetry, one that
samples nothing and one that samples 1 %. The turns are of a second, so that other work on the machine meets
all alike. A process keeps the layout of its memory and of its hash tables for as long as it lives, and two
processes that do the same differ by some percent for that alone. So each round starts new ones, and the
second server without tracing shows how far two equal ones are apart: what is less than that is noise.

What is compared is the processor time of the server's process a request, in the kernel too and with the
thread that exports, whose part is also shown alone. Spans go by OTLP to a collector in the benchmark's own
process. The time of that is not counted, but it takes its turns on the same cores. The collector counts
what arrives, so that a run in which nothing was traced is not taken for a cheap one. Asked for: 3 % or
less.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from benchmarks import payments
from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.suite_figures import Servers

# The share of requests that is sampled, by the name of the server. None is without OpenTelemetry.
SHARES: Mapping[str, float | None] = {"off": None, "off again": None, "0 %": 0.0, "1 %": 0.01}
_ASKED = "3%"
_TURN_SECONDS = 1.0


class Round(msgspec.Struct, frozen=True):
    """One server in one round: requests a second, and microseconds of a processor a request."""

    rate: float
    cpu_us: float
    # Of that, all threads but the event loop's.
    others_us: float


Found = dict[str, dict[str, list[Round]]]


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP and throws them away."""

    daemon_threads = True
    exports = 0


@click.command()
@click.option("--seconds", default=5, show_default=True, help="How many turns a server has in a round.")
@click.option("--rounds", default=7, show_default=True, help="How often, in turns.")
@click.option("--connections", default=64, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(seconds: int, rounds: int, connections: int, directory: str) -> None:
    """Compare tracing on with tracing off."""
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        Progress(console=console) as bar,
    ):
        found = measure(machine, rounds=rounds, seconds=seconds, connections=connections, progress=bar)
    table = Table(
        title=f"processor time of a request beside that of fastpay without tracing; at most {_ASKED} at 1 %"
    )
    for column in ("load", "server", "CPU us", "other threads", "costs", "quartiles", "spread", "requests/s"):
        table.add_column(column, justify="left" if column in ("load", "server") else "right")
    for title, by in found.items():
        for name, rounds_of in by.items():
            table.add_row(title, name, *_row(by["off"], rounds_of))
    console.print(table)
    record = {"machine": machine_facts(), "found": msgspec.to_builtins(found)}
    console.print(f"written to {write_results('tracing', record)}")


def measure(
    machine: Machine,
    *,
    rounds: int,
    seconds: int,
    connections: int,
    progress: Progress,
    shares: Mapping[str, float | None] = SHARES,
) -> Found:
    """Return the rounds of each server, by load. Raises: SystemExit where no span was ever exported."""
    found: Found = {load: {name: [] for name in shares} for load in _LOADS}
    bar = progress.add_task("tracing", total=rounds * len(_LOADS))
    with _collecting() as collector, ExitStack() as stack:
        databases = {
            name: stack.enter_context(empty_database(machine, f"bench_tracing_{number}", tenants=1))
            for number, name in enumerate(shares)
        }
        for number in range(rounds):
            with ExitStack() as servers:
                targets = {}
                # Which one is started first changes, too.
                for name in _from(number, shares):
                    serving = serve(
                        "fastpay",
                        database_url=databases[name].url,
                        redis_url=machine.redis_url,
                        directory=machine.directory,
                        instance=list(shares).index(name),
                        more=_settings(shares[name], collector.server_port),
                    )
                    targets[name] = (servers.enter_context(serving), databases[name])
                for title, load in _LOADS.items():
                    loads = {
                        name: load(machine, target, database, connections)
                        for name, (target, database) in targets.items()
                    }
                    for name, one in _round(targets, loads, number, seconds).items():
                        found[title][name].append(one)
                    progress.advance(bar)
    # The servers have ended, and sent what they had left.
    if not collector.exports:
        raise SystemExit("nothing was traced: no span arrived at the collector")
    return found


def _round(
    targets: Servers, loads: Mapping[str, Callable[[], Sample]], number: int, seconds: int
) -> dict[str, Round]:
    """Load the servers in turns, after a turn of each that warms up."""
    names = list(targets)
    requests, loop_s, others_s = (dict.fromkeys(names, 0.0) for _ in range(3))
    for turn in range(seconds + 1):
        for name in _from(number + turn, names):
            before = _cpu_seconds(targets[name][0].pid)
            sample = loads[name]()
            after = _cpu_seconds(targets[name][0].pid)
            if turn:
                requests[name] += sample.requests
                loop_s[name] += after[0] - before[0]
                others_s[name] += after[1] - before[1]
    return {
        name: Round(
            requests[name] / seconds / _TURN_SECONDS,
            (loop_s[name] + others_s[name]) / requests[name] * 1e6,
            others_s[name] / requests[name] * 1e6,
        )
        for name in names
    }


def _from(number: int, names: Iterable[str]) -> list[str]:
    """Return the names in their order, beginning with another one for each number."""
    found = list(names)
    first = number % len(found)
    return found[first:] + found[:first]


def _settings(share: float | None, port: int) -> dict[str, str]:
    if share is None:
        return {}
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(share),
    }


def _pay(_machine: Machine, target: Target, database: Database, connections: int) -> Callable[[], Sample]:
    return lambda: payments.load(target, database, connections=connections, seconds=_TURN_SECONDS)


def _read(machine: Machine, target: Target, database: Database, connections: int) -> Callable[[], Sample]:
    """Return what reads one payment again and again."""
    path = machine.directory / f"tracing_{target.port}.one"
    path.write_text(f"{payments.make_payment(target.port, database.keys[0])['id']}\n", encoding="ascii")
    arguments = [str(path), database.keys[0]]
    return lambda: run_wrk(target, "reads.lua", arguments, connections=connections, seconds=_TURN_SECONDS)


_LOADS = {"payments": _pay, "reads, cached": _read}


def _cpu_seconds(process: int) -> tuple[float, float]:
    """Return the processor time of the first thread, which has the event loop, and of all others."""
    times = {}
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            times[thread.name] = int((thread / "schedstat").read_text().split()[0]) / 1e9
    loop = times.pop(str(process))
    return loop, sum(times.values())


def _row(off: list[Round], on: list[Round]) -> list[str]:
    ratios = sorted(one.cpu_us / other.cpu_us - 1 for one, other in zip(on, off, strict=True))
    quarter = len(ratios) // 4
    return [
        f"{median(one.cpu_us for one in on):.1f}",
        f"{median(one.others_us for one in on):.2f}",
        f"{median(ratios):+.1%}",
        f"{ratios[quarter]:+.1%} to {ratios[-1 - quarter]:+.1%}",
        f"{ratios[0]:+.1%} to {ratios[-1]:+.1%}",
        f"{median(one.rate for one in on):,.0f}",
    ]


@contextmanager
def _collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        server: Collector

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.exports += 1
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with Collector(("127.0.0.1", 0), Handler) as collector:
        thread = threading.Thread(target=collector.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


if __name__ == "__main__":
    main()
