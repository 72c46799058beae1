"""Does a payment stay as fast when many are stored already?

Run: python -m benchmarks.growth [--sizes 10000,1000000 --windows 10 --seconds 10 --connections 64]

First a server over an empty database takes payments without a pause, window after window, since planner
surprises live where tables grow from nothing. Then each size is filled by the database itself, analyzed only
with --analyze, and loaded in the same way. 10,000,000 take some hours and a hundred gigabytes.
"""

from contextlib import ExitStack
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import payments
from benchmarks.load.machine import (
    Database,
    Machine,
    empty_database,
    execute,
    fetch_value,
    run_machine,
    run_on,
)
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import machine_facts, serve, write_results
from benchmarks.load.wrk import Sample
from tests.store import filling

_STEP = 50_000
_STORED = "select count(*) from payment_intent"


@click.command()
@click.option("--sizes", type=Several(int), default="10000,1000000", show_default=True)
@click.option("--windows", default=10, show_default=True, help="How many figures of the run from nothing.")
@click.option("--seconds", default=10.0, show_default=True, help="How long a figure is taken.")
@click.option("--connections", default=64, show_default=True)
@click.option("--analyze", is_flag=True, help="Let the database gather statistics after filling.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(
    sizes: tuple[int, ...], windows: int, seconds: float, connections: int, analyze: bool, directory: str
) -> None:
    """Measure payments over databases of different sizes."""
    console = Console(width=WIDTH)
    table = Table(title=f"confirmed payments, {connections} connections")
    for column in ("payments stored before", "requests/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    results: dict[str, Any] = {"machine": machine_facts(), "analyzed": analyze, "runs": []}
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        Progress(console=console) as progress,
    ):
        for size in (0, *sizes):
            with ExitStack() as stack:
                database = stack.enter_context(empty_database(machine, "bench_growth", tenants=1))
                _fill(progress, database, size)
                if analyze:
                    execute(database.url, "vacuum analyze")
                target = stack.enter_context(_serve(machine, database))
                for _ in range(1 if size else windows):
                    stored = fetch_value(database.url, _STORED)
                    sample = payments.load(target, database, connections=connections, seconds=seconds)
                    results["runs"].append(_record(size, stored, sample))
                    table.add_row(
                        f"{stored:,}", f"{sample.rate:,.0f}", f"{sample.p50_ms:.1f}", f"{sample.p99_ms:.1f}"
                    )
    console.print(table)
    console.print(f"written to {write_results('growth', results)}")


def _fill(progress: Progress, database: Database, size: int) -> None:
    """Store so many payments of another merchant, with what belongs to them."""
    if not size:
        return
    bar = progress.add_task(f"filling {size:,}", total=size)
    for first in range(1, size + 1, _STEP):
        last = min(size, first + _STEP - 1)
        run_on(database.url, lambda connection, first=first, last=last: filling.fill(connection, first, last))
        progress.update(bar, completed=last)
    execute(database.url, "checkpoint")


def _serve(machine: Machine, database: Database) -> Any:
    """Return a server over the database, to enter."""
    return serve(
        "fastpay", database_url=database.url, redis_url=machine.redis_url, directory=machine.directory
    )


def _record(size: int, stored: int, sample: Sample) -> dict[str, Any]:
    return {
        "filled": size,
        "stored": stored,
        "rate": sample.rate,
        "p50_ms": sample.p50_ms,
        "p99_ms": sample.p99_ms,
    }


if __name__ == "__main__":
    main()
