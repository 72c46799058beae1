"""An engine on a real database: writers, reads and tenants for a test, and what they wrote read back."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest

from benchmarks import samples
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Transfer, account_id
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Book, Command, Event, Versioned
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import CommitObserver, Outcome, Submission
from fastpay.engine.read.reader import Reader
from fastpay.engine.write.ports import Encoded
from fastpay.engine.write.writer import Writer
from fastpay.errors import DatabaseUnavailable
from fastpay.store import keys, rows
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import connected
from fastpay.store.copies import RedisCopies
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads
from tests.support.books import check_database
from tests.support.postgres_proxy import Proxy
from tests.support.world import PAY

CLOCK = SystemClock()


class OneConnection:
    """Lends the connection of a test, whoever asks."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @asynccontextmanager
    async def lend(self, *, until: float | None = None) -> AsyncIterator[Any]:
        """Lend it."""
        yield self._connection

    def unavailable(self, error: Exception) -> DatabaseUnavailable:
        """Say that it is not there."""
        return DatabaseUnavailable(str(error))


class Engine:
    """One instance: a writer and reads, on connections of their own."""

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        reads: PostgresReads,
        batches: PostgresBatches,
        pool: ReaderPool,
        scan_pool: ReaderPool,
        copies: RedisCopies | None,
    ) -> None:
        self.writer = writer
        self.reader = reader
        self.reads = reads
        self.batches = batches
        self.pool = pool
        self.scan_pool = scan_pool
        self._copies = copies
        self._identifiers = IdentifierFactory(CLOCK)

    @property
    def copies(self) -> RedisCopies:
        """The copies that this instance shares with others."""
        assert self._copies is not None
        return self._copies

    def submission(
        self, command: Command, scope: Scope, *, key: str | None = None, fingerprint: bytes = b"same"
    ) -> Submission:
        """Return a submission with fresh identifiers."""
        stamp = self._identifiers.stamp()
        return Submission(
            scope=scope,
            command=command,
            request_id=self._identifiers.request_id(),
            moment_ms=stamp.moment_ms,
            head=stamp.head,
            tail=stamp.tail,
            idempotency_key=key,
            fingerprint=b"" if key is None else fingerprint,
        )

    async def submit(self, command: Command, scope: Scope, *, key: str | None = None) -> Outcome:
        """Commit a command."""
        return await self.writer.submit(self.submission(command, scope, key=key))

    async def do(self, command: Command, scope: Scope) -> StoredObject:
        """Commit a command that must succeed and return what it answers with."""
        outcome = await self.submit(command, scope)
        assert outcome.answer.error is None
        assert outcome.answer.object_id is not None
        return outcome.objects[outcome.answer.object_id].object


@asynccontextmanager
async def engine(
    database_url: str,
    *,
    writer_url: str | None = None,
    session_state: bool = True,
    reader_connections_max: int = 2,
    staleness_ms: int = limits.read_staleness_ms,
    redis_url: str | None = None,
    announcer: CommitObserver | None = None,
) -> AsyncIterator[Engine]:
    """Run an instance for the block; `writer_url` where its writer takes another way to the database.

    With `redis_url` it shares copies with the others, once `copies` is open.
    """
    async with AsyncExitStack() as stack:
        settings = DatabaseSettings(url=writer_url or database_url, session_state=session_state)
        batches = PostgresBatches(settings)
        stack.push_async_callback(batches.close)
        read_from = DatabaseSettings(
            url=database_url, session_state=session_state, reader_connections_max=reader_connections_max
        )
        pool = ReaderPool(read_from)
        stack.push_async_callback(pool.close)
        scan_pool = ReaderPool(read_from, connections_max=limits.scan_connections_max)
        stack.push_async_callback(scan_pool.close)
        reads = PostgresReads(pool, scan_pool)
        copies = None
        if redis_url is not None:
            copies = RedisCopies(redis_url, clock=CLOCK, identify=reads.identify)
            copies.start()
            stack.push_async_callback(copies.close)
        reader = Reader(reads, clock=CLOCK, staleness_ms=staleness_ms, announcer=announcer, copies=copies)
        reader.start()
        stack.push_async_callback(reader.close)
        writer = Writer(batches, clock=CLOCK, observer=reader)
        writer.start()
        stack.push_async_callback(writer.close)
        yield Engine(writer, reader, reads, batches, pool, scan_pool, copies)


