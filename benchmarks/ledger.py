"""How many transfers of the ledger a second, singly and in batches, onto one hot account and over many?

Run: python -m benchmarks.ledger [--seconds 10 --rounds 3 --connections 256 --accounts 10000 --batch 8190]

Over HTTP, on empty databases in a PostgreSQL with fsync on: single transfers by wrk, batches by a few threads
that have their bodies ready, and single transfers by FastAPI, which writes the same rows in one transaction a
request (--no-peer leaves it out). With --door also at the writer's door in this process, without HTTP. All
forms of the load take turns within a round, after a short one of each that does not count. Every request has
an idempotency key of its own.

Before the first load the servers must write the same rows for a transfer. After each, its transfers are
counted in the database, and what they and the accounts moved is added up; after the last, the books are
verified. What the server and PostgreSQL have used of the processor is told for each transfer.
Takes about (seconds + 1) x loads x rounds, and half a minute.
"""

import functools
import importlib.util
import os
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console

from benchmarks.load import transfers
from benchmarks.load.machine import (
    TABLES_OF_INSTANCES,
    Database,
    Machine,
    empty_database,
    fetch_value,
    run_machine,
    run_on,
)
from benchmarks.load.report import WIDTH, Figures, Table
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.transfers import AMOUNT, SENDERS, Pairs
from benchmarks.load.wrk import Sample
from benchmarks.suite_processes import cpu_of
from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads

_PAIRS = 20_000
_PLACES = ("hot", "spread")
_WARM_UP_SECONDS = 1.0
_WRITTEN = """
select count(*), coalesce(sum(amount), 0)::bigint,
    (select sum(debits_posted)::bigint from account), (select sum(credits_posted)::bigint from account)
from ledger_transfer
"""


class Load(msgspec.Struct, frozen=True):
    """One form of the load. `unanswered_max` transfers may be written that were not answered in the end.

    `used_seconds` tells how much of the processor the server has used by now, and PostgreSQL.
    """

    database: Database
    run: Callable[[float], Sample]
    used_seconds: Callable[[], tuple[float, float]]
    unanswered_max: int = 0


class Found(msgspec.Struct, frozen=True):
    """What a load came to, and the processor time of a transfer in microseconds."""

    sample: Sample
    server_us: float
    postgres_us: float


class Stand(msgspec.Struct, frozen=True):
    """A server's database, and the accounts to move money between."""

    database: Database
    pairs: dict[str, Pairs]


class Asked(msgspec.Struct, frozen=True):
    """The options."""

    seconds: float
    rounds: int
    connections: int
    accounts: int
    batch: int
    peer: bool
    door: bool


