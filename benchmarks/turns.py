"""How do several instances take turns at the books of tenants that all of them write to? In virtual time.

Run: python -m benchmarks.turns [--instances 7 --merchants 1,10,200 --rates 1000,2500] [--homes]

Real writers run over a database that is only a model: books with locks, and statements and commits that take
a while. Nothing takes processor time unless --cpu-ms says so for a transaction, of two cores. An open loop
sends writes to instances by chance, of merchants by Zipf's law; with --homes each merchant has one instance.
So a run takes seconds and comes out the same each time. What counts are the transactions, those in vain among
them, and the latencies beside each other: not their absolute size.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager

import click
import msgspec
from rich.console import Console

from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Table
from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.failures import OutdatedBatch, TransientFailure
from fastpay.engine.ports import Changes, IdempotencyRow, Submission
from fastpay.engine.write.ports import BatchWork, Encoded, TakenBooks
from fastpay.engine.write.writer import Writer
from fastpay.errors import FastpayError

_ROUND_TRIP_S, _COMMAND_S, _COMMIT_S = 0.0004, 0.00015, 0.004
_WARM_UP_S = 1.0
_CORES = 2
_WRITE = CreateCustomer(fields={"name": "Ada"})
# Between arrivals the loop would wait; here its time goes on instead.
_MOMENT_MS = 1_700_000_000_000


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found. Latencies are in milliseconds of virtual time."""

    answered: int
    failed: int
    p50_ms: float
    p99_ms: float
    transactions: int
    in_vain: int


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on as soon as there is nothing to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def skip(timeout: float | None = None) -> object:
            ready = select(0)
            if not ready:
                assert timeout is not None, "everybody waits for somebody else"
                self._now += max(0.0, timeout)
            return ready

        selector.select = skip

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now


class _Clock:
    """Satisfies `Clock` with the time of the loop."""

    def __init__(self, loop: VirtualLoop, chance: random.Random) -> None:
        self._loop = loop
        self._chance = chance

    def monotonic_ns(self) -> int:
        return int(self._loop.time() * 1e9)

    def now_ms(self) -> int:
        return _MOMENT_MS + int(self._loop.time() * 1e3)

    def random_bytes(self, count: int) -> bytes:
        return self._chance.randbytes(count)


class _Kept(Encoded, frozen=True, kw_only=True):
    changes: Changes


class _Database:
    """The books, and who holds them."""

    def __init__(self, scopes: Sequence[Scope], chance: random.Random, cpu_s: float) -> None:
        self.books = {scope: Book(scope, 0) for scope in scopes}
        self.locks = {scope: asyncio.Lock() for scope in scopes}
        self.chance = chance
        self.cpu_s = cpu_s
        self.cores = asyncio.Semaphore(_CORES)
        self.transactions = 0
        self.in_vain = 0


