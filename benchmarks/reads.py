"""How many GETs of a payment a second, cached and uncached, beside FastAPI with Redis and Flask without?

Run: python -m benchmarks.reads [--seconds 10 --rounds 3 --connections 64 --objects 200000]

Cached: one payment again and again. Uncached: different ones, each asked for once, on servers that were just
started over an emptied Redis; a run that got through all of them and began anew is marked with an asterisk.
The API key is checked in both. The payments are copies of a real one, under identifiers of their own.
"""

import asyncio
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import click
import redis
from rich.console import Console

from benchmarks.load import options
from benchmarks.load.machine import Database, Machine, empty_database, execute, run_machine
from benchmarks.load.report import WIDTH, Figures, show_throughput, to_record
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.payments import make_payment

# Every copy has the snapshot of the original, with its own identifier in the place of the other.
_COPY_VERSIONS = """
insert into object_version (tenant_id, livemode, object_id, version, sequence, kind, snapshot)
select tenant_id, livemode, copy_id, version, sequence, kind,
    overlay(
        snapshot placing convert_to('pi_' || replace(copy_id::text, '-', ''), 'UTF8')
        from position(convert_to('pi_' || replace($1::uuid::text, '-', ''), 'UTF8') in snapshot)
    )
from object_version, unnest($2::uuid[]) as copies (copy_id)
where object_id = $1::uuid
"""
_COPY_HEADS = """
insert into payment_intent (
    tenant_id, livemode, payment_intent_id, version, status, currency, amount, amount_capturable,
    amount_received
)
select tenant_id, livemode, copy_id, version, status, currency, amount, amount_capturable, amount_received
from payment_intent, unnest($2::uuid[]) as copies (copy_id)
where payment_intent_id = $1::uuid
"""


@click.command()
@options.shared
@click.option(
    "--objects", default=200_000, show_default=True, help="Payments to read, for the uncached reads."
)
def main(objects: int, **given: Any) -> None:
    """Measure reads by identifier, side by side."""
    asked = options.Options(**given)
    console = Console(width=WIDTH)
    results: dict[str, object] = {"machine": machine_facts(), "objects": objects, "options": to_record(asked)}
    with run_machine(asked.directory, database_url=asked.database_url, redis_url=asked.redis_url) as machine:
        for count in asked.connections:
            with ExitStack() as stack:
                stores = {
                    name: stack.enter_context(empty_database(machine, f"bench_{name}", tenants=1))
                    for name in ("fastpay", *asked.peers)
                }
                files = {name: _fill(machine, name, database, objects) for name, database in stores.items()}
                cached = _rounds(console, machine, stores, files, asked, connections=count, cached=True)
                show_throughput(console, f"GET of one payment, cached, {count} connections", cached)
                uncached = _rounds(console, machine, stores, files, asked, connections=count, cached=False)
                show_throughput(
                    console, f"GET of different payments, uncached, {count} connections", uncached
                )
            results[f"connections_{count}"] = {
                "cached": {name: figures.to_json() for name, figures in cached.items()},
                "uncached": {name: figures.to_json() for name, figures in uncached.items()},
            }
    console.print(f"written to {write_results('reads', results)}")


def _fill(machine: Machine, name: str, database: Database, objects: int) -> Path:
    """Let the server make one payment, copy it, and return the file with the identifiers of the copies."""
    with _serving(machine, name, database) as target:
        made = make_payment(target.port, database.keys[0])["id"]
    original = uuid.UUID(str(made).removeprefix("pi_"))
    # Random, so that neighbours in the load are not neighbours in the index.
    copies = [uuid.uuid4() for _ in range(objects)]

    async def copy() -> None:
        connection = await asyncpg.connect(database.url)
        try:
            for statement in (_COPY_VERSIONS, _COPY_HEADS):
                await connection.execute(statement, original, copies)
            await connection.execute("vacuum analyze")
        finally:
            await connection.close()

    asyncio.run(copy())
    path = machine.directory / f"{name}.identifiers"
    path.write_text("".join(f"pi_{copy_id.hex}\n" for copy_id in copies), encoding="ascii")
    return path


def _rounds(
    console: Console,
    machine: Machine,
    stores: dict[str, Database],
    files: dict[str, Path],
    asked: options.Options,
    *,
    connections: int,
    cached: bool,
) -> dict[str, Figures]:
    found: dict[str, list[Sample]] = {name: [] for name in stores}
    for number in range(asked.rounds):
        for name, database in stores.items():
            execute(database.url, "checkpoint")
            identifiers = files[name]
            total = len(identifiers.read_text(encoding="ascii").splitlines())
            if cached:
                one = machine.directory / "one.identifier"
                one.write_text(
                    identifiers.read_text(encoding="ascii").splitlines()[0] + "\n", encoding="ascii"
                )
                identifiers = one
            with _serving(machine, name, database, asked.workers) as target:
                if cached:
                    # The first second fills the cache and opens the connections.
                    _read(target, database, identifiers, connections=connections, seconds=1)
                else:
                    _warm_up(target, database, connections)
                sample = _read(target, database, identifiers, connections=connections, seconds=asked.seconds)
            found[name].append(sample)
            again = " *" if not cached and sample.requests > total else ""
            console.print(
                f"  round {number + 1}: {name} {sample.rate:,.0f}/s, p99 {sample.p99_ms:.1f} ms{again}"
            )
    return {name: Figures(samples) for name, samples in found.items()}


def _warm_up(target: Target, database: Database, connections: int) -> None:
    """Open what the server opens on its first requests, without reading what is to be read."""
    for _ in range(min(connections, 16)):
        make_payment(target.port, database.keys[0])


def _read(
    target: Target, database: Database, identifiers: Path, *, connections: int, seconds: float
) -> Sample:
    arguments = [str(identifiers), database.keys[0]]
    return run_wrk(target, "reads.lua", arguments, connections=connections, seconds=seconds)


def _serving(machine: Machine, name: str, database: Database, workers: int | None = None) -> Any:
    """Return a server just started, to enter, over an empty Redis."""
    with redis.Redis.from_url(machine.redis_url) as client:
        client.flushdb()
    return serve(
        name,
        database_url=database.url,
        redis_url=machine.redis_url,
        directory=machine.directory,
        workers=workers,
    )


if __name__ == "__main__":
    main()
