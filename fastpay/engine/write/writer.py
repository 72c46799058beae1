"""The write path: every change of state goes through here, in batches.

Requests become submissions and wait on a future. For each batch:

    prefetch   what the commands need and the working set does not hold yet is loaded beside the batch that is
               at the database: books, objects, accounts, following references some rounds, and idempotency
               rows while keys are doubted (see `engine/write/prefetch.py`)
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

Everything has a deadline, whatever hangs at the database. What is not begun `begin_timeout_ms` after it came
is refused, and nothing was changed. What was begun is answered within `commit_timeout_ms`, and where COMMIT
was sent and not answered, `resolve_timeout_ms` after that.
"""

import asyncio
from collections.abc import Callable, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.background import Background
from fastpay.engine.failures import OutdatedBatch, RefusedBatch, TransientFailure, UnknownOutcome, WrongMoment
from fastpay.engine.ports import CommitObserver, Outcome, Submission
from fastpay.engine.write.batch import Batch, Result
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.ports import WriterStore
from fastpay.engine.write.prefetch import Prefetch, back_off
from fastpay.engine.write.queue import OVERLOADED, FairQueue
from fastpay.engine.write.queued import QueuedSubmission, drop_expired, make_entry, note_times
from fastpay.engine.write.transactions import Transactions, holds
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import ClockSkewed, DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

# The constraint that refuses a second first answer to a key.
_KEY_IS_TAKEN = "idempotency_pkey"
_UNREACHABLE = "The database cannot be reached right now. Try again."
_SKEWED = "The time of this request is not the database's. Nothing was done. Try again."


