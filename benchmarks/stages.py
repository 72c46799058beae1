"""Where does the time of one confirmed payment go?

Run: python -m benchmarks.stages [--seconds 10 --connections 64,256]

The whole server runs in this process, over a real PostgreSQL, with a clock around each of its steps, while
wrk loads it. Steps that never wait are given in microseconds of this process a payment; what waits, in
milliseconds of the wall, as one payment sees it. The clocks themselves cost about a microsecond a payment.
"everything else" is what the process used beyond the steps: the kernel's reads and writes, HTTP, the event
loop, the driver's own part of the waiting. PostgreSQL's own processor time stands beside it.
"""

import asyncio
import inspect
import os
import resource
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import click
import uvloop
from rich.console import Console

from benchmarks.load.machine import Database, empty_database, run_machine
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, free_port, machine_facts, write_results
from benchmarks.load.wrk import run_wrk
from fastpay.api import answers, endpoints, writes
from fastpay.api.writes import Write
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.dispatcher import Dispatcher
from fastpay.engine.write.working_set import WorkingSet
from fastpay.operations.application import open_application
from fastpay.operations.deadline import Deadline
from fastpay.server.listener import Server, ServerSettings
from fastpay.store.batches import PostgresBatches, PostgresTransaction

_TICKS = os.sysconf("SC_CLK_TCK")


class Step(NamedTuple):
    """A step: where it is, and whether it belongs to one payment or to a batch of them."""

    name: str
    owner: Any
    attribute: str


# In the order in which a payment meets them. These never wait, so that their wall time is processor time.
_WORKING = (
    Step("headers as a dict", endpoints, "read_headers"),
    Step("authenticate", endpoints, "authenticate"),
    Step("decode the form", writes, "decode_params"),
    Step("make the command's submission, fingerprint", Write, "_submission"),
    Step("execute: decide", DecidedBatch, "decide"),
    Step("encode the columns", PostgresBatches, "encode"),
    Step("render the answer", answers, "plain"),
    Step("make the head of the answer", endpoints, "head_of"),
)
# These wait for the database; a batch shares them.
_WAITING = (
    Step("prefetch", WorkingSet, "load"),
    Step("lock the books, compare, write and commit", PostgresTransaction, "write_ahead"),
    Step("all of the transaction", PostgresBatches, "write_decided"),
)

STEPS = (*_WORKING, *_WAITING, Step("submit", Dispatcher, "submit"))


class Clocks:
    """How long each step took in all, and how often it was taken."""

    def __init__(self) -> None:
        self.nanoseconds: dict[str, int] = {}
        self.counts: dict[str, int] = {}

    def note(self, name: str, begun_ns: int) -> None:
        """Add what went by since `begun_ns`."""
        self.nanoseconds[name] = self.nanoseconds.get(name, 0) + time.perf_counter_ns() - begun_ns
        self.counts[name] = self.counts.get(name, 0) + 1

    def around(self, step: Step) -> Any:
        """Return the step's function with a clock around it."""
        inner: Callable[..., Any] = getattr(step.owner, step.attribute)

        async def waiting(*given: Any, **named: Any) -> Any:
            begun_ns = time.perf_counter_ns()
            try:
                return await inner(*given, **named)
            finally:
                self.note(step.name, begun_ns)

        def stepping(*given: Any, **named: Any) -> Any:
            begun_ns = time.perf_counter_ns()
            result = yield from inner(*given, **named)
            self.note(step.name, begun_ns)
            return result

        def working(*given: Any, **named: Any) -> Any:
            begun_ns = time.perf_counter_ns()
            try:
                return inner(*given, **named)
            finally:
                self.note(step.name, begun_ns)

        if inspect.isgeneratorfunction(inner):
            return stepping
        return waiting if asyncio.iscoroutinefunction(inner) else working


