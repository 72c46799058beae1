"""The transactions that a batch may be written in, and what is done inside of each."""

from collections.abc import Callable

from fastpay.engine.ports import BatchTransaction, Encoded, WriterStore
from fastpay.engine.write.batch import Batch, Result, check_moments, decide_apart, decide_locked


async def write_ahead(
    store: WriterStore, batch: Batch, encoded: Encoded, *, goes_on: Callable[[], bool], timeout_ms: float
) -> None:
    """Commit what was decided ahead. Raises: OutdatedBatch where it fails, WrongMoment, RefusedBatch."""

    async def write(transaction: BatchTransaction) -> None:
        await transaction.write_ahead(batch.found, encoded)
        check_moments(batch.entries, transaction)

    await store.run_batch(write, goes_on=goes_on, timeout_ms=timeout_ms)


async def write_locked(store: WriterStore, batch: Batch, *, timeout_ms: float) -> Batch:
    """Decide a batch under the lock and commit it; return it as it was decided there."""
    done: list[Batch] = []

    async def decide_and_write(transaction: BatchTransaction) -> None:
        done[:] = [await decide_locked(transaction, batch.entries)]

    await store.run_batch(decide_and_write, timeout_ms=timeout_ms)
    return done[0]


async def write_apart(
    store: WriterStore, batch: Batch, *, timeout_ms: float
) -> tuple[list[Result], list[Batch]]:
    """Decide each command under the lock and keep its failure to itself; return what was written, too."""
    results: list[Result] = []
    done: list[Batch] = []

    async def work(transaction: BatchTransaction) -> None:
        results[:], done[:] = await decide_apart(transaction, batch)

    await store.run_batch(work, timeout_ms=timeout_ms)
    return results, done