class _Store:
    """Satisfies `WriterStore`."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, _Kept]:
        yield from ()
        return _Kept(changes=changes)

    def lane(self) -> "_Store":
        return _Store(self._database)

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        await self.run_batch(lambda one: one.write_ahead(books, encoded, moments), timeout_ms=timeout_ms)

    async def run_batch(self, work: BatchWork, *, timeout_ms: float = limits.commit_timeout_ms) -> None:
        database, transaction = self._database, _Transaction(self._database)
        database.transactions += 1
        if database.cpu_s:
            async with database.cores:
                await asyncio.sleep(database.cpu_s)
        try:
            await work(transaction)
            if transaction.changes is not None:
                await asyncio.sleep(_COMMIT_S * database.chance.uniform(0.7, 1.5))
                for scope, sequence in transaction.changes.sequences.items():
                    database.books[scope] = Book(scope, sequence)
        finally:
            database.in_vain += transaction.changes is None
            for lock in transaction.held.values():
                lock.release()

    @asynccontextmanager
    async def loading(self) -> AsyncIterator["_Transaction"]:
        yield _Transaction(self._database)


class _Transaction:
    """Satisfies `BatchTransaction`."""

    moment_ms: int | None = None

    def __init__(self, database: _Database) -> None:
        self._database = database
        self.held: dict[Scope, asyncio.Lock] = {}
        self.changes: Changes | None = None

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        await asyncio.sleep(_ROUND_TRIP_S)
        return [self._database.books[scope] for scope in scopes]

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        return []

    async def load_objects(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Versioned]]:
        await asyncio.sleep(_ROUND_TRIP_S)
        return []

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        await asyncio.sleep(_ROUND_TRIP_S)
        return []

    async def lock_books(self, scopes: Sequence[Scope]) -> list[Book]:
        await asyncio.sleep(_ROUND_TRIP_S)
        for scope in scopes:
            if scope not in self.held:
                try:
                    async with asyncio.timeout(limits.book_wait_ms / 1000):
                        await self._database.locks[scope].acquire()
                except TimeoutError as error:
                    raise TransientFailure("55P03", kind="contention") from error
                self.held[scope] = self._database.locks[scope]
        return [self._database.books[scope] for scope in scopes]

    async def take_books(self, scopes: Sequence[Scope]) -> TakenBooks:
        await asyncio.sleep(_ROUND_TRIP_S)
        busy = {scope for scope in scopes if not await self._take(scope)}
        return TakenBooks(
            [self._database.books[scope] for scope in scopes if scope not in busy], frozenset(busy)
        )

    async def write_ahead(self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int]) -> None:
        await asyncio.sleep(_ROUND_TRIP_S)
        assert isinstance(encoded, _Kept)
        for book in books:
            if not await self._take(book.scope) or self._database.books[book.scope] != book:
                raise OutdatedBatch
        await self.write(encoded.changes)

    async def write_more(self, encoded: Encoded) -> None:
        raise NotImplementedError

    async def write(self, changes: Changes) -> None:
        await asyncio.sleep(_ROUND_TRIP_S + _COMMAND_S * len(changes.versions))
        self.changes = changes

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        yield

    async def _take(self, scope: Scope) -> bool:
        """Lock a book if it is free, and nobody waits for it."""
        lock = self._database.locks[scope]
        if scope not in self.held:
            waiting = getattr(lock, "_waiters", None) or ()
            if lock.locked() or any(not one.cancelled() for one in waiting):
                return False
            await lock.acquire()
            self.held[scope] = lock
        return True


def run(
    *, instances: int, merchants: int, rate: float, homes: bool, seconds: float = 8.0, cpu_ms: float = 0.0
) -> Found:
    """Let instances write, and return what was found."""
    # A model repeats itself only if chance does.
    chance, loop = random.Random(1), VirtualLoop()
    logging.disable(logging.ERROR)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_run(loop, chance, instances, merchants, rate, homes, seconds, cpu_ms / 1000))
    finally:
        logging.disable(logging.NOTSET)


async def _run(
    loop: VirtualLoop,
    chance: random.Random,
    instances: int,
    merchants: int,
    rate: float,
    homes: bool,
    seconds: float,
    cpu_s: float,
) -> Found:
    scopes = [Scope(f"{number:032x}", livemode=False) for number in range(merchants)]
    shares = [1 / (number + 1) for number in range(merchants)]
    database, clock = _Database(scopes, chance, cpu_s), _Clock(loop, chance)
    writers = [Writer(_Store(database), clock=clock) for _ in range(instances)]
    for writer in writers:
        # Nothing but the database takes time here.
        writer.loop.pace.used = lambda: 0
        writer.start()
    latencies: list[float] = []
    failed = 0

    async def write(writer: Writer, scope: Scope, number: int) -> None:
        nonlocal failed
        begun, moment_ms = loop.time(), clock.now_ms()
        submission = Submission(
            scope=scope,
            command=_WRITE,
            request_id=f"req_{number}",
            moment_ms=moment_ms,
            head=moment_ms << 16 | 0x7000 | number & 0xFFF,
            tail=number.to_bytes(8, "big"),
        )
        try:
            await writer.submit(submission)
        except FastpayError:
            failed += 1
        else:
            if begun >= _WARM_UP_S:
                latencies.append(loop.time() - begun)

    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            await asyncio.sleep(chance.expovariate(rate))
            if loop.time() > seconds:
                break
            (scope,) = chance.choices(scopes, shares)
            writer = writers[scopes.index(scope) % instances] if homes else chance.choice(writers)
            group.create_task(write(writer, scope, number))
    for writer in writers:
        await writer.close()
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
    return Found(
        answered=len(latencies),
        failed=failed,
        p50_ms=p50,
        p99_ms=p99,
        transactions=database.transactions,
        in_vain=database.in_vain,
    )


@click.command()
@click.option("--instances", default=7, show_default=True)
@click.option("--merchants", type=Several(int), default="1,10,200", show_default=True)
@click.option("--rates", type=Several(float), default="1000,2500", show_default=True, help="Writes a second.")
@click.option("--homes", is_flag=True, help="Each merchant has one instance.")
@click.option("--cpu-ms", default=0.0, show_default=True, help="Processor time of a transaction.")
def main(
    instances: int, merchants: tuple[int, ...], rates: tuple[float, ...], homes: bool, cpu_ms: float
) -> None:
    """Show what taking turns costs."""
    table = Table(title=f"{instances} instances, {'with' if homes else 'without'} homes, in virtual time")
    for column in ("merchants", "writes/s", "p50 ms", "p99 ms", "failed", "transactions", "in vain"):
        table.add_column(column, justify="right")
    for count in merchants:
        for rate in rates:
            found = run(instances=instances, merchants=count, rate=rate, homes=homes, cpu_ms=cpu_ms)
            figures = (f"{count:,}", f"{rate:,.0f}", f"{found.p50_ms:.1f}", f"{found.p99_ms:.1f}")
            counts = (found.failed, found.transactions, found.in_vain)
            table.add_row(*figures, *(f"{one:,}" for one in counts))
    Console(width=WIDTH).print(table)


if __name__ == "__main__":
    main()
