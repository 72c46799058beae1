"""The write path: every change of state goes through here, in batches.

Requests become submissions and wait on a future. For each batch:

    prefetch   what the commands need and the working set does not hold yet is loaded beside the batch that is
               at the database: books, objects, accounts, following references some rounds, and idempotency
               rows while keys are doubted (see `engine/prefetch.py`)
    execute    the domain runs the commands one after another on the working set: no await, no race. The next
               batch stands on the one before, although that is not committed yet
    commit     in one transaction, by one statement, the books are locked, in order, and held against those
               that the batch was decided on, and the net effect is written; and only after COMMIT do the
               futures resolve, when the next batch is on its way

Whatever changes anything of a tenant moves the sequence in its book on, and nobody does so without the lock.
So a book that stands as it was expected to proves that everything the batch was decided on still holds. Where
it does not (another instance was faster), nothing is written, the batch is decided anew under the lock, and
for a while no batch is decided ahead. Whatever fails voids the working set and all that was decided on
top of it.

A batch is closed when the database is free for it and nobody else is coming: an idle system commits a batch
of one at once, a busy one waits for the clients that it has just answered, for half of what a commit takes at
most.
"""

import asyncio
from collections.abc import Sequence

from fastpay import limits, telemetry
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.batch import Batch, Result, check_moments, decide_apart, decide_locked, unknown_outcome
from fastpay.engine.failures import OutdatedBatch, RefusedBatch, TransientFailure, UnknownOutcome, WrongMoment
from fastpay.engine.ports import BatchTransaction, CommitObserver, Encoded, Outcome, Submission, WriterStore
from fastpay.engine.prefetch import Prefetch, back_off
from fastpay.engine.queue import FairQueue, Waiting, note_times, wait
from fastpay.engine.working_set import WorkingSet
from fastpay.errors import ClockSkewed, DatabaseUnavailable, DeadlineExceeded, Overloaded

_log = telemetry.Log("fastpay.writer")

# The constraint that refuses a second first answer to a key.
_KEY_IS_TAKEN = "idempotency_pkey"
_OVERLOADED = "Too many requests are waiting. Try again in a moment."
_UNREACHABLE = "The database cannot be reached right now. Try again."
_SKEWED = "The time of this request is not the database's. Nothing was done. Try again."


