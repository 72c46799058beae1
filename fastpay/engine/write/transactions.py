"""The transactions that write a batch, and what is done inside each of them."""

import asyncio
from collections.abc import Sequence

import msgspec

from fastpay import limits
from fastpay.domain.plan import Book
from fastpay.engine.background import Background
from fastpay.engine.failures import RefusedBatch, TransientFailure, WrongMoment
from fastpay.engine.write.batch import Batch, DecidedBatch, ParkedBatch, Result
from fastpay.engine.write.ports import BatchTransaction, Encoded, Loader, TakenBooks, WriterStore
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")


class Written(msgspec.Struct, frozen=True):
    """What a transaction under the lock has committed.

    `results` are in the order of `entries`, and `batches` are what is on disk. Of the commands that are
    `left` nothing was begun: another transaction holds the books of their tenants.
    """

    entries: list[QueuedSubmission]
    results: Sequence[Result]
    batches: Sequence[DecidedBatch]
    left: Sequence[QueuedSubmission] = ()


class Transactions:
    """Commits batches, each in one transaction of the store."""

    def __init__(self, store: WriterStore, background: Background) -> None:
        self._store = store
        self._background = background

    async def holds(self, batch: DecidedBatch, *, timeout_ms: float) -> bool:
        """Tell whether the results of a batch that writes nothing are still right.

        Raises: TransientFailure, WrongMoment.
        """
        decided_on = {book.scope: book for book in batch.found}
        if not decided_on:
            # Replays only: a first answer never changes.
            return True
        try:
            async with asyncio.timeout(timeout_ms / 1000), self._store.loading() as loader:
                books = await loader.load_books(list(decided_on))
                # A refusal may follow from the time, and is answered although nothing is written.
                check_moments(batch.entries, loader)
        except RefusedBatch:
            return False
        except TimeoutError as error:
            raise TransientFailure("08000", reason="no answer in time") from error
        return {book.scope: book for book in books} == decided_on

    async def encode(self, batch: DecidedBatch) -> Encoded:
        """Return what a decided batch sends, and keep it there until a command is added.

        While two tenants are active, a batch with a heavy command is written by short statements. Plain
        commands of many tenants are not: they would give way to each other. Raises: RefusedBatch.
        """
        gives_way = self._background.is_contended() and batch.is_heavy
        rows_max = limits.transfers_a_statement_max if gives_way else None
        if batch.encoded is not None and batch.encoded[0] == rows_max:
            return batch.encoded[1]
        commands = len(batch.entries)
        scope = batch.entries[0].submission.scope
        encoded = await self._background.run(scope, self._store.encode(batch.changes, rows_max))
        if len(batch.entries) == commands:
            batch.encoded = (rows_max, encoded)
        return encoded

    async def write_ahead(self, batch: DecidedBatch, *, timeout_ms: float) -> None:
        """Commit what was decided ahead. Raises: OutdatedBatch, WrongMoment, RefusedBatch.

        A batch that is written by several statements gives way between them.
        """
        background, scope = self._background, batch.entries[0].submission.scope
        encoded = await self.encode(batch)
        moments = allowed_moments(batch.entries)
        if not encoded.rest:
            await self._store.write_decided(batch.found, encoded, moments, timeout_ms=timeout_ms)
            return

        async def write(transaction: BatchTransaction) -> None:
            begun_ns = background.now_ns()
            await transaction.write_ahead(batch.found, encoded, moments)
            for part in encoded.rest:
                await background.give_way(scope, begun_ns)
                begun_ns = background.now_ns()
                await transaction.write_more(part)
            # COMMIT flushes all of it, and other commits wait for that.
            await background.give_way(scope, begun_ns)

        await self._store.run_batch(write, timeout_ms=timeout_ms)

    async def write_locked(self, batch: Batch, *, timeout_ms: float) -> Written:
        """Decide commands under the lock and commit them. Raises: WrongMoment, RefusedBatch."""
        done: list[Written] = []

        async def decide_and_write(transaction: BatchTransaction) -> None:
            taken = await _take_books(transaction, batch)
            entries = batch.begin(taken.busy)
            check_moments(entries, transaction)
            decided = await decide_locked(transaction, entries, taken.books, self._background)
            done[:] = [Written(entries, decided.results, [decided], _left(batch, taken))]

        await self._store.run_batch(decide_and_write, timeout_ms=timeout_ms)
        return done[0]

    async def write_apart(self, batch: Batch, *, timeout_ms: float) -> Written:
        """Decide and write each command by itself, so that it fails alone."""
        done: list[Written] = []

        async def work(transaction: BatchTransaction) -> None:
            # All books at once: locking them one command at a time could deadlock with another instance.
            taken = await _take_books(transaction, batch)
            entries = batch.begin(taken.busy)
            results, decided = await decide_apart(transaction, entries, self._background)
            done[:] = [Written(entries, results, decided, _left(batch, taken))]

        await self._store.run_batch(work, timeout_ms=timeout_ms)
        return done[0]


