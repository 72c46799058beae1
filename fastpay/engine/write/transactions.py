"""The transactions that a batch may be written in, and what is done inside of each."""

import asyncio
from collections.abc import Callable, Sequence

from fastpay import limits
from fastpay.engine.background import Background
from fastpay.engine.failures import RefusedBatch, TransientFailure, WrongMoment
from fastpay.engine.ports import Changes
from fastpay.engine.write.batch import Batch, Result
from fastpay.engine.write.ports import BatchTransaction, Loader, WriterStore
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")


class Transactions:
    """Commits batches, each in one transaction of the store."""

    def __init__(self, store: WriterStore, background: Background) -> None:
        self._store = store
        self.background = background

    async def write_ahead(
        self, batch: Batch, changes: Changes, *, goes_on: Callable[[], bool], timeout_ms: float
    ) -> None:
        """Commit what was decided ahead. Raises: OutdatedBatch where it fails, WrongMoment, RefusedBatch.

        While two tenants are active, a large batch is written by short statements and gives way between them.
        """
        background, scope = self.background, batch.entries[0].submission.scope
        rows_max = limits.transfers_a_statement_max if background.is_contended() else None
        encoded = await background.run(scope, self._store.encode(changes, rows_max))

        async def write(transaction: BatchTransaction) -> None:
            begun_ns = background.now_ns()
            await transaction.write_ahead(batch.found, encoded)
            check_moments(batch.entries, transaction)
            for part in encoded.rest:
                await background.give_way(scope, begun_ns)
                begun_ns = background.now_ns()
                await transaction.write_more(part)
            if encoded.rest:
                # COMMIT flushes all of it, and other commits wait for that.
                await background.give_way(scope, begun_ns)

        await self._store.run_batch(write, goes_on=goes_on, timeout_ms=timeout_ms)

    async def write_locked(self, batch: Batch, *, timeout_ms: float) -> Batch:
        """Decide a batch under the lock and commit it; return it as it was decided there."""
        done: list[Batch] = []

        async def decide_and_write(transaction: BatchTransaction) -> None:
            done[:] = [await decide_locked(transaction, batch.entries, self.background)]

        await self._store.run_batch(decide_and_write, timeout_ms=timeout_ms)
        return done[0]

    async def write_apart(self, batch: Batch, *, timeout_ms: float) -> tuple[list[Result], list[Batch]]:
        """Decide each command under the lock and keep its failure to itself; return what was written, too."""
        results: list[Result] = []
        done: list[Batch] = []

        async def work(transaction: BatchTransaction) -> None:
            results[:], done[:] = await decide_apart(transaction, batch, self.background)

        await self._store.run_batch(work, timeout_ms=timeout_ms)
        return results, done


def check_moments(entries: Sequence[QueuedSubmission], loader: Loader) -> None:
    """Compare the moments of commands with the database's clock, while nothing is committed or answered.

    A moment may be as old as a command may wait. It is older where the process, or its machine, was stopped,
    and ahead where the database's clock went back. Raises: WrongMoment.
    """
    if loader.moment_ms is None:
        return
    oldest_ms = loader.moment_ms - limits.creation_ms_max
    newest_ms = loader.moment_ms + limits.clock_skew_ms_max
    for entry in entries:
        if not oldest_ms <= entry.submission.moment_ms <= newest_ms:
            raise WrongMoment


async def decide_locked(
    transaction: BatchTransaction, entries: Sequence[QueuedSubmission], background: Background
) -> Batch:
    """Lock the books, load, decide and write in one transaction. Results are in the order of `entries`."""
    working_set = WorkingSet()
    working_set.open(await transaction.lock_books(sorted({entry.submission.scope for entry in entries})))
    check_moments(entries, transaction)
    await working_set.load(transaction, entries)
    batch = Batch()
    for entry in entries:
        if entry.weight <= limits.plain_weight_max:
            batch.decide(working_set, entry)
        else:
            await batch.decide_in_steps(working_set, entry, background)
    batch.report_faults()
    changes = batch.changes()
    if changes is not None:
        await transaction.write(changes)
    return batch


async def decide_apart(
    transaction: BatchTransaction, batch: Batch, background: Background
) -> tuple[list[Result], list[Batch]]:
    """Decide and write each command by itself, under one lock. Return the results, and what was written.

    What the database refuses of one is undone, and fails that one alone.
    """
    results: list[Result] = []
    done: list[Batch] = []
    await transaction.lock_books(batch.scopes)
    for entry in batch.entries:
        try:
            async with transaction.savepoint():
                decided = await decide_locked(transaction, [entry], background)
            done.append(decided)
            results.extend(decided.results)
        except RefusedBatch as refusal:
            _log.exception("command_refused", sqlstate=refusal.sqlstate, constraint=refusal.constraint or "")
            results.append(FastpayError("An internal error occurred. Nothing was changed."))
    return results, done


async def holds(store: WriterStore, batch: Batch, *, timeout_ms: float) -> bool:
    """Tell whether a batch that writes nothing is right in all that it says.

    Raises: TransientFailure, WrongMoment.
    """
    if not batch.asks:
        # Replays of what was committed: that holds for ever.
        return True
    try:
        async with asyncio.timeout(timeout_ms / 1000), store.loading() as loader:
            books = await loader.load_books(batch.asks)
            # A refusal may follow from the time, and is answered although nothing is written.
            check_moments(batch.entries, loader)
            return batch.stands_on(books)
    except RefusedBatch:
        return False
    except TimeoutError as error:
        raise TransientFailure("08000", reason="no answer in time") from error