Loads = dict[str, Load]


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each form of the load lasts.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=256, show_default=True, help="Of single transfers.")
@click.option("--accounts", default=10_000, show_default=True, help="That the spread load is spread over.")
@click.option("--batch", default=limits.ledger_batch_transfers_max, show_default=True)
@click.option(
    "--peer/--no-peer", default=True, show_default=True, help="Hold single transfers against FastAPI."
)
@click.option("--door", is_flag=True, help="Measure the writer by itself as well.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(directory: str, **given: Any) -> None:
    """Measure transfers of the ledger."""
    console = Console(width=WIDTH)
    if given["peer"] and importlib.util.find_spec("fastapi") is None:
        raise SystemExit("FastAPI is not installed: make bench does it, or leave it out with --no-peer")
    asked = Asked(**given)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        found = _run(console, machine, asked)
    figures = {name: Figures([one.sample for one in runs]) for name, runs in found.items()}
    ratios = _ratios({name: one.rate for name, one in figures.items()})
    used = {
        name: (median(one.server_us for one in runs), median(one.postgres_us for one in runs))
        for name, runs in found.items()
    }
    _show(console, figures, used, ratios)
    results = {
        "machine": machine_facts(),
        "options": given,
        "loads": {name: one.to_json() for name, one in figures.items()},
        "used_us": used,
        "ratios": ratios,
    }
    console.print(f"written to {write_results('ledger', results)}")


def _run(console: Console, machine: Machine, asked: Asked) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    with ExitStack() as stack:
        stands = {}
        for name in ("fastpay", "fastapi_ledger") if asked.peer else ("fastpay",):
            database = stack.enter_context(empty_database(machine, f"bench_{name}", tenants=1))
            opened = transfers.open_accounts(database, max(2, asked.accounts))
            stands[name] = Stand(database, {"hot": [(opened[0], opened[1])], "spread": _random_pairs(opened)})
            console.print(f"opened {len(opened):,} accounts for {name}")
        with ExitStack() as serving:
            loads = _start(console, serving, machine, stands, asked)
            found |= _measure(console, loads, asked)
        if asked.door:
            # Without the server: what it holds in memory of the tenant would be wrong from here on.
            found |= _measure(console, _doors(machine, stands["fastpay"], asked), asked)
        for name, stand in stands.items():
            verify(stand.database)
            console.print(f"the books of {name} agree")
    return found


def _start(
    console: Console, stack: ExitStack, machine: Machine, stands: dict[str, Stand], asked: Asked
) -> Loads:
    """Start the servers, see that they do the same, and return what they are to be loaded with."""
    targets, rows = {}, {}
    for name, stand in stands.items():
        serving = serve(
            name,
            database_url=stand.database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
        )
        targets[name] = stack.enter_context(serving)
        rows[name] = _rows_of_one(targets[name], stand, machine)
    if any(written != rows["fastpay"] for written in rows.values()):
        raise SystemExit(f"the servers do not write the same rows for a transfer: {rows}")
    console.print(f"rows that a transfer adds: {rows['fastpay']}")
    loads: Loads = {}
    for where in _PLACES:
        for name, stand in stands.items():
            loads |= _singles(machine, targets[name], stand, where, asked.connections)
        loads |= _batches(machine, targets["fastpay"], stands["fastpay"], where, asked.batch)
    return loads


def _singles(machine: Machine, target: Target, stand: Stand, where: str, connections: int) -> Loads:
    file = machine.directory / f"{target.name}.{where}"
    key, pairs = stand.database.keys[0], stand.pairs[where]

    def run(seconds: float) -> Sample:
        return transfers.run_singles(target, key, file, pairs, connections, seconds)

    # In the end wrk turns away from as many requests as there are connections.
    name = f"{target.name.removesuffix('_ledger')}, single, {where}"
    used = functools.partial(cpu_of, target, machine)
    return {name: Load(stand.database, run, used, unanswered_max=connections)}


def _batches(machine: Machine, target: Target, stand: Stand, where: str, batch: int) -> Loads:
    bodies = transfers.batch_bodies(stand.pairs[where], batch)

    def run(seconds: float) -> Sample:
        return transfers.run_batches(target, stand.database.keys[0], bodies, seconds)

    used = functools.partial(cpu_of, target, machine)
    return {f"{target.name}, batch, {where}": Load(stand.database, run, used)}


def _doors(machine: Machine, stand: Stand, asked: Asked) -> Loads:
    # The server is this process here.
    used = functools.partial(cpu_of, Target("door", 0, os.getpid()), machine)

    def load(where: str, size: int, waiting: int) -> Load:
        pairs = stand.pairs[where]
        return Load(
            stand.database,
            lambda seconds: transfers.run_door(stand.database, pairs, size, waiting, seconds),
            used,
        )

    return {
        f"door, {form}, {where}": load(where, size, waiting)
        for where in _PLACES
        for form, size, waiting in (("single", 1, asked.connections), ("batch", asked.batch, SENDERS))
    }


def _measure(console: Console, loads: Loads, asked: Asked) -> dict[str, list[Found]]:
    """Run the loads in turn and return what each came to."""
    found: dict[str, list[Found]] = {name: [] for name in loads}
    for number in range(asked.rounds + 1):
        for name, load in loads.items():
            one = _checked(name, load, asked.seconds if number else min(_WARM_UP_SECONDS, asked.seconds))
            label = f"round {number}" if number else "warm-up"
            console.print(f"  {label}: {name} {one.sample.rate:,.0f}/s, p99 {one.sample.p99_ms:.1f} ms")
            if number:
                found[name].append(one)
    return found


def _checked(name: str, load: Load, seconds: float) -> Found:
    """Run a load. Raises: SystemExit where the database does not hold what was answered."""
    before = _written(load.database)
    began = load.used_seconds()
    sample = load.run(seconds)
    used = [now - then for now, then in zip(load.used_seconds(), began, strict=True)]
    count, moved, debited, credited = (
        after - earlier for after, earlier in zip(_written(load.database), before, strict=True)
    )
    if not sample.requests <= count <= sample.requests + load.unanswered_max:
        raise SystemExit(f"{name}: {sample.requests} transfers were answered and {count} are there")
    if {moved, debited, credited} != {AMOUNT * count}:
        raise SystemExit(
            f"{name}: {count} transfers have moved {moved}, debits {debited}, credits {credited}"
        )
    server_us, postgres_us = (seconds_used * 1e6 / count for seconds_used in used)
    return Found(sample, server_us, postgres_us)


def _written(database: Database) -> Sequence[int]:
    row = run_on(database.url, lambda connection: connection.fetchrow(_WRITTEN))
    return [int(value) for value in row]


def _rows_of_one(target: Target, stand: Stand, machine: Machine) -> dict[str, int]:
    """Return how many rows a transfer leaves in each table, of some that are made one after another."""
    before = count_rows(stand.database)
    key, pairs = stand.database.keys[0], stand.pairs["hot"]
    sample = transfers.run_singles(target, key, machine.directory / "one", pairs, 1, 1.0)
    grown = {table: count - before[table] for table, count in count_rows(stand.database).items()}
    # In the end there may be one more that nobody was told of.
    return {table: round(count / sample.requests) for table, count in grown.items() if count}


def count_rows(database: Database) -> dict[str, int]:
    """Return how many rows each table has that requests write to."""
    query = "select array_agg(tablename::text) from pg_tables where schemaname = 'public'"
    tables = sorted(set(fetch_value(database.url, query)) - TABLES_OF_INSTANCES)
    return {table: fetch_value(database.url, f"select count(*) from {table}") for table in tables}


def _random_pairs(names: Sequence[str]) -> Pairs:
    chance = random.Random(1)
    return [(debit, credit) for debit, credit in (chance.sample(names, 2) for _ in range(_PAIRS))]


def verify(database: Database) -> None:
    """Have the ledger held against itself. Raises: SystemExit where it does not agree."""

    async def problems(connection: Any) -> Sequence[str]:
        tenant_id = await connection.fetchval("select tenant_id from tenant limit 1")
        pool = ReaderPool(DatabaseSettings(url=database.url))
        try:
            return (await PostgresReads(pool, pool).verify(Scope(tenant_id.hex, False))).problems
        finally:
            await pool.close()

    found = run_on(database.url, problems)
    if found:
        raise SystemExit(f"the books do not agree: {found}")


def _ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return what is asked of the rates, as far as both sides were measured."""
    asked = {
        f"{who}batches to singles, {where}": (f"{door}, batch, {where}", f"{door}, single, {where}")
        for door, who in (("fastpay", ""), ("door", "door: "))
        for where in _PLACES
    }
    asked |= {
        f"{who}hot to spread, {form}": (f"{door}, {form}, hot", f"{door}, {form}, spread")
        for door, who in (("fastpay", ""), ("door", "door: "))
        for form in ("single", "batch")
    }
    asked |= {
        f"fastpay to fastapi, {where}": (f"fastpay, single, {where}", f"fastapi, single, {where}")
        for where in _PLACES
    }
    return {
        name: rates[above] / rates[below]
        for name, (above, below) in asked.items()
        if above in rates and below in rates
    }


def _show(
    console: Console,
    figures: dict[str, Figures],
    used: dict[str, tuple[float, float]],
    ratios: dict[str, float],
) -> None:
    table = Table(title="transfers of the ledger, medians; latencies of a request, processor of a transfer")
    for column in ("load", "per s", "lowest", "highest", "p50 ms", "p99 ms", "server us", "PG us"):
        table.add_column(column, justify="left" if column == "load" else "right")
    for name, one in figures.items():
        rates = [sample.rate for sample in one.samples]
        numbers = [f"{rate:,.0f}" for rate in (median(rates), min(rates), max(rates))]
        table.add_row(
            name, *numbers, f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}", *(f"{us:.1f}" for us in used[name])
        )
    console.print(table)
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")


if __name__ == "__main__":
    main()
