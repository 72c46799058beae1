"""Brings one batch to the database, by as many attempts as it takes, and tells what came of it.

An undecided batch is decided under the lock. A decided batch takes the first row that applies:

    what happens                             results                       the working set
    ---------------------------------------  ----------------------------  -----------------------
    it writes nothing, its books are as was  as decided, no transaction    stays
    its books are as they were               as decided, committed         stays
    a book differs, is held (OutdatedBatch)  decided anew under the lock   void, next batches locked
    a key is not new (RefusedBatch)          decided anew under the lock   void, keys are looked up
    the database refuses it (RefusedBatch)   each command by itself        void
    the connection fails (TransientFailure)  next attempt, at last 503     stays, void at last
    the clocks disagree (WrongMoment)        503 for all                   void
    nobody can tell (UnknownOutcome)         503 for all, may be done      void

Under the lock, the commands of tenants whose book another transaction holds leave the batch: nothing of them
is begun, and the writer parks their tenants (see `lanes.py`). The other commands are decided and committed.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.failures import OutdatedBatch, RefusedBatch, TransientFailure, UnknownOutcome, WrongMoment
from fastpay.engine.write.batch import Batch, DecidedBatch, ParkedBatch, Result
from fastpay.engine.write.decider import UNREACHABLE
from fastpay.engine.write.prefetch import Prefetch, back_off
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.transactions import Transactions
from fastpay.errors import ClockSkewed, DatabaseUnavailable
from fastpay.observability import telemetry, traces

_log = telemetry.Log("fastpay.writer")

# The constraint that refuses a second first answer to a key.
_KEY_IS_TAKEN = "idempotency_pkey"
_trace_of = attrgetter("submission.trace")
_SKEWED = "The time of this request is not the database's. Nothing was done. Try again."


class Committed(msgspec.Struct, frozen=True):
    """What came of a batch.

    `written` are the batches that are on disk, as they were decided. With `is_void`, everything that was
    decided on top of this batch must be decided again, and `locked_batches` more under the lock. The commands
    that are `left` have no result, and are no longer in the batch.
    """

    results: Sequence[Result]
    written: Sequence[DecidedBatch] = ()
    is_void: bool = False
    locked_batches: int = 0
    left: Sequence[QueuedSubmission] = ()


class Committer:
    """Commits one batch at a time. `failed` is told of each failure that may pass."""

    def __init__(
        self,
        transactions: Transactions,
        prefetch: Prefetch,
        clock: Clock,
        failed: Callable[[TransientFailure], None],
    ) -> None:
        self._transactions = transactions
        self._prefetch = prefetch
        self._clock = clock
        self._failed = failed
        # When the batch that is at the database must have been answered.
        self._commit_by_ns = 0

    async def commit(self, batch: Batch) -> Committed:
        """Commit a batch, within `commit_timeout_ms` (and `resolve_timeout_ms` after a lost commit)."""
        self._commit_by_ns = self._clock.monotonic_ns() + limits.commit_timeout_ms * 1_000_000
        try:
            with traces.batch_span(len(batch.entries), map(_trace_of, batch.entries)):
                return await self._carry_out(batch)
        except WrongMoment:
            _log.warning("batch_refused", commands=len(batch))
            return _failed(batch, ClockSkewed(_SKEWED))
        except UnknownOutcome as failure:
            _log.warning("batch_outcome_lost", commands=len(batch))
            return Committed([entry.unknown(failure) for entry in batch.entries], is_void=True)
        except DatabaseUnavailable as error:
            return _failed(batch, error)
        except Exception as error:  # noqa: BLE001  a fault in one batch must not stop the writer
            _log.exception("batch_failed", commands=len(batch))
            return _failed(batch, error)

    async def encode(self, batch: DecidedBatch) -> None:
        """Encode what a batch writes, while the one before it is at the database."""
        try:
            await self._transactions.encode(batch)
        except Exception:  # noqa: BLE001  it is raised again at the database, where it fails this batch alone
            batch.refuse_encoding()

    async def _carry_out(self, batch: Batch) -> Committed:
        """Attempt the batch again after failures that may pass. Raises: DatabaseUnavailable at last."""
        for attempt in range(1, limits.commit_attempts_max + 1):
            try:
                return await self._attempt(batch)
            except TransientFailure as failure:
                if failure.kind == "contention" and isinstance(batch, ParkedBatch):
                    left, batch.entries = batch.entries, []
                    return Committed([], left=left)
                self._failed(failure)
                if failure.kind == "contention":
                    _log.warning("batch_retried", attempt=attempt, sqlstate=failure.sqlstate)
                if attempt == limits.commit_attempts_max or self._left_ms() <= 0:
                    raise DatabaseUnavailable(UNREACHABLE) from failure
                await back_off(self._clock, attempt)
        raise AssertionError("unreachable")

    async def _attempt(self, batch: Batch) -> Committed:
        locked_batches = 0
        try:
            if isinstance(batch, DecidedBatch) and batch.is_sound:
                try:
                    if await self._write_ahead(batch):
                        batch.report_faults()
                        return Committed(batch.results, (batch,))
                except OutdatedBatch:
                    # Another instance serves the same tenant, and is likely to write again soon.
                    locked_batches = limits.locked_batches
                except RefusedBatch as refusal:
                    if refusal.constraint != _KEY_IS_TAKEN:
                        raise
                    # The key was used before, or another instance kept a refusal under it just now. That
                    # moves no sequence, so comparing the books did not show it.
                    self._prefetch.doubt_keys()
            written = await self._transactions.write_locked(batch, timeout_ms=self._left_ms())
        except RefusedBatch as refusal:
            _log.warning("batch_isolated", sqlstate=refusal.sqlstate, commands=len(batch))
            written = await self._transactions.write_apart(batch, timeout_ms=self._left_ms())
        batch.entries = written.entries
        return Committed(
            written.results,
            written.batches,
            # What was decided ahead was decided in vain, and so was everything on top of it.
            is_void=isinstance(batch, DecidedBatch),
            locked_batches=limits.locked_batches if written.left else locked_batches,
            left=written.left,
        )

    async def _write_ahead(self, batch: DecidedBatch) -> bool:
        """Commit a decided batch, or compare its books if it writes nothing. Tell whether it is valid."""
        if not batch.changes:
            return await self._transactions.holds(batch, timeout_ms=self._left_ms())
        await self._transactions.write_ahead(batch, timeout_ms=self._left_ms())
        return True

    def _left_ms(self) -> float:
        """Return how long the batch at the database may still take."""
        return (self._commit_by_ns - self._clock.monotonic_ns()) / 1_000_000


def _failed(batch: Batch, error: Exception) -> Committed:
    return Committed([error] * len(batch), is_void=True)