@contextmanager
def clocked() -> Iterator[Clocks]:
    """Have a clock around every step for the block."""
    clocks = Clocks()
    with ExitStack() as stack:
        for step in STEPS:
            stack.enter_context(mock.patch.object(step.owner, step.attribute, clocks.around(step)))
        yield clocks


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each load lasts.")
@click.option("--connections", type=Several(int), default="64,256", show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(seconds: float, connections: tuple[int, ...], directory: str) -> None:
    """Take one payment apart."""
    console = Console(width=WIDTH)
    results: dict[str, object] = {"machine": machine_facts()}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for count in connections:
            with empty_database(machine, "bench_stages", tenants=1) as database, clocked() as clocks:
                payments, used_us, database_us = uvloop.run(
                    _run(database, machine.directory, clocks, connections=count, seconds=seconds)
                )
            rows = list(_rows(clocks, payments, used_us, database_us))
            _show(console, rows, f"one payment of {payments:,}, {count} connections")
            results[f"connections_{count}"] = rows
    console.print(f"written to {write_results('stages', results)}")


async def _run(
    database: Database, directory: Path, clocks: Clocks, *, connections: int, seconds: float
) -> tuple[int, float, float]:
    """Serve and load. Return the payments, and the microseconds that we and PostgreSQL used."""
    # Keys are not looked up again meanwhile: that would be a wait among the steps that have none.
    settings = Settings(data_dir=str(directory), key_cache_ms=60_000)
    opened = open_application(
        settings, database_url=database.url, redis_url=None, clock=SystemClock(), deadline=Deadline(0)
    )
    async with opened as app:
        server = Server(app, ServerSettings(port=free_port()))
        await server.start()
        target = Target("fastpay", int(server.url.rpartition(":")[2]), os.getpid())
        arguments = [secrets.token_hex(6), *database.keys]
        # Once to warm up, once to be measured.
        await asyncio.to_thread(
            run_wrk, target, "payments.lua", arguments, connections=connections, seconds=1
        )
        clocks.nanoseconds.clear()
        clocks.counts.clear()
        used, by_database = resource.getrusage(resource.RUSAGE_SELF), _database_seconds()
        arguments[0] = secrets.token_hex(6)
        await asyncio.to_thread(
            run_wrk, target, "payments.lua", arguments, connections=connections, seconds=seconds
        )
        since = resource.getrusage(resource.RUSAGE_SELF)
        ours = since.ru_utime + since.ru_stime - used.ru_utime - used.ru_stime
        theirs = _database_seconds() - by_database
        await server.stop()
    return clocks.counts["submit"], ours * 1e6, theirs * 1e6


def _database_seconds() -> float:
    """Return the processor time of all backends of the measured database."""
    ticks = 0
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                if b"bench_stages" in (place / "cmdline").read_bytes():
                    fields = (place / "stat").read_text().rpartition(")")[2].split()
                    ticks += int(fields[11]) + int(fields[12])
            except OSError:
                continue
    return ticks / _TICKS


def _rows(
    clocks: Clocks, payments: int, used_us: float, database_us: float
) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield each step with its microseconds of processor time, or its milliseconds of waiting, a payment."""
    known_us = 0.0
    for step in _WORKING:
        step_us = clocks.nanoseconds.get(step.name, 0) / payments / 1000
        known_us += step_us
        yield step.name, step_us, None
    yield "everything else in this process", used_us / payments - known_us, None
    yield "this process in all", used_us / payments, None
    yield "PostgreSQL's backends", database_us / payments, None
    for step in _WAITING:
        yield (
            step.name,
            None,
            clocks.nanoseconds.get(step.name, 0) / max(1, clocks.counts.get(step.name, 0)) / 1e6,
        )
    yield "submitted to answered, queue and all", None, clocks.nanoseconds["submit"] / payments / 1e6
    yield "payments a transaction", None, payments / max(1, clocks.counts.get(_WAITING[-1].name, 0))


def _show(console: Console, rows: list[tuple[str, float | None, float | None]], title: str) -> None:
    table = Table("step", title=title)
    table.add_column("us a payment", justify="right")
    table.add_column("ms, shared", justify="right")
    for name, work_us, wait_ms in rows:
        table.add_row(
            name, "" if work_us is None else f"{work_us:.1f}", "" if wait_ms is None else f"{wait_ms:.2f}"
        )
    console.print(table)


if __name__ == "__main__":
    main()
