"""How many payments a second does the writer commit, without HTTP before it?

Run: python -m benchmarks.door [--seconds 5 --waiting 1,64,256,1024 --tenants 1]

So many payments wait at the writer's door at any time, in this process, over a real PostgreSQL on disk with
fsync on: the same engine, store and statements as under a server, and no request, key, form or answer around
them.
"""

import asyncio
import itertools
import time

import click
import uvloop
from rich.console import Console

from benchmarks import samples
from benchmarks.load.machine import empty_database, fetch_value, run_machine, run_on
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import machine_facts, write_results
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Submission
from fastpay.engine.write.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.postgres import DatabaseSettings


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="How long each figure is taken.")
@click.option("--waiting", type=Several(int), default="1,64,256,1024", show_default=True)
@click.option("--tenants", default=1, show_default=True, help="Merchants that the payments are spread over.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(seconds: float, waiting: tuple[int, ...], tenants: int, directory: str) -> None:
    """Measure the writer's door."""
    console = Console(width=WIDTH)
    table = Table(title=f"payments at the writer's door, {tenants} tenants")
    for column in ("waiting", "payments/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    results: dict[str, object] = {"machine": machine_facts(), "tenants": tenants}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for count in waiting:
            with empty_database(machine, "bench_door", tenants=tenants) as database:
                rows = run_on(
                    database.url, lambda connection: connection.fetch("select tenant_id from tenant")
                )
                scopes = [Scope(row["tenant_id"].hex, False) for row in rows]
                times = sorted(uvloop.run(_run(database.url, scopes, waiting=count, seconds=seconds)))
                written = fetch_value(database.url, "select count(*) from payment_intent")
            if written < len(times):
                raise SystemExit(f"{len(times)} payments were answered and {written} are there")
            rate = len(times) / seconds
            p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
            table.add_row(str(count), f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}")
            results[f"waiting_{count}"] = {"rate": rate, "p50_ms": p50, "p99_ms": p99}
    console.print(table)
    console.print(f"written to {write_results('door', results)}")


async def _run(url: str, scopes: list[Scope], *, waiting: int, seconds: float) -> list[float]:
    """Keep so many payments waiting; return how long each took, in seconds, the first second left out."""
    clock = SystemClock()
    store = PostgresBatches(DatabaseSettings(url=url))
    writer = Writer(store, clock=clock)
    writer.start()
    identifiers = IdentifierFactory(clock)
    numbers = itertools.count()
    begun = time.perf_counter() + 1.0
    times: list[float] = []

    async def pay_on_and_on() -> None:
        while (sent := time.perf_counter()) < begun + seconds:
            number = next(numbers)
            stamp = identifiers.stamp()
            outcome = await writer.submit(
                Submission(
                    scope=scopes[number % len(scopes)],
                    command=samples.new_command(),
                    request_id=identifiers.request_id(),
                    moment_ms=stamp.moment_ms,
                    head=stamp.head,
                    tail=stamp.tail,
                    idempotency_key=f"door-{number}",
                    fingerprint=b"f" * 32,
                )
            )
            assert outcome.answer.error is None
            if begun <= sent:
                times.append(time.perf_counter() - sent)

    await asyncio.gather(*(pay_on_and_on() for _ in range(waiting)))
    await writer.close()
    await store.close()
    return times


if __name__ == "__main__":
    main()