async def make_tenant(
    database_url: str, name: str = "shop", *, livemode: bool = False, may_overdraw: bool = True
) -> Scope:
    """Make a tenant and return its scope."""
    async with connected(database_url) as connection:
        rules = msgspec.structs.replace(samples.FEES, refunds_may_overdraw=may_overdraw)
        tenant_id: uuid.UUID = await keys.create_tenant(connection, name, clock=CLOCK, rules=rules)
    return Scope(tenant_id.hex, livemode)


async def read_versions(connection: Any, scope: Scope) -> list[Versioned]:
    """Return all versions of all objects of a tenant, in the order they were written."""
    found = await connection.fetch(
        "select * from object_version where tenant_id = $1 and livemode = $2 order by sequence, version",
        *scope,
    )
    return [rows.versioned(row) for row in found]


async def read_transfers(connection: Any, scope: Scope) -> list[Transfer]:
    """Return all transfers of a tenant, in the order they were made."""
    found = await connection.fetch(
        "select * from transfer where tenant_id = $1 and livemode = $2 order by sequence, transfer_id", *scope
    )
    return [rows.transfer(row) for row in found]


async def read_events(connection: Any, scope: Scope) -> list[Event]:
    """Return all events of a tenant in their order. Their objects' kinds come from the versions."""
    found = await connection.fetch(
        "select * from event where tenant_id = $1 and livemode = $2 order by sequence", *scope
    )
    names = {
        versioned.object.id[-32:]: versioned.object.id for versioned in await read_versions(connection, scope)
    }
    return [
        Event(
            "evt_" + row["event_id"].hex,
            row["type"],
            row["sequence"],
            names[row["object_id"].hex],
            row["version"],
        )
        for row in found
    ]


async def check_books(database_url: str, scope: Scope) -> int:
    """Find nothing wrong in a tenant's books, and return how far its sequence has come."""
    await check_database(database_url, scope)
    async with connected(database_url) as connection:
        own = "where tenant_id = $1 and livemode = $2"
        for row in await connection.fetch(f"select * from account {own}", *scope):
            account = rows.account(row)
            assert account.id == account_id(scope, account.currency, account.code)
        sequence: int = await connection.fetchval(f"select sequence from book {own}", *scope)
    async with engine(database_url) as instance:
        verification = await instance.reads.verify(scope)
        assert verification.problems == ()
    return sequence


async def read_objects(reads: PostgresReads, scope: Scope, identifiers: Sequence[str]) -> list[Versioned]:
    """Return the latest versions of the objects that exist."""
    reading = await reads.read_latest([(scope, identifier) for identifier in identifiers])
    return reading.objects


async def settle(instance: Engine, command: Command, scope: Scope, key: str) -> Outcome:
    """Send the command until it is answered, as a client with a key does."""
    for _ in range(20):
        try:
            return await instance.submit(command, scope, key=key)
        except DatabaseUnavailable:
            await asyncio.sleep(0.01)
    raise AssertionError("a command was refused again and again")


async def count(database_url: str, table: str) -> int:
    """Return how many rows a table has."""
    async with connected(database_url) as connection:
        found: int = await connection.fetchval(f"select count(*) from {table}")
    return found


def write_in_blocks(monkeypatch: pytest.MonkeyPatch, batches: PostgresBatches) -> None:
    """Write what was decided ahead in a block, as behind a pooler: the work can be held before COMMIT."""

    async def write_decided(
        books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], **options: Any
    ) -> None:
        await batches.run_batch(lambda one: one.write_ahead(books, encoded, moments), **options)

    monkeypatch.setattr(batches, "write_decided", write_decided)


async def record(proxy: Proxy, instance: Engine, scope: Scope) -> list[str]:
    """Return the messages that one payment takes once everything is warm."""
    for _ in range(2):
        proxy.arm()
        await instance.do(PAY, scope)
    return proxy.log
