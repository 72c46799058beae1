"""What does a payment write to PostgreSQL's log over millions of rows, and how much of it are full pages?

Run: python -m benchmarks.wal [--payments 770000 --window 10000 --windows 4]

The first change of a page after a checkpoint logs the whole page, so that a crash while it is written can
be mended. How many pages that are depends on how many a payment touches that nobody has touched since, and
so on the size of the tables. The database copies payments until there are so many; each has thirteen rows.
Then, for each setting in turns, a checkpoint is made, and payments are made on 64 connections, window after
window. Records and full pages are PostgreSQL's own counts (pg_stat_wal), and bytes what the log grew by: a
busy machine changes nothing but the size of batches.
"""

import time
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks import payments
from benchmarks.growth import fill, serve_over
from benchmarks.load import stored
from benchmarks.load.machine import (
    Database,
    Machine,
    empty_database,
    execute,
    fetch_value,
    run_machine,
    run_on,
)
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import machine_facts, write_results

_COUNTS = """
select wal_records, wal_fpi, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint from pg_stat_wal
"""
_ROWS = """
select sum(reltuples)::bigint from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace
"""
# A backend that has become idle tells its counts after so long (PostgreSQL's PGSTAT_IDLE_INTERVAL).
_TOLD_SECONDS = 11.0
_CONNECTIONS = 64
_RATE = 1_000


class Window(NamedTuple):
    """What a payment wrote: records, full pages, and bytes."""

    records: float
    full_pages: float
    bytes: float


@click.command()
@click.option("--payments", "count", default=770_000, show_default=True, help="How many are stored before.")
@click.option("--window", default=10_000, show_default=True, help="Payments of a window.")
@click.option("--windows", default=4, show_default=True, help="How many after each checkpoint.")
@click.option("--rounds", default=2, show_default=True, help="How many turns each setting has.")
@click.option("--fill-minutes", default=60.0, show_default=True, help="How long filling may take.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(count: int, window: int, windows: int, rounds: int, fill_minutes: float, directory: str) -> None:
    """Count what payments write to the log after a checkpoint, with and without compression of pages."""
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_wal", tenants=1) as database,
        Progress(console=console) as progress,
    ):
        with serve_over(machine, database) as target:
            model = str(payments.make_payment(target.port, database.keys[0])["id"])
        fill(progress, database, model, 1, count, stored.Bounds(fill_minutes * 60, Path(directory)))
        # Otherwise autovacuum does it meanwhile, and writes pages of its own.
        execute(database.url, "vacuum analyze")
        rows = int(fetch_value(database.url, _ROWS))
        found = measure(machine, database, window=window, windows=windows, rounds=rounds)
    table = Table(title=f"a payment over {rows:,} rows, after a checkpoint")
    for column in ("wal_compression", "payments since", "records", "full pages", "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    for setting, turns in found.items():
        for number, same in enumerate(zip(*turns, strict=True)):
            means = [sum(part) / len(same) for part in zip(*same, strict=True)]
            table.add_row(setting, f"{(number + 1) * window:,}", *(f"{mean:,.2f}" for mean in means))
    console.print(table)
    record = {"machine": machine_facts(), "rows": rows, "windows": found}
    console.print(f"written to {write_results('wal', record)}")


def measure(
    machine: Machine, database: Database, *, window: int, windows: int, rounds: int
) -> dict[str, list[list[Window]]]:
    """Return for each setting, and each of its turns, what payments wrote in window after window."""
    found: dict[str, list[list[Window]]] = {"off": [], "pglz": []}
    for number in range(rounds):
        for setting, turns in sorted(found.items(), reverse=number % 2 == 1):
            # It is the setting of connections that are made from here on.
            execute(database.url, f"alter database bench_wal set wal_compression = {setting}")
            with serve_over(machine, database) as target:
                execute(machine.database_url, "checkpoint")
                turns.append(
                    [
                        _measure(machine.database_url, target.port, database.keys, window)
                        for _ in range(windows)
                    ]
                )
    return found


def _measure(url: str, port: int, keys: tuple[str, ...], count: int) -> Window:
    before = _counts(url)
    made = run_open_loop(
        port, payments.payment_requests(keys), rate=_RATE, connections=_CONNECTIONS, seconds=count / _RATE
    )
    after = _counts(url)
    return Window(*((b - a) / made.requests for a, b in zip(before, after, strict=True)))


def _counts(url: str) -> tuple[int, int, int]:
    """Return the counts once all backends have told theirs."""
    time.sleep(_TOLD_SECONDS)
    records, full_pages, written = run_on(url, lambda connection: connection.fetchrow(_COUNTS))
    return records, full_pages, written


if __name__ == "__main__":
    main()