class Writer:
    """Takes submissions, commits them in batches, and answers each when its batch is on disk."""

    def __init__(
        self,
        store: WriterStore,
        *,
        clock: Clock,
        batch_commands_max: int = limits.batch_commands_max,
        observer: CommitObserver | None = None,
    ) -> None:
        self._store = store
        self._observer = observer
        self._batch_commands_max = batch_commands_max
        self._clock = clock
        self._queue = FairQueue()
        self._working_set = WorkingSet()
        self._prefetch = Prefetch(store, clock)
        # What is being loaded, the batch that is being put together, and the one that is at the database.
        self._loading: list[Waiting] = []
        self._open = Batch()
        self._committing: Batch | None = None
        # How many batches more are decided under the lock, since another instance was met.
        self._locked_left = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._commit_task: asyncio.Task[None] | None = None
        self._closing = False
        # Of the last batch: how many it answered, how long it took, and when the database became free.
        self._answered = 0
        self._commit_ns = 0
        self._free_since_ns = 0

    def start(self) -> None:
        """Begin to take batches. Those who were waiting when we were started are about to retry."""
        self._prefetch.doubt_keys()
        self._task = asyncio.create_task(self._run(), name="writer")

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def admit(self, scope: Scope, weight: int = 1) -> None:
        """Return when a command of this tenant would be taken in now. Raises: Overloaded."""
        has_no_place = self._is_full(weight) and self._queue.heaviest_line(scope, weight) is None
        if self._closing or has_no_place or self._expected_wait_ns() > limits.queue_wait_ms_max * 1_000_000:
            raise Overloaded(_OVERLOADED)

    async def submit(self, submission: Submission) -> Outcome:
        """Wait until the command was committed, or refused by the domain, and return what came of it.

        A caller that is cancelled meanwhile takes nothing back. Raises: Overloaded and DeadlineExceeded
        before anything was begun; DatabaseUnavailable when nothing is known to have been done.
        """
        waiting = wait(submission)
        self.admit(submission.scope, waiting.weight)
        while self._is_full(waiting.weight):
            # Whoever has the most in line gives way to a tenant that has less than its share.
            heaviest = self._queue.heaviest_line(submission.scope, waiting.weight)
            if heaviest is None:
                raise Overloaded(_OVERLOADED)
            self._queue.drop_youngest(heaviest).fail(Overloaded(_OVERLOADED))
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.future

    def _is_full(self, weight: int) -> bool:
        too_many = len(self._queue) >= limits.queued_commands_max
        return too_many or self._queue.weight + weight > limits.queued_weight_max

    async def _run(self) -> None:
        while True:
            if self._is_due():
                self._begin_commit()
                # So that it is on its way before anything more is decided, which may need no wait at all.
                await asyncio.sleep(0)
            elif self._may_take():
                await self._take()
            elif len(self._open) and self._committing is None:
                if not await self._others_come():
                    self._begin_commit()
            elif self._closing and self._committing is None and not len(self._queue):
                return
            else:
                await self._wait()

    async def _wait(self) -> None:
        self._wake.clear()
        await self._wake.wait()

    def _may_take(self) -> bool:
        """Tell whether waiting commands may join the open batch now."""
        if not len(self._queue) or self._is_open_full():
            return False
        if self._locked_left:
            return not len(self._open) or not self._open.is_decided
        # Nothing is decided on top of what is only decided at the database.
        if self._committing is not None and not self._committing.is_decided:
            return False
        return not len(self._open) or self._open.is_decided

    def _is_open_full(self) -> bool:
        """Tell whether the open batch has no room for the command whose turn it is."""
        if len(self._open) >= self._batch_commands_max:
            return True
        # The first is taken whatever it weighs.
        room = limits.batch_weight_max - self._open.weight
        return len(self._open) > 0 and len(self._queue) > 0 and not self._queue.fits(room)

    async def _take(self) -> None:
        """Move commands from the queue into the open batch, decided unless that has to wait for the lock."""
        room = self._batch_commands_max - len(self._open)
        taken = self._queue.take(
            min(room, limits.decided_at_once_max),
            weight=limits.batch_weight_max - self._open.weight,
            at_least_one=not len(self._open),
        )
        entries = self._in_time(taken)
        if self._locked_left:
            if not len(self._open):
                self._open = Batch(is_decided=False)
            for entry in entries:
                self._open.add(entry)
            return
        if self._working_set.is_full:
            if len(self._open) or self._committing is not None:
                # What is on its way cannot be loaded again yet: let it arrive first.
                self._queue.put_back(entries)
                await self._drain()
                return
            self._working_set.shrink()
        self._loading, working_set = entries, self._working_set
        failure: Exception | None = None
        trusts_keys = self._prefetch.trusts_keys
        try:
            await self._prefetch.load(working_set, entries, with_keys=not trusts_keys)
        except Exception as error:  # noqa: BLE001  whatever it is, it is looked at below
            failure = error
        if working_set is not self._working_set:
            # Something failed meanwhile, took with it what was loaded, and put these back with the rest.
            return
        if failure is None or isinstance(failure, TransientFailure):
            self._loading = []
            self._open.trusts_keys |= trusts_keys
            for entry in self._in_time(entries):
                if failure is None:
                    self._open.decide(working_set, entry)
                else:
                    entry.fail(DatabaseUnavailable(_UNREACHABLE))
        else:
            # Who is to blame is found out one by one, under the lock.
            _log.warning("prefetch_refused", reason=type(failure).__name__, commands=len(entries))
            self._start_over(locked_batches=1)

    def _in_time(self, entries: Sequence[Waiting]) -> list[Waiting]:
        """Return those that somebody still waits for; tell the others that their time is over."""
        now_ns = self._clock.monotonic_ns()
        live = []
        for entry in entries:
            deadline_ns = entry.submission.deadline_ns
            if deadline_ns is not None and deadline_ns <= now_ns:
                entry.fail(
                    DeadlineExceeded("The time that the request allowed was over. Nothing was changed.")
                )
            else:
                live.append(entry)
        return live

    async def _drain(self) -> None:
        """Commit all that is decided."""
        while len(self._open) or self._committing is not None:
            if self._committing is None:
                self._begin_commit()
            await self._wait()

    def _is_due(self) -> bool:
        """Tell whether the open batch is to go now, whoever else may be waiting or coming."""
        if not len(self._open) or self._committing is not None:
            return False
        is_enough = 4 * len(self._open) >= 3 * self._answered
        return is_enough or self._is_open_full() or self._patience_ns() <= 0

    async def _others_come(self) -> bool:
        """Wait for those that were just answered and are about to come again; tell whether somebody came."""
        try:
            async with asyncio.timeout(min(self._patience_ns(), limits.gather_gap_us * 1000) / 1e9):
                await self._wait()
        except TimeoutError:
            # On a busy loop both can be true at once.
            return len(self._queue) > 0
        return True

    def _patience_ns(self) -> int:
        """Return for how long the free database may still wait for more to do."""
        patience_ns = min(self._commit_ns // 2, limits.gather_us_max * 1000)
        return self._free_since_ns + patience_ns - self._clock.monotonic_ns()

    def _begin_commit(self) -> None:
        batch, self._open = self._open, Batch()
        if not batch.is_decided:
            self._locked_left -= 1
            batch.keep(self._in_time(batch.entries))
            if not len(batch):
                return
        self._committing = batch
        self._commit_task = asyncio.create_task(self._commit(self._committing), name="commit")

    async def _commit(self, batch: Batch) -> None:
        begun_ns = self._clock.monotonic_ns()
        try:
            with telemetry.batch_span(len(batch), links=[entry.submission.trace for entry in batch.entries]):
                results = await self._carry_out(batch)
        except Exception as error:  # noqa: BLE001  the writer must outlive whatever one batch does to it
            if isinstance(error, DatabaseUnavailable):
                _log.warning("batch_unavailable", commands=len(batch), reason=error.message)
            else:
                _log.exception("batch_failed", commands=len(batch))
            self._start_over()
            results = [error] * len(batch)
        self._committing = None
        self._free_since_ns = self._clock.monotonic_ns()
        self._commit_ns = self._free_since_ns - begun_ns
        note_times(batch.entries, begun_ns, self._free_since_ns)
        self._answered = len(batch)
        self._wake.set()
        # A turn later: the next batch goes to the database first, and is on its way while these are answered.
        asyncio.get_running_loop().call_soon(batch.answer, results)

    async def _carry_out(self, batch: Batch) -> Sequence[Result]:
        """Return what came of each command. Raises: DatabaseUnavailable."""
        for attempt in range(1, limits.commit_attempts_max + 1):
            try:
                return await self._attempt(batch)
            except TransientFailure as failure:
                _log.warning("batch_retried", attempt=attempt, sqlstate=failure.sqlstate)
                if attempt == limits.commit_attempts_max:
                    raise DatabaseUnavailable(_UNREACHABLE) from failure
                await back_off(self._clock, attempt)
            except WrongMoment:
                _log.warning("batch_of_wrong_time", commands=len(batch))
                self._start_over()
                return [ClockSkewed(_SKEWED)] * len(batch)
            except UnknownOutcome as failure:
                _log.warning("batch_outcome_unknown", commands=len(batch))
                self._start_over()
                return [unknown_outcome(entry.submission, failure) for entry in batch.entries]
        raise AssertionError("unreachable")

    async def _attempt(self, batch: Batch) -> Sequence[Result]:
        changes = batch.changes()
        is_sound = batch.is_decided and batch.is_sound
        if is_sound and changes is None and await self._holds(batch):
            batch.report_faults()
            return batch.results
        locked_batches = 0
        try:
            if is_sound and changes is not None:
                try:
                    await self._write_ahead(batch, self._store.encode(changes))
                except OutdatedBatch:
                    # Another instance serves the same tenant, and will come again.
                    locked_batches = limits.locked_batches
                except RefusedBatch as refusal:
                    # A key that was taken for new and is not; or a refusal that another instance kept under
                    # the same key just now, which moves no sequence.
                    if refusal.constraint != _KEY_IS_TAKEN:
                        raise
                    self._prefetch.doubt_keys()
                else:
                    batch.report_faults()
                    self._tell([batch])
                    return batch.results
            done: list[Batch] = []

            async def decide_and_write(transaction: BatchTransaction) -> None:
                done[:] = [await decide_locked(transaction, batch.entries)]

            await self._store.run_batch(decide_and_write)
        except RefusedBatch as refusal:
            _log.warning("batch_isolated", sqlstate=refusal.sqlstate, commands=len(batch))
            results = await self._one_by_one(batch)
            self._start_over()
            return results
        if batch.is_decided:
            # In vain, and so was what was decided on top of it.
            self._start_over(locked_batches=locked_batches)
        self._tell(done)
        return done[0].results

    async def _write_ahead(self, batch: Batch, encoded: Encoded) -> None:
        """Commit what was decided ahead. Raises: OutdatedBatch where it fails, WrongMoment, RefusedBatch."""

        async def write(transaction: BatchTransaction) -> None:
            await transaction.write_ahead(batch.found, encoded)
            check_moments(batch.entries, transaction)

        await self._store.run_batch(write, goes_on=lambda: self._open.changes_something)

    async def _holds(self, batch: Batch) -> bool:
        """Tell whether a batch that writes nothing is right in all that it says. Raises: WrongMoment."""
        if not batch.asks:
            # Replays of what was committed: that holds for ever.
            return True
        try:
            async with self._store.loading() as loader:
                books = await loader.load_books(batch.asks)
                # A refusal may follow from the time, and is answered although nothing is written.
                check_moments(batch.entries, loader)
                return batch.stands_on(books)
        except RefusedBatch:
            return False

    async def _one_by_one(self, batch: Batch) -> list[Result]:
        """Decide each command under the lock and keep its failure to itself."""
        results: list[Result] = []
        done: list[Batch] = []

        async def work(transaction: BatchTransaction) -> None:
            results[:], done[:] = await decide_apart(transaction, batch)

        await self._store.run_batch(work)
        self._tell(done)
        return results

    def _tell(self, done: Sequence[Batch]) -> None:
        """Let those know who keep something of it that this is on disk now."""
        for batch in done:
            self._working_set.arrived(batch.rows)
        if self._observer is None:
            return
        try:
            self._observer.committed([commit for batch in done for commit in batch.commits()])
        except Exception:  # noqa: BLE001  what is on disk is answered, whoever could not hear of it
            _log.exception("observer_failed")

    def _start_over(self, *, locked_batches: int = 0) -> None:
        """Forget what is known, and have decided anew what was decided on top of it."""
        self._working_set = WorkingSet()
        self._locked_left = max(self._locked_left, locked_batches)
        self._queue.put_back([*self._open.entries, *self._loading])
        self._open, self._loading = Batch(), []
        self._wake.set()

    def _expected_wait_ns(self) -> int:
        """Return how long a command that comes now will wait, going by the last batch."""
        batches = max(
            len(self._queue) // self._batch_commands_max, self._queue.weight // limits.batch_weight_max
        )
        return batches * self._commit_ns
