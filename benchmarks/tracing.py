"""What does tracing cost, with one request of a hundred sampled?

Run: python -m benchmarks.tracing [--seconds 5 --rounds 7 --connections 64]

Two servers over databases of their own, one with OpenTelemetry on and one without, are loaded in turns. Spans
go by OTLP to a collector that this process runs and that throws them away; it counts them, so that a run in
which nothing was traced is not taken for a cheap one. What is compared is the processor time of the server a
request, which the other work of a machine disturbs least; the rates stand beside it. Asked for: 3 % or less.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import payments
from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.suite_figures import Load, Servers
from benchmarks.transport_load import cpu_seconds

_SAMPLED = 0.01
_ASKED = "3%"


class Round(msgspec.Struct, frozen=True):
    """One server under load once."""

    rate: float
    cpu_us: float


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP and throws them away."""

    daemon_threads = True
    exports = 0


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="How long one server is loaded.")
@click.option("--rounds", default=7, show_default=True, help="How often, in turns.")
@click.option("--connections", default=64, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(seconds: float, rounds: int, connections: int, directory: str) -> None:
    """Compare tracing on with tracing off."""
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        Progress(console=console) as bar,
    ):
        found = measure(machine, rounds=rounds, seconds=seconds, connections=connections, progress=bar)
    table = Table(title="fastpay with one request of a hundred traced, beside fastpay without tracing")
    columns = ("load", "CPU us off", "on", "costs", "spread", "asked", "requests/s off", "on")
    for column in columns:
        table.add_column(column, justify="left" if column == "load" else "right")
    for title, by in found.items():
        table.add_row(title, *_row(by["off"], by["on"]))
    console.print(table)
    record = {"machine": machine_facts(), "found": msgspec.to_builtins(found)}
    console.print(f"written to {write_results('tracing', record)}")


def measure(
    machine: Machine, *, rounds: int, seconds: float, connections: int, progress: Progress
) -> dict[str, dict[str, list[Round]]]:
    """Return the rounds of both servers, by load. Raises: SystemExit where no span was ever exported."""
    with _collecting() as collector, ExitStack() as stack:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(_SAMPLED),
        }
        servers: Servers = {}
        for number, (name, more) in enumerate((("off", {}), ("on", traced))):
            database = stack.enter_context(empty_database(machine, f"bench_tracing_{name}", tenants=1))
            serving = serve(
                "fastpay",
                database_url=database.url,
                redis_url=machine.redis_url,
                directory=machine.directory,
                instance=number,
                more=more,
            )
            servers[name] = (stack.enter_context(serving), database)
        loads = {"payments": _pay, "reads, cached": _reader(machine, servers)}
        found: dict[str, dict[str, list[Round]]] = {}
        bar = progress.add_task("tracing", total=len(loads) * (rounds + 1) * 2)
        for title, load in loads.items():
            found[title] = {"off": [], "on": []}
            for number in range(rounds + 1):
                # The first warms up. Which one comes first changes, so that a drift meets both alike.
                for name in ("off", "on") if number % 2 else ("on", "off"):
                    target, database = servers[name]
                    one = _round(load, target, database, connections, seconds if number else 1)
                    if number:
                        found[title][name].append(one)
                    progress.advance(bar)
    # The servers have ended, and sent what they had left.
    if not collector.exports:
        raise SystemExit("nothing was traced: no span arrived at the collector")
    return found


def _row(off: list[Round], on: list[Round]) -> list[str]:
    ratios = sorted(one.cpu_us / other.cpu_us - 1 for one, other in zip(on, off, strict=True))
    costs = [f"{median(one.cpu_us for one in rounds):.1f}" for rounds in (off, on)]
    rates = [f"{median(one.rate for one in rounds):,.0f}" for rounds in (off, on)]
    spread = f"{ratios[0]:+.1%} to {ratios[-1]:+.1%}"
    return [*costs, f"{median(ratios):+.1%}", spread, _ASKED, *rates]


def _round(load: Load, target: Target, database: Database, connections: int, seconds: float) -> Round:
    before = cpu_seconds(target.pid)
    sample = load(target, database, connections, seconds)
    return Round(sample.rate, (cpu_seconds(target.pid) - before) / sample.requests * 1e6)


def _pay(target: Target, database: Database, connections: int, seconds: float) -> Sample:
    return payments.load(target, database, connections=connections, seconds=seconds)


def _reader(machine: Machine, servers: Servers) -> Load:
    """Return what reads one payment of each server's own again and again."""
    files = {}
    for name, (target, database) in servers.items():
        path = machine.directory / f"tracing_{name}.one"
        path.write_text(f"{payments.make_payment(target.port, database.keys[0])['id']}\n", encoding="ascii")
        files[database.url] = path

    def read(target: Target, database: Database, connections: int, seconds: float) -> Sample:
        arguments = [str(files[database.url]), database.keys[0]]
        return run_wrk(target, "reads.lua", arguments, connections=connections, seconds=seconds)

    return read


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