class Writer:
    """Takes submissions, commits them in batches, and answers each when its batch is on disk.

    `failed` hears of what kept a batch from being committed, and says in the log what there is to say.
    """

    def __init__(
        self,
        store: WriterStore,
        *,
        clock: Clock,
        batch_commands_max: int = limits.batch_commands_max,
        observer: CommitObserver | None = None,
        background: Background | None = None,
        failed: Callable[[TransientFailure], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._failed = failed
        self._observer = observer
        self._transactions = Transactions(store, background or Background())
        self._batch_commands_max = batch_commands_max
        self._clock = clock
        self._queue = FairQueue()
        self._working_set = WorkingSet()
        self._prefetch = Prefetch(store, clock, failed)
        # Called when `holds` may have become false.
        self.settled: Callable[[], None] = lambda: None
        self.batch_weight_max = limits.batch_weight_max
        # What is being loaded, the batch that is being put together, and the one that is at the database.
        self._loading: Sequence[QueuedSubmission] = []
        self._open = Batch()
        self._committing: Batch | None = None
        # How many batches more are decided under the lock, since another instance was met.
        self._locked_left = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._commit_task: asyncio.Task[None] | None = None
        self._closing = False
        self._pace = Pace(clock)
        # When the batch that is at the database must have been answered.
        self._commit_by_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to take batches. Those who were waiting when we were started are about to retry."""
        self._prefetch.doubt_keys()
        self._task = asyncio.create_task(self._run(), name="writer")
        self._keep_deadlines()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closing = True
        self._wake.set()
        try:
            if self._task is not None:
                await self._task
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def admit(self, scope: Scope, weight: int = 1) -> None:
        """Return when a command of this tenant would be taken in now. Raises: Overloaded."""
        if (
            self._closing
            or not self._queue.has_room(scope, weight)
            or self._expected_wait_ns(scope) > limits.queue_wait_ms_max * 1_000_000
        ):
            raise Overloaded(OVERLOADED)

    async def submit(self, submission: Submission) -> Outcome:
        """Wait until the command was committed, or refused by the domain, and return what came of it.

        A caller that is cancelled meanwhile takes nothing back. Raises: Overloaded and DeadlineExceeded
        before anything was begun; DatabaseUnavailable when nothing is known to have been done.
        """
        waiting = make_entry(submission, self._clock.monotonic_ns())
        self.admit(submission.scope, waiting.weight)
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.future

    def holds(self, scope: Scope) -> bool:
        """Tell whether a command of this tenant waits, is decided, or is at the database."""
        batches = (self._open, self._committing or self._open)
        is_loading = any(entry.submission.scope == scope for entry in self._loading)
        return scope in self._queue or is_loading or any(batch.concerns(scope) for batch in batches)

    def forget(self, scope: Scope) -> None:
        """Forget what is known of a tenant, whom another writer has served or will serve."""
        assert not self.holds(scope)
        self._working_set.workspaces.pop(scope, None)

    def pause(self, scope: Scope, *, paused: bool) -> None:
        """Let the commands of a tenant wait in line, or serve it again."""
        self._queue.pause(scope, paused=paused)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self.settled()
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
        if self._committing is None and not len(self._open) and not len(self._queue):
            # A busy period ends, and all debts with it.
            self._queue.reset()
        self._wake.clear()
        await self._wake.wait()

    def _may_take(self) -> bool:
        """Tell whether waiting commands may join the open batch now."""
        if not self._queue.is_ready or self._is_open_full():
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
        room = self.batch_weight_max - self._open.weight
        return len(self._open) > 0 and self._queue.is_ready and not self._queue.fits(room)

    async def _take(self) -> None:
        """Move commands from the queue into the open batch, decided unless that has to wait for the lock."""
        room = self._batch_commands_max - len(self._open)
        taken = self._queue.take(
            min(room, limits.decided_at_once_max),
            weight=self.batch_weight_max - self._open.weight,
            at_least_one=not len(self._open),
        )
        entries = drop_expired(taken, self._clock.monotonic_ns())
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
            await self._decide(working_set, drop_expired(entries, self._clock.monotonic_ns()), failure)
        else:
            # Who is to blame is found out one by one, under the lock.
            self._start_over(locked_batches=1)

    async def _decide(
        self, working_set: WorkingSet, entries: Sequence[QueuedSubmission], failure: Exception | None
    ) -> None:
        """Decide what was loaded, or fail it where it could not be."""
        for number, entry in enumerate(entries):
            if failure is not None:
                entry.fail(DatabaseUnavailable(_UNREACHABLE))
            elif entry.weight <= limits.plain_weight_max:
                self._open.decide(working_set, entry)
            else:
                self._loading = entries[number:]
                await self._open.decide_in_steps(working_set, entry, self._transactions.background)
                if working_set is not self._working_set:
                    return
        self._loading = []

    def _keep_deadlines(self) -> None:
        """Refuse what was not begun in time, now and then: the batch before may hang for longer than that."""
        now_ns = self._clock.monotonic_ns()
        if any(entry.begin_by_ns <= now_ns for entry in (*self._open.entries, *self._loading)):
            # Decided on top of what hangs. Nothing of it has left, so that it can be forgotten.
            self._start_over()
        self._queue.expire(now_ns)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(limits.deadline_check_ms / 1000, self._keep_deadlines)

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
        pace = self._pace
        return pace.is_enough(len(self._open)) or self._is_open_full() or pace.patience_ns() <= 0

    async def _others_come(self) -> bool:
        """Wait for those that were just answered and are about to come again; tell whether somebody came."""
        try:
            async with asyncio.timeout(min(self._pace.patience_ns(), limits.gather_gap_us * 1000) / 1e9):
                await self._wait()
        except TimeoutError:
            # On a busy loop both can be true at once.
            return self._queue.is_ready
        return True

    def _begin_commit(self) -> None:
        batch, self._open = self._open, Batch()
        if not batch.is_decided:
            self._locked_left -= 1
            batch.keep(drop_expired(batch.entries, self._clock.monotonic_ns()))
            if not len(batch):
                return
        self._committing = batch
        self._commit_task = asyncio.create_task(self._commit(self._committing), name="commit")

    async def _commit(self, batch: Batch) -> None:
        begun_ns = self._clock.monotonic_ns()
        self._commit_by_ns = begun_ns + limits.commit_timeout_ms * 1_000_000
        try:
            with telemetry.batch_span(len(batch), links=[entry.submission.trace for entry in batch.entries]):
                results = await self._carry_out(batch)
        except Exception as error:  # noqa: BLE001  the writer must outlive whatever one batch does to it
            if not isinstance(error, DatabaseUnavailable):
                _log.exception("batch_failed", commands=len(batch))
            self._start_over()
            results = [error] * len(batch)
        self._committing = None
        note_times(batch.entries, begun_ns, self._pace.ended(begun_ns, len(batch)))
        self._wake.set()
        # A turn later: the next batch goes to the database first, and is on its way while these are answered.
        asyncio.get_running_loop().call_soon(batch.answer, results)

    async def _carry_out(self, batch: Batch) -> Sequence[Result]:
        """Return what came of each command. Raises: DatabaseUnavailable."""
        for attempt in range(1, limits.commit_attempts_max + 1):
            try:
                return await self._attempt(batch)
            except TransientFailure as failure:
                self._failed(failure)
                if failure.kind == "contention":
                    _log.warning("batch_retried", attempt=attempt, sqlstate=failure.sqlstate)
                if attempt == limits.commit_attempts_max or self._left_ms() <= 0:
                    raise DatabaseUnavailable(_UNREACHABLE) from failure
                await back_off(self._clock, attempt)
            except WrongMoment:
                _log.warning("batch_of_wrong_time", commands=len(batch))
                self._start_over()
                return [ClockSkewed(_SKEWED)] * len(batch)
            except UnknownOutcome as failure:
                _log.warning("batch_outcome_unknown", commands=len(batch))
                self._start_over()
                return [entry.unknown(failure) for entry in batch.entries]
        raise AssertionError("unreachable")

    async def _attempt(self, batch: Batch) -> Sequence[Result]:
        changes = batch.changes()
        is_sound = batch.is_decided and batch.is_sound
        if is_sound and changes is None and await holds(self._store, batch, timeout_ms=self._left_ms()):
            batch.report_faults()
            return batch.results
        locked_batches = 0
        try:
            if is_sound and changes is not None:
                try:
                    goes_on, left_ms = lambda: self._open.changes_something, self._left_ms()
                    await self._transactions.write_ahead(batch, changes, goes_on=goes_on, timeout_ms=left_ms)
                except OutdatedBatch:
                    # Another instance serves the same tenant, and will come again.
                    locked_batches = limits.locked_batches
                except RefusedBatch as refusal:
                    # A key that is not new; or a refusal that another instance kept under it just now.
                    if refusal.constraint != _KEY_IS_TAKEN:
                        raise
                    self._prefetch.doubt_keys()
                else:
                    batch.report_faults()
                    self._tell([batch])
                    return batch.results
            done = await self._transactions.write_locked(batch, timeout_ms=self._left_ms())
        except RefusedBatch as refusal:
            _log.warning("batch_isolated", sqlstate=refusal.sqlstate, commands=len(batch))
            results, apart = await self._transactions.write_apart(batch, timeout_ms=self._left_ms())
            self._tell(apart)
            self._start_over()
            return results
        if batch.is_decided:
            # In vain, and so was what was decided on top of it.
            self._start_over(locked_batches=locked_batches)
        self._tell([done])
        return done.results

    def _left_ms(self) -> float:
        """Return how long the batch that is at the database may still take."""
        return (self._commit_by_ns - self._clock.monotonic_ns()) / 1_000_000

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

    def _expected_wait_ns(self, scope: Scope) -> int:
        """Return how long a command of this tenant that comes now will wait, going by the last batch."""
        commands, weight = self._queue.ahead_of(scope)
        return (
            max(commands // self._batch_commands_max, weight // self.batch_weight_max) * self._pace.commit_ns
        )
