"""A writer's store in memory, which fails when it is told to; and submissions to feed a writer with."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.plan import Book, Command, Event, Versioned
from fastpay.domain.rules import Rules
from fastpay.engine.failures import BatchFailure, OutdatedBatch, RefusedBatch, TransientFailure, WrongMoment
from fastpay.engine.ports import Changes, IdempotencyRow, Submission
from fastpay.engine.write.ports import BatchWork, Encoded, TakenBooks
from tests.support.books import check_memory

TENANT = Scope("a" * 32, False)
OTHER_TENANT = Scope("b" * 32, False)
# Of both tenants. Payments cost something.
RULES = Rules(290, 30)
MOMENT_MS = 1_700_000_000_000


@dataclass
class State:
    """All that is committed."""

    books: dict[Scope, Book] = field(default_factory=dict)
    versions: list[tuple[Scope, Versioned]] = field(default_factory=list)
    accounts: dict[tuple[Scope, str], Account] = field(default_factory=dict)
    transfers: list[tuple[Scope, Transfer]] = field(default_factory=list)
    events: list[tuple[Scope, Event]] = field(default_factory=list)
    idempotency: dict[bytes, IdempotencyRow] = field(default_factory=dict)

    def copy(self) -> "State":
        """Return a state that can be changed without changing this one."""
        copies = {place.name: getattr(self, place.name).copy() for place in fields(self)}
        return replace(self, **copies)


class Kept(Encoded, frozen=True, kw_only=True):
    """Changes as memory takes them: as they are."""

    changes: Changes


class MemoryStore:
    """Satisfies `WriterStore`. Set `refuses` to make the database refuse what it is given.

    `failures` are raised, one for each batch, before its commit; `lost` instead of its answer, after it;
    `unreachable` instead of reading beside a batch. `held` are books that somebody else holds.
    While `gate` is not set, batches wait before they begin, and while `loads_gate` is not, so do reads.
    """

    def __init__(self, *scopes: Scope) -> None:
        books = {scope: Book(scope, 0, RULES) for scope in scopes or (TENANT, OTHER_TENANT)}
        self.state = State(books=books)
        self.failures: list[Exception] = []
        self.lost: list[Exception] = []
        self.unreachable: list[Exception] = []
        self.refuses: Callable[[Changes], bool] = lambda _: False
        self.sizes: list[int] = []
        self.batches = 0
        self.loads = 0
        self.held: set[Scope] = set()
        # How often a lane waited for a book in vain.
        self.waits = 0
        self.lock = asyncio.Lock()
        self.gate = asyncio.Event()
        self.gate.set()
        self.loads_gate = asyncio.Event()
        self.loads_gate.set()
        # The time that its clock shows while a batch is written, None for no matter when.
        self.moment_ms: int | None = None

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Kept]:
        """Return the changes."""
        yield from ()
        return Kept(changes=changes)

    def lane(self) -> "MemoryLane":
        """Return a way to the same state beside this one."""
        return MemoryLane(self)

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        """Write it as a batch of its own."""
        await self.run_batch(lambda one: one.write_ahead(books, encoded, moments), timeout_ms=timeout_ms)

    async def run_batch(self, work: BatchWork, *, timeout_ms: float = limits.commit_timeout_ms) -> None:
        """Run the work on a copy, and keep the copy."""
        self.batches += 1
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self.gate.wait()
        except TimeoutError as error:
            raise TransientFailure("08000") from error
        # One lock for all books: instances take turns.
        async with self.lock:
            await self.commit(MemoryTransaction(self), work)

    async def commit(self, transaction: "MemoryTransaction", work: BatchWork) -> None:
        """Run the work on the state of a transaction, and keep that."""
        try:
            await work(transaction)
        except BatchFailure:
            raise
        except Exception as error:
            raise RefusedBatch("XX000", None) from error
        if self.failures:
            raise self.failures.pop(0)
        self.state = transaction.state
        self.sizes.append(transaction.commands)
        if self.lost:
            raise self.lost.pop(0)

    @asynccontextmanager
    async def loading(self) -> AsyncIterator["MemoryTransaction"]:
        """Read what is committed."""
        self.loads += 1
        await self.loads_gate.wait()
        if self.unreachable:
            raise self.unreachable.pop(0)
        yield MemoryTransaction(self)


class MemoryLane(MemoryStore):
    """Another way to a store, whose transactions wait for books that somebody else holds."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store

    async def run_batch(self, work: BatchWork, *, timeout_ms: float = limits.commit_timeout_ms) -> None:
        """Run the work on a copy, and keep the copy."""
        transaction = WaitingTransaction(self._store)
        try:
            await self._store.commit(transaction, work)
        finally:
            transaction.end()


