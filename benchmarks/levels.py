"""What does a GET by identifier cost this process at each level where its object may be found?

Run: python -m benchmarks.levels [--objects 2000 --rounds 5 --together 1,64]

Processor time of this process for each object, in microseconds, the least of some rounds in turns: what waits
is not counted, nor what PostgreSQL and Redis spend. `together` are how many objects are missed in one turn of
the loop. Beside the reader's levels: the connection to Redis by itself, and redis-py asking for the same
bytes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click
import redis.asyncio
import uvloop
from rich.console import Console

from benchmarks import samples
from benchmarks.load.machine import empty_database, run_machine, run_on
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import machine_facts, write_results
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Submission
from fastpay.engine.read.reader import Reader
from fastpay.engine.write.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.copies import RedisCopies
from fastpay.store.copy_format import CopyFormat
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads
from fastpay.store.redis_link import RedisLink

STALENESS_MS = 60_000
CLOCK = SystemClock()
# Takes objects that are to be asked for in one turn of the loop.
Level = Callable[[Sequence[str]], Awaitable[object]]


class Bench:
    """One tenant's payments, and the ways to them."""

    def __init__(
        self, reads: PostgresReads, copies: RedisCopies, link: RedisLink, redis_url: str, scope: Scope
    ) -> None:
        self._reads = reads
        self._copies = copies
        self._link = link
        self._redis = redis.asyncio.Redis.from_url(redis_url)
        self._scope = scope
        self.made: list[Versioned] = []

    async def make(self, batches: PostgresBatches, count: int) -> None:
        """Make payments."""
        writer = Writer(batches, clock=CLOCK)
        writer.start()
        identifiers = IdentifierFactory(CLOCK)
        for start in range(0, count, 500):
            submissions = []
            for _ in range(min(500, count - start)):
                stamp = identifiers.stamp()
                submissions.append(
                    Submission(
                        scope=self._scope,
                        command=samples.new_command(),
                        request_id=identifiers.request_id(),
                        moment_ms=stamp.moment_ms,
                        head=stamp.head,
                        tail=stamp.tail,
                    )
                )
            for outcome in await asyncio.gather(*map(writer.submit, submissions)):
                assert outcome.answer.object_id is not None
                self.made.append(outcome.objects[outcome.answer.object_id])
        await writer.close()

    async def settle(self) -> None:
        """Return when Redis has answered everything."""
        # What was read is gathered for a moment.
        await asyncio.sleep(limits.copies_gap_ms * 2 / 1000)
        counts = self._copies.counts()
        while counts["redis_copies_sent"] > counts["redis_copies_kept"] + counts["redis_copies_lost"]:
            await asyncio.sleep(0.01)
            counts = self._copies.counts()

    async def reader(self, *, with_copies: bool) -> Reader:
        """Return a reader that has nothing cached, and the proof that it may show copies."""
        reader = Reader(
            self._reads,
            clock=CLOCK,
            staleness_ms=STALENESS_MS,
            copies=self._copies if with_copies else None,
        )
        await reader.get(self._scope, "cus_" + "0" * 32)
        return reader

    async def flush(self) -> None:
        """Let Redis forget everything."""
        await self.settle()
        await self._redis.flushall()

    async def fill(self) -> None:
        """Let Redis have copies of everything, from the database."""
        limits.copies_worth_min = 0
        await self.flush()
        reader = await self.reader(with_copies=True)
        await reader.get_many(self._scope, [one.object.id for one in self.made])
        await self.settle()

    async def levels(self, *, is_filled: bool) -> dict[str, tuple[Level, Callable[[], int] | None]]:
        """Return the ways to an object, and what tells how many were found there."""
        scope = self._scope
        form = CopyFormat(await self._reads.identify(), CLOCK.random_bytes)
        keys = {one.object.id: form.key(scope, one.object.id) for one in self.made}
        warm = await self.reader(with_copies=False)
        for one in self.made:
            warm.cache.put(warm.partition(scope), one.object.id, one.version, one, 1_000)
        with_copies = await self.reader(with_copies=True)
        without, joined = await self.reader(with_copies=False), await self.reader(with_copies=False)

        def through(reader: Reader) -> Level:
            return lambda part: asyncio.gather(*(reader.get(scope, one) for one in part))

        async def piped(part: Sequence[str]) -> object:
            pipeline = self._redis.pipeline(transaction=False)
            for one in part:
                pipeline.get(keys[one])
            return await pipeline.execute()

        def in_redis() -> int:
            return with_copies.counts()["reads_copies_shown"]

        def in_database() -> int:
            counts = with_copies.counts()
            # One was read beforehand.
            return counts["reads_missed"] - counts["reads_copies_shown"] - 1

        if not is_filled:
            often = "PostgreSQL, after a look at an empty Redis"
            name = often if limits.copies_worth_min == 0 else f"{often}, after a while"
            return {name: (through(with_copies), in_database)}
        return {
            "process cache": (through(warm), lambda: warm.counts()["reads_process_hits"]),
            "joined": (lambda part: asyncio.gather(*(joined.get(scope, part[0]) for _ in part)), None),
            "Redis": (through(with_copies), in_redis),
            "PostgreSQL": (through(without), lambda: without.counts()["reads_missed"] - 1),
            "(MGET on the connection of our own)": (
                lambda part: self._link.ask("MGET", *(keys[one] for one in part)),
                None,
            ),
            "(MGET by redis-py)": (lambda part: self._redis.mget([keys[one] for one in part]), None),
            "(GETs in a pipeline of redis-py)": (piped, None),
        }

    async def measure(self, together: int) -> dict[str, float]:
        """Return microseconds of processor time an object, for each level."""
        names = [one.object.id for one in self.made]
        found = {}
        # Looked for always; then as seldom as when copies were never found.
        for is_filled, worth_min in ((True, 0), (False, 0), (False, 2)):
            limits.copies_worth_min = worth_min
            if not is_filled:
                await self.flush()
            for name, (ask, count) in (await self.levels(is_filled=is_filled)).items():
                begun = time.process_time_ns()
                for start in range(0, len(names), together):
                    await ask(names[start : start + together])
                await self.settle()
                found[name] = (time.process_time_ns() - begun) / len(names) / 1000
                if count is not None and count() != len(names):
                    raise SystemExit(f"{count()} of {len(names)} objects were found in: {name}")
        return found

    async def close(self) -> None:
        """Close what was opened here."""
        await self._redis.aclose()