def check_moments(entries: Sequence[QueuedSubmission], loader: Loader) -> None:
    """Compare the moments of commands with the database's clock, before anything is committed or answered.

    Raises: WrongMoment.
    """
    if loader.moment_ms is None or not entries:
        return
    first_ms, last_ms = allowed_moments(entries)
    if not first_ms <= loader.moment_ms <= last_ms:
        raise WrongMoment


def allowed_moments(entries: Sequence[QueuedSubmission]) -> tuple[int, int]:
    """Return the first and the last moment at which these commands may be committed, by the database's clock.

    The moment of a command may be as old as a command may wait. It is older if the process or its machine was
    stopped, and ahead if the database's clock went back.
    """
    first_ms = last_ms = entries[0].submission.moment_ms
    # Calls of min and max take 800 instructions each.
    for entry in entries:
        moment_ms = entry.submission.moment_ms
        if moment_ms > last_ms:
            last_ms = moment_ms
        elif moment_ms < first_ms:
            first_ms = moment_ms
    return last_ms - limits.clock_skew_ms_max, first_ms + limits.creation_ms_max


async def decide_locked(
    transaction: BatchTransaction,
    entries: Sequence[QueuedSubmission],
    books: Sequence[Book],
    background: Background,
) -> DecidedBatch:
    """Load, decide and write on books that are locked. Results are in the order of `entries`."""
    # A working set of its own: everything in it was read under the lock.
    working_set = WorkingSet()
    working_set.open(books)
    await working_set.load(transaction, entries)
    batch = DecidedBatch()
    for entry in entries:
        if entry.weight <= limits.plain_weight_max:
            batch.decide(working_set, entry)
        else:
            await batch.decide_in_steps(working_set, entry, background)
    batch.report_faults()
    if batch.changes:
        await transaction.write(batch.changes)
    return batch


async def decide_apart(
    transaction: BatchTransaction, entries: Sequence[QueuedSubmission], background: Background
) -> tuple[list[Result], list[DecidedBatch]]:
    """Decide and write each command by itself, under one lock. Return the results, and what was written.

    A command that the database refuses is undone by its savepoint, and fails alone.
    """
    results: list[Result] = []
    done: list[DecidedBatch] = []
    check_moments(entries, transaction)
    for entry in entries:
        try:
            async with transaction.savepoint():
                # The lock is held already. This reads the book as the command before left it.
                books = await transaction.lock_books([entry.submission.scope])
                decided = await decide_locked(transaction, [entry], books, background)
            done.append(decided)
            results.extend(decided.results)
        except RefusedBatch as refusal:
            _log.exception("command_refused", sqlstate=refusal.sqlstate, constraint=refusal.constraint or "")
            results.append(FastpayError("An internal error occurred. Nothing was changed."))
    return results, done


async def _take_books(transaction: BatchTransaction, batch: Batch) -> TakenBooks:
    """Lock the books of a batch that are free. A lane waits for one book, and holds no other meanwhile."""
    if not isinstance(batch, ParkedBatch) or batch.awaited is None:
        return await transaction.take_books(batch.scopes())
    books = await transaction.lock_books([batch.awaited])
    others = batch.widen()
    taken = await transaction.take_books(others) if others else TakenBooks([])
    return TakenBooks([*books, *taken.books], taken.busy)


def _left(batch: Batch, taken: TakenBooks) -> list[QueuedSubmission]:
    return [entry for entry in batch.entries if entry.submission.scope in taken.busy]
