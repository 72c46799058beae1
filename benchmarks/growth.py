"""Does a payment stay as fast when many are stored already?

Run: python -m benchmarks.growth [--sizes 10000,1000000,10000000 --windows 10 --rounds 3 --seconds 10]

First a server over an empty database takes payments without a pause, window after window, since planner
surprises live where tables grow from nothing. Then the database itself copies payments of the same merchant,
from one size to the next, and each size is loaded in the same way. Statistics are gathered by autovacuum, or
after each filling with --analyze. Ten million payments with all that belongs to them take 35 gigabytes.
Filling for one size ends after --fill-minutes, or when the disk is nearly full, and the table says how many
there were.
"""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from benchmarks import payments
from benchmarks.load import stored
from benchmarks.load.machine import Database, Machine, empty_database, execute, fetch_value, run_machine
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Figures, Table
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample

_STORED = "select count(*) from payment_intent"
_BYTES = "select pg_database_size(current_database())"


class Run(msgspec.Struct, frozen=True):
    """The figures over so many payments."""

    asked: int
    stored: int
    database_bytes: int
    samples: list[Sample]


@click.command()
@click.option("--sizes", type=Several(int), default="10000,1000000,10000000", show_default=True)
@click.option("--windows", default=10, show_default=True, help="How many figures of the run from nothing.")
@click.option("--rounds", default=3, show_default=True, help="How many figures of each size.")
@click.option("--seconds", default=10.0, show_default=True, help="How long a figure is taken.")
@click.option("--connections", default=64, show_default=True)
@click.option(
    "--fill-minutes", default=30.0, show_default=True, help="How long filling up to one size may take."
)
@click.option("--analyze", is_flag=True, help="Let the database gather statistics after filling.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(
    sizes: tuple[int, ...],
    windows: int,
    rounds: int,
    seconds: float,
    connections: int,
    fill_minutes: float,
    analyze: bool,
    directory: str,
) -> None:
    """Measure payments over databases of different sizes."""
    console = Console(width=WIDTH)
    bounds = stored.Bounds(fill_minutes * 60, Path(directory))
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_growth", tenants=1) as database,
        Progress(console=console) as progress,
    ):
        with serve_over(machine, database) as target:
            model = str(payments.make_payment(target.port, database.keys[0])["id"])
            runs = [
                measure(target, database, 0, connections=connections, seconds=seconds, rounds=1)
                for _ in range(windows)
            ]
        filled = 0
        for size in sorted(sizes):
            filled += fill(progress, database, model, filled + 1, size, bounds)
            if analyze:
                execute(database.url, "vacuum analyze")
            # One that was just started has nothing in its caches.
            with serve_over(machine, database) as target:
                runs.append(
                    measure(target, database, size, connections=connections, seconds=seconds, rounds=rounds)
                )
    console.print(_table(runs, connections))
    record: dict[str, Any] = {
        "machine": machine_facts(),
        "analyzed": analyze,
        "runs": msgspec.to_builtins(runs),
    }
    console.print(f"written to {write_results('growth', record)}")


def fill(
    progress: Progress, database: Database, model: str, first: int, size: int, bounds: stored.Bounds
) -> int:
    """Store copies of a payment until so many are stored, and return how many there are more."""
    missing = size - int(fetch_value(database.url, _STORED))
    if missing <= 0:
        return 0
    bar = progress.add_task(f"filling up to {size:,}", total=missing)
    work = stored.store(
        database.url, model, first, first + missing - 1, bounds, lambda count: progress.advance(bar, count)
    )
    done = asyncio.run(work)
    if done < missing:
        progress.console.print(f"filling up to {size:,} was ended {missing - done:,} before: time or disk")
    execute(database.url, "checkpoint")
    return done


def measure(
    target: Target, database: Database, asked: int, *, connections: int, seconds: float, rounds: int
) -> Run:
    """Load a server with payments some times."""
    before = int(fetch_value(database.url, _STORED))
    size = int(fetch_value(database.url, _BYTES))
    samples = [
        payments.load(target, database, connections=connections, seconds=seconds) for _ in range(rounds)
    ]
    return Run(asked, before, size, samples)


def serve_over(machine: Machine, database: Database) -> AbstractContextManager[Target]:
    """Run a fastpay over a database."""
    return serve(
        "fastpay", database_url=database.url, redis_url=machine.redis_url, directory=machine.directory
    )


def _table(runs: list[Run], connections: int) -> Table:
    table = Table(title=f"confirmed payments, {connections} connections")
    for column in ("asked for", "stored before", "GB", "requests/s", "spread", "p50 ms", "p99 ms", "spread"):
        table.add_column(column, justify="right", no_wrap=True)
    for run in runs:
        figures = Figures(run.samples)
        rates = [sample.rate for sample in run.samples]
        slow = [sample.p99_ms for sample in run.samples]
        table.add_row(
            f"{run.asked:,}" if run.asked else "growing",
            f"{run.stored:,}",
            f"{run.database_bytes / 1e9:.2f}",
            f"{figures.rate:,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{figures.p50_ms:.1f}",
            f"{figures.p99_ms:.1f}",
            f"{min(slow):.1f}-{max(slow):.1f}",
        )
    return table


if __name__ == "__main__":
    main()
