"""What does one confirmed payment cost the database? Counted: a busy machine matters only for processor time.

Run: python -m benchmarks.counting [--peers fastapi,flask]

Statements and round trips are counted by a proxy before PostgreSQL, BEGIN and COMMIT among them, after enough
payments that all statements are prepared. WAL is what the log grew by for a payment, checkpoints apart.
Processor time is that of PostgreSQL's backends, which the kernel counts in ticks, over some hundred payments
at least. Also counted: the rows that a payment leaves behind, and what a thousand GETs of one uncached
payment at once ask of the database.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import click
from rich.console import Console

from benchmarks import samples
from benchmarks.load.backends import BackendTime
from benchmarks.load.machine import (
    TABLES_OF_INSTANCES,
    Machine,
    empty_database,
    execute,
    fetch_value,
    run_machine,
    run_on,
)
from benchmarks.load.options import Several
from benchmarks.load.proxy import Counts, counting
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import NAMES, serve, write_results
from benchmarks.payments import make_payment, make_refund
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.postgres import DatabaseSettings

_WARM_UP = 20
_MEASURED = 10
# A tick is ten milliseconds: fewer would not tell a payment's microseconds.
_TIMED_BATCHES, _TIMED_PAYMENTS, _TIMED_REQUESTS = 1_000, 20_000, 300
_DATABASE = "bench_count"
_BATCHES = (1, 8, 64, 512)
_GETS = 1_000
_LSN = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


class Cost(NamedTuple):
    """What a transaction took, and what a payment in it came to: bytes of WAL, microseconds of backends."""

    statements: int
    round_trips: int
    wal_bytes: int
    backend_us: int


@click.command()
@click.option("--peers", type=Several(str, NAMES[1:]), default="fastapi,flask", show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(peers: tuple[str, ...], directory: str) -> None:
    """Count what a payment costs."""
    console = Console(width=WIDTH)
    table = Table(title="one confirmed payment")
    for column in (
        *("who", "payments a transaction", "statements", "round trips", "WAL bytes a payment"),
        "backend us a payment",
    ):
        table.add_column(column, justify="left" if column == "who" else "right")
    results: dict[str, Any] = {}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for size, cost in count_batches(machine).items():
            results[f"fastpay, {size} in a batch"] = cost
            table.add_row("fastpay", str(size), *map("{:,}".format, cost))
        for name in peers:
            results[name] = cost = count_peer(machine, name)
            table.add_row(name, "1", *map("{:,}".format, cost))
        console.print(table)
        rows = {name: count_rows(machine, name) for name in ("fastpay", *peers)}
        for kind in ("payment", "refund"):
            show_rows(console, kind, {name: by[kind] for name, by in rows.items()})
        gets = count_collapsed(machine)
        console.print(f"{_GETS:,} GETs of one uncached payment at once: {gets} statements")
    results |= {"rows": rows, "statements_of_1000_gets": gets}
    console.print(f"written to {write_results('counting', results)}")


def count_batches(machine: Machine) -> dict[int, Cost]:
    """Return what payments cost by the size of their batch."""
    with (
        empty_database(machine, _DATABASE, tenants=1) as database,
        counting(database.url, machine.directory / "proxy") as (url, counts),
    ):
        tenant_id = fetch_value(database.url, "select tenant_id from tenant").hex
        return asyncio.run(_count_batches(url, counts, Scope(tenant_id, False), machine))


def count_peer(machine: Machine, name: str) -> Cost:
    """Return what one payment costs that a peer takes."""
    with (
        empty_database(machine, _DATABASE, tenants=1) as database,
        counting(database.url, machine.directory / "proxy") as (url, counts),
        serve(
            name, database_url=url, redis_url=machine.redis_url, directory=machine.directory, workers=1
        ) as to,
    ):
        for _ in range(_WARM_UP):
            make_payment(to.port, database.keys[0])
        execute(machine.database_url, "checkpoint")
        for _ in range(_WARM_UP):
            make_payment(to.port, database.keys[0])
        found, wal = [], _wal_of(machine)
        start = wal()
        for _ in range(_MEASURED):
            before = counts.copy()
            make_payment(to.port, database.keys[0])
            found.append(counts.since(before))
        wal_bytes = (wal() - start) // _MEASURED
        backends = BackendTime(machine.database_url, _DATABASE)
        for _ in range(_TIMED_REQUESTS):
            make_payment(to.port, database.keys[0])
        backend_us = round(backends.seconds() / _TIMED_REQUESTS * 1e6)
        # The least: now and then a key is looked up again.
        least = min(found, key=lambda one: one.statements)
        return Cost(least.statements, least.round_trips, wal_bytes, backend_us)


def count_rows(machine: Machine, name: str) -> dict[str, dict[str, int]]:
    """Return how many rows a payment and a refund add to each table, but for accounts that are opened."""

    async def count(connection: Any) -> dict[str, int]:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        return {
            row["tablename"]: await connection.fetchval(f"select count(*) from {row['tablename']}")
            for row in tables
            if row["tablename"] not in TABLES_OF_INSTANCES
        }

    with (
        empty_database(machine, _DATABASE, tenants=1) as database,
        serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=1,
        ) as target,
    ):
        make_payment(target.port, database.keys[0])
        counts = [run_on(database.url, count)]
        made = make_payment(target.port, database.keys[0])
        counts.append(run_on(database.url, count))
        make_refund(target.port, database.keys[0], made["id"])
        counts.append(run_on(database.url, count))
    return {
        kind: {table: after[table] - before[table] for table in after if after[table] != before[table]}
        for kind, before, after in zip(("payment", "refund"), counts, counts[1:], strict=False)
    }


def count_collapsed(machine: Machine) -> int:
    """Return how many statements a thousand GETs of one uncached payment cost, all at once."""
    with empty_database(machine, _DATABASE, tenants=1) as database:
        start = functools.partial(serve, "fastpay", redis_url=machine.redis_url, directory=machine.directory)
        with start(database_url=database.url) as target:
            made = str(make_payment(target.port, database.keys[0])["id"])
        with (
            counting(database.url, machine.directory / "proxy") as (url, counts),
            start(database_url=url) as target,
        ):
            # Looks the key up, which is none of what is counted.
            make_payment(target.port, database.keys[0])
            return asyncio.run(_get_at_once(target.port, database.keys[0], made, counts))


def show_rows(console: Console, kind: str, rows: dict[str, dict[str, int]]) -> None:
    """Print the rows that one payment or refund leaves behind."""
    table = Table(title=f"rows that one {kind} adds")
    table.add_column("table")
    for name in rows:
        table.add_column(name, justify="right")
    for written in sorted({table for found in rows.values() for table in found}):
        table.add_row(written, *(str(found.get(written, 0)) for found in rows.values()))
    console.print(table)


async def _count_batches(url: str, counts: Counts, scope: Scope, machine: Machine) -> dict[int, Cost]:
    batches = PostgresBatches(DatabaseSettings(url=url))
    writer = Writer(batches, clock=SystemClock())
    writer.start()
    # After a start keys are looked up for a while, which is none of what is counted.
    await asyncio.sleep(limits.keys_doubted_ms / 1_000)
    number, wal = 0, _wal_of(machine)

    async def commit(size: int) -> None:
        nonlocal number
        moment_ms = time.time_ns() // 1_000_000
        submissions = [samples.new_submission(number + one, scope, moment_ms) for one in range(size)]
        number += size
        # All are waiting before the writer gets its turn: one batch.
        outcomes = await asyncio.gather(*(writer.submit(submission) for submission in submissions))
        assert all(outcome.answer.error is None for outcome in outcomes)

    found = {}
    try:
        for size in _BATCHES:
            for _ in range(_WARM_UP):
                await commit(size)
            await asyncio.to_thread(_checkpoint, url)
            for _ in range(_WARM_UP):
                await commit(size)
            start, before = await asyncio.to_thread(wal), counts.copy()
            await commit(size)
            one = counts.since(before)
            for _ in range(_MEASURED - 1):
                await commit(size)
            wal_bytes = (await asyncio.to_thread(wal) - start) // (_MEASURED * size)
            backends = await asyncio.to_thread(BackendTime, machine.database_url, _DATABASE)
            timed = min(_TIMED_BATCHES, _TIMED_PAYMENTS // size)
            for _ in range(timed):
                await commit(size)
            backend_us = round(await asyncio.to_thread(backends.seconds) / (timed * size) * 1e6)
            found[size] = Cost(one.statements, one.round_trips, wal_bytes, backend_us)
    finally:
        await writer.close()
        await batches.close()
    return found


def _checkpoint(url: str) -> None:
    execute(url, "checkpoint")


def _wal_of(machine: Machine) -> Callable[[], int]:
    return lambda: int(fetch_value(machine.database_url, _LSN))


async def _get_at_once(port: int, key: str, identifier: str, counts: Counts) -> int:
    head = f"GET /v1/payment_intents/{identifier} HTTP/1.1\r\nHost: localhost\r\n"
    request = f"{head}Authorization: Bearer {key}\r\n\r\n".encode()
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_GETS)]
    before = counts.copy()
    for _, writer in streams:
        writer.write(request)
    heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in streams))
    assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
    for _, writer in streams:
        writer.close()
    return counts.since(before).statements


if __name__ == "__main__":
    main()