class MemoryTransaction:
    """Satisfies `BatchTransaction`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.state = store.state.copy()
        self.moment_ms = store.moment_ms
        self.commands = 0

    async def lock_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Return the books that exist."""
        await asyncio.sleep(0)
        return [self.state.books[scope] for scope in scopes if scope in self.state.books]

    async def take_books(self, scopes: Sequence[Scope]) -> TakenBooks:
        """Return the books that exist and that nobody else holds."""
        busy = self._store.held & self.state.books.keys() & set(scopes)
        return TakenBooks(await self.lock_books([one for one in scopes if one not in busy]), frozenset(busy))

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Return the books that exist."""
        await asyncio.sleep(0)
        return [self.state.books[scope] for scope in scopes if scope in self.state.books]

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        """Return the rows that exist."""
        rows = [self.state.idempotency.get(digest) for _, digest in digests]
        return [row for row in rows if row is not None]

    async def load_objects(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Versioned]]:
        """Return the latest versions."""
        latest = {(scope, written.object.id): written for scope, written in self.state.versions}
        return [(place[0], latest[place]) for place in wanted if place in latest]

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        """Return the accounts that exist."""
        accounts = self.state.accounts
        return [(place[0], accounts[place]) for place in wanted if place in accounts]

    async def write_ahead(self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int]) -> None:
        """Take over the changes where the books stand like this, at this time.

        Raises: OutdatedBatch, WrongMoment, RefusedBatch.
        """
        if self._store.held & {book.scope for book in books}:
            raise OutdatedBatch
        if await self.lock_books([book.scope for book in books]) != books:
            raise OutdatedBatch
        if self.moment_ms is not None and not moments[0] <= self.moment_ms <= moments[1]:
            raise WrongMoment
        assert isinstance(encoded, Kept)
        await self.write(encoded.changes)

    async def write_more(self, encoded: Encoded) -> None:
        """Take over nothing: `encode` leaves no rest."""
        raise NotImplementedError

    async def write(self, changes: Changes) -> None:
        """Take over the changes, under the constraints that matter. Raises: RefusedBatch."""
        if self._store.refuses(changes):
            raise RefusedBatch("23514", "a_test_refuses")
        state = self.state
        known = {(scope, written.object.id, written.version) for scope, written in state.versions}
        for scope, written in changes.versions:
            if (scope, written.object.id, written.version) in known:
                raise RefusedBatch("23505", "object_version_pkey")
        for row in changes.idempotency:
            if row.digest in state.idempotency:
                raise RefusedBatch("23505", "idempotency_pkey")
        self.commands += sum(bool(draft.events) for _, draft in changes.drafts)
        for scope, sequence in changes.sequences.items():
            state.books[scope] = msgspec.structs.replace(state.books[scope], sequence=sequence)
        state.versions += changes.versions
        state.accounts |= changes.accounts
        for submission, draft in changes.drafts:
            state.transfers += [(submission.scope, transfer) for transfer in draft.transfers]
            state.events += [(submission.scope, event) for event in draft.events]
        state.idempotency |= {row.digest: row for row in changes.idempotency}

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Go back to the state of before where the block fails."""
        before = self.state.copy()
        try:
            yield
        except BatchFailure:
            self.state = before
            raise
        except Exception as error:
            self.state = before
            raise RefusedBatch("XX000", None) from error


class WaitingTransaction(MemoryTransaction):
    """A transaction of a lane, which begins when its books are locked."""

    _is_locked = False

    async def lock_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Wait until nobody else holds these books, as long as a lane may. Raises: TransientFailure."""
        try:
            async with asyncio.timeout(limits.book_wait_ms / 1000):
                while self._store.held & set(scopes):  # noqa: ASYNC110  `held` is set by tests
                    await asyncio.sleep(0.001)
        except TimeoutError as error:
            self._store.waits += 1
            raise TransientFailure("55P03", kind="contention") from error
        await self._begin()
        return await super().lock_books(scopes)

    async def take_books(self, scopes: Sequence[Scope]) -> TakenBooks:
        """Return the books that exist and that nobody else holds."""
        await self._begin()
        return await super().take_books(scopes)

    async def _begin(self) -> None:
        if not self._is_locked:
            await self._store.lock.acquire()
            self._is_locked = True
            self.state = self._store.state.copy()

    def end(self) -> None:
        """Unlock what is locked."""
        if self._is_locked:
            self._store.lock.release()


_NUMBERS = itertools.count(1)


def submission(
    command: Command,
    *,
    scope: Scope = TENANT,
    key: str | None = None,
    fingerprint: bytes = b"same",
    number: int | None = None,
) -> Submission:
    """Return a submission with identifiers of its own."""
    number = next(_NUMBERS) if number is None else number
    moment_ms = MOMENT_MS + number
    return Submission(
        scope=scope,
        command=command,
        request_id=f"req_{number}",
        moment_ms=moment_ms,
        head=moment_ms << 16 | 7 << 12,
        tail=number.to_bytes(8, "big"),
        idempotency_key=key,
        fingerprint=fingerprint if key is not None else b"",
    )


def check_books(store: MemoryStore) -> None:
    """Hold the books of each tenant against themselves."""
    state = store.state
    for scope, book in state.books.items():
        check_memory(
            scope,
            accounts=[account for (owner, _), account in state.accounts.items() if owner == scope],
            transfers=[transfer for owner, transfer in state.transfers if owner == scope],
            events=[event for owner, event in state.events if owner == scope],
            versions=[written for owner, written in state.versions if owner == scope],
            sequence=book.sequence,
        )