@click.command()
@click.option("--objects", default=2_000, show_default=True, help="Payments to read.")
@click.option("--rounds", default=5, show_default=True, help="How often, in turns.")
@click.option("--together", type=Several(int), default="1,64", show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
@click.option("--database-url", help="A PostgreSQL that may create databases; by default one of its own.")
@click.option("--redis-url", help="A Redis that may be emptied; by default one of its own.")
def main(objects: int, rounds: int, together: tuple[int, ...], **places: Any) -> None:
    """Measure what a read costs at each level."""
    console = Console(width=WIDTH)
    directory, database_url, redis_url = (places[name] for name in ("directory", "database_url", "redis_url"))
    with (
        run_machine(directory, database_url=database_url, redis_url=redis_url) as machine,
        empty_database(machine, "bench_levels", tenants=1) as database,
    ):
        rows_found = run_on(database.url, lambda connection: connection.fetch("select tenant_id from tenant"))
        scope = Scope(rows_found[0]["tenant_id"].hex, False)
        found = uvloop.run(_run(database.url, machine.redis_url, scope, objects, rounds, together))
    table = Table(title="processor time of this process, microseconds an object")
    table.add_column("found in")
    for count in together:
        table.add_column(f"{count} a turn", justify="right")
    for name in found[together[0]]:
        table.add_row(name, *(f"{found[count][name]:.1f}" for count in together))
    console.print(table)
    results = {"machine": machine_facts(), "levels": {str(count): found[count] for count in together}}
    console.print(f"written to {write_results('levels', results)}")


async def _greet_nobody() -> None:
    """Ask nothing of a new connection."""


async def _run(
    url: str, redis_url: str, scope: Scope, objects: int, rounds: int, together: Sequence[int]
) -> dict[int, dict[str, float]]:
    pool = ReaderPool(DatabaseSettings(url=url, reader_connections_max=4))
    reads, batches = PostgresReads(pool, pool), PostgresBatches(DatabaseSettings(url=url))
    copies = RedisCopies(redis_url, clock=CLOCK, identify=reads.identify)
    copies.start()
    link = RedisLink(redis_url, greet=_greet_nobody)
    link.start()
    while not copies.is_open or not link.is_open:  # noqa: ASYNC110  what it waits for has no event
        await asyncio.sleep(0.01)
    least: dict[int, dict[str, float]] = {}
    bench = Bench(reads, copies, link, redis_url, scope)
    await bench.make(batches, objects)
    for _ in range(rounds):
        for count in together:
            await bench.fill()
            measured = await bench.measure(count)
            before = least.setdefault(count, measured)
            least[count] = {name: min(one, before[name]) for name, one in measured.items()}
    await bench.close()
    await link.close()
    await copies.close()
    await batches.close()
    await pool.close()
    return least


if __name__ == "__main__":
    main()
