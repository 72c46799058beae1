"""The write path: every change of state goes through the writer, in batches.

Requests become submissions and wait on a future. Each batch takes three phases:

    prefetch   loads what the commands need and the working set does not hold yet: books, objects, accounts,
               references up to some rounds, and idempotency rows while keys are in doubt
    execute    runs the commands one after another on the working set, without awaiting anything
    commit     locks the books, compares them with those that the batch was decided on, and writes its net
               effect, in one statement of one transaction

Prefetch and execute run ahead: while one batch is at the database, the next one is loaded and decided on top
of it. Futures resolve after COMMIT only. Two invariants make this safe:

- Every change of a tenant increases the sequence in its book, and only under the lock of that book. So books
  that compare equal prove that everything the batch was decided on is unchanged.
- A batch that could not be committed as it was decided voids the working set, and everything that was
  decided on top of it goes back to the front of the queue.

If another instance was faster, the batch is decided again under the lock, and so are the next
`locked_batches`, undecided until they are at the database: the mode is "locked" instead of "ahead". No batch
waits for a book. A tenant whose book is held leaves the batch, and the lanes serve it (see `lanes.py`).

The loop takes one step after another, as `steps.py` decides.

Everything has a deadline, whatever the database does. A command that is not begun within `begin_timeout_ms`
is refused. A command that was begun is answered within `commit_timeout_ms`, plus `resolve_timeout_ms` if
COMMIT was sent and not answered.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.background import Background
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.engine.ports import CommitObserver, Outcome, Submission
from fastpay.engine.write.batch import Batch, DecidedBatch, UndecidedBatch
from fastpay.engine.write.committer import Committer
from fastpay.engine.write.decider import Decider
from fastpay.engine.write.lanes import Lanes
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.ports import WriterStore
from fastpay.engine.write.prefetch import Prefetch
from fastpay.engine.write.queue import OVERLOADED, FairQueue
from fastpay.engine.write.queued import QueuedSubmission, drop_expired, make_entry, note_times
from fastpay.engine.write.steps import AtDatabase, Mode, NextCommand, OpenBatch, choose_step
from fastpay.engine.write.transactions import Transactions
from fastpay.errors import Overloaded, WriterStopped
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

_STOPPED = "This process takes no writes any more. Send the request again."


class Writer:
    """Takes submissions, commits them in batches, and answers each when its batch is on disk.

    `failed` is told of each failure of the database that may pass, and logs it if necessary.
    """

    def __init__(
        self,
        store: WriterStore,
        *,
        clock: Clock,
        batch_commands_max: int = limits.batch_commands_max,
        batch_weight_max: int = limits.batch_weight_max,
        observer: CommitObserver | None = None,
        background: Background | None = None,
        failed: Callable[[TransientFailure], None] = lambda _: None,
    ) -> None:
        self._observer = observer
        self._batch_commands_max = batch_commands_max
        self._batch_weight_max = batch_weight_max
        self._clock = clock
        background = background or Background()
        self._prefetch = Prefetch(store, clock, failed)
        self._decider = Decider(self._prefetch, clock, background)
        self._pace = Pace(clock)
        self._wake = asyncio.Event()
        # Called when `holds` may have become false.
        self.settled: Callable[[], None] = lambda: None
        lanes = [store.lane() for _ in range(1 + limits.book_waits)]
        self._committer, *others = (
            Committer(Transactions(one, background), self._prefetch, clock, failed) for one in (store, *lanes)
        )
        # Invariant: each command is in exactly one of these, in this order, until it is answered: the queue,
        # the decider, the open batch, the batch at the database. Or it is in a batch of the lanes.
        self._queue = FairQueue()
        self._lanes = Lanes(
            self._queue,
            others,
            clock,
            sizes=(batch_commands_max, batch_weight_max),
            tell=self._tell,
            settled=self._wake.set,
            supervise=functools.partial(self._supervise, is_lost=True),
        )
        self._open: DecidedBatch | UndecidedBatch = DecidedBatch()
        self._committing: Batch | None = None
        # How many more batches are decided under the lock. Invariant: the open batch is undecided, or empty,
        # while this is positive, and decided otherwise.
        self._locked_left = 0
        self._task: asyncio.Task[None] | None = None
        self._commit_task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._fault: WriterStopped | None = None

    def start(self) -> None:
        """Begin to take batches."""
        # Clients of the process before this one are about to retry with their keys.
        self._prefetch.doubt_keys()
        self._task = asyncio.create_task(self._supervise(self._run()), name="writer")
        self._keep_deadlines()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closing = True
        self._wake.set()
        try:
            if self._task is not None:
                await asyncio.gather(self._task, return_exceptions=True)
            if self._commit_task is not None and self._committing is not None:
                # The loop has failed, and the batch that it had sent is still answered.
                await asyncio.gather(self._commit_task, return_exceptions=True)
            await self._lanes.close()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def fault(self) -> WriterStopped | None:
        """Return why no commands are taken, None while they are."""
        return self._fault

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if a plain command of this tenant would be refused now, or wait for too long.

        To be asked once for a request, before it is read. `submit` enforces the bounds of the queue.
        """
        self._check_open()
        wait_ns_max = limits.queue_wait_ms_max * 1_000_000
        if not self._queue.has_room(scope, 1) or self._expected_wait_ns(scope) > wait_ns_max:
            raise Overloaded(OVERLOADED)

    async def submit(self, submission: Submission) -> Outcome:
        """Return what became of a command once it is committed, or refused by the domain.

        If the caller is cancelled meanwhile, the command is carried out all the same. Raises: Overloaded,
        WriterStopped and DeadlineExceeded before the command was begun, DatabaseUnavailable if nothing is
        known to be done, OutcomeUnknown.
        """
        self._check_open()
        entry = make_entry(submission, self._clock.monotonic_ns())
        self._queue.append(entry)
        self._wake.set()
        return await entry.future

    def holds(self, scope: Scope) -> bool:
        """Tell whether a command of this tenant is not answered yet."""
        return (
            scope in self._queue
            or any(entry.submission.scope == scope for entry in self._decider.entries)
            or self._open.concerns(scope)
            or (self._committing is not None and self._committing.concerns(scope))
            or self._lanes.holds(scope)
        )

    def forget(self, scope: Scope) -> None:
        """Forget what is known of a tenant that another writer serves, or will serve from now on."""
        assert not self.holds(scope)
        self._decider.working_set.workspaces.pop(scope, None)

    def pause(self, scope: Scope, *, paused: bool) -> None:
        """Leave the commands of a tenant in the queue, or serve it again."""
        self._queue.pause(scope, paused=paused)
        self._wake.set()

    def _check_open(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closing:
            raise Overloaded(OVERLOADED)

    async def _run(self) -> None:
        while True:
            self.settled()
            mode: Mode = "locked" if self._locked_left else "ahead"
            next_command = self._next_command()
            step = choose_step(
                self._open_state(next_command), self._at_database(), next_command, mode, closing=self._closing
            )
            if step == "commit":
                self._begin_commit()
                # Lets the statement leave before anything more is decided, which may need no wait at all.
                await asyncio.sleep(0)
            elif step == "take":
                await self._take()
            elif step == "gather":
                # Meanwhile the open batch may have expired.
                if not await self._gather() and len(self._open):
                    self._begin_commit()
            elif step == "end":
                return
            else:
                await self._wait()

    def _open_state(self, next_command: NextCommand) -> OpenBatch:
        count = len(self._open)
        if not count:
            return "empty"
        is_full = count >= self._batch_commands_max or (next_command == "waits" and self._queue.is_ready)
        if is_full or self._pace.is_enough(count):
            return "due"
        return "late" if self._pace.patience_ns() <= 0 else "waiting"

    def _at_database(self) -> AtDatabase:
        if self._committing is None:
            return "nothing"
        return "decided" if isinstance(self._committing, DecidedBatch) else "undecided"

    def _next_command(self) -> NextCommand:
        queue, count = self._queue, len(self._open)
        if not queue.is_ready:
            # Commands of paused or parked tenants only, if any.
            return "waits" if len(queue) or self._lanes.is_active else "none"
        # The first command of a batch fits whatever it weighs.
        has_room = count < self._batch_commands_max
        return "fits" if not count or (has_room and queue.fits(self._weight_left())) else "waits"

    def _weight_left(self) -> int:
        return self._batch_weight_max - self._open.weight

    async def _wait(self) -> None:
        is_idle = self._committing is None and not len(self._open) and not len(self._queue)
        if is_idle and not self._lanes.is_active:
            # A busy period ends, and with it all debts between tenants.
            self._queue.reset()
        self._wake.clear()
        await self._wake.wait()

    async def _take(self) -> None:
        """Move commands from the queue into the open batch, decided in the mode "ahead"."""
        batch = self._open
        taken = self._queue.take(
            min(self._batch_commands_max - len(batch), limits.decided_at_once_max),
            weight=self._weight_left(),
            at_least_one=not len(batch),
        )
        entries = drop_expired(taken, self._clock.monotonic_ns())
        if self._locked_left:
            if not isinstance(batch, UndecidedBatch):
                batch = self._open = UndecidedBatch()
            for entry in entries:
                batch.add(entry)
            return
        assert isinstance(batch, DecidedBatch)
        if self._decider.working_set.is_full:
            if len(batch) or self._committing is not None:
                # What is not committed cannot be loaded again, so it must not be forgotten yet.
                self._queue.put_back(entries)
                await self._drain()
                return
            self._decider.working_set.shrink()
        is_late = len(batch) > 0 and self._committing is None and self._pace.patience_ns() <= 0
        if is_late and self._decider.must_load(entries):
            self._begin_commit()
            batch = self._open = DecidedBatch()
        if not await self._decider.decide(batch, entries):
            # Under the lock each command is tried by itself, if necessary, and the guilty one fails alone.
            self._start_over(locked_batches=1)

    async def _drain(self) -> None:
        """Commit everything that is decided."""
        while len(self._open) or self._committing is not None:
            if self._committing is None:
                self._begin_commit()
            await self._wait()

    async def _gather(self) -> bool:
        """Wait for clients that were just answered and send their next request. Tell whether one came."""
        try:
            async with asyncio.timeout(min(self._pace.patience_ns(), limits.gather_gap_us * 1000) / 1e9):
                await self._wait()
        except TimeoutError:
            # On a busy loop the time is over before it has looked for requests that are there already.
            await asyncio.sleep(0)
            return self._queue.is_ready
        return True

    def _begin_commit(self) -> None:
        batch: Batch = self._open
        self._open = DecidedBatch()
        if isinstance(batch, UndecidedBatch):
            self._locked_left -= 1
            batch.entries = drop_expired(batch.entries, self._clock.monotonic_ns())
            if not len(batch):
                return
        self._committing = batch
        self._commit_task = asyncio.create_task(
            self._supervise(self._commit(batch), is_lost=True), name="commit"
        )

    async def _commit(self, batch: Batch) -> None:
        begun_ns = self._clock.monotonic_ns()
        committed = await self._committer.commit(batch, goes_on=self._goes_on)
        assert len(committed.results) == len(batch)
        if committed.is_void or committed.left:
            self._start_over(committed.left, locked_batches=committed.locked_batches)
        self._tell(committed.written)
        self._committing = None
        note_times(batch.entries, begun_ns, self._pace.ended(begun_ns, len(batch)))
        self._wake.set()
        # One turn later: the next batch leaves for the database first, and is there while these are answered.
        asyncio.get_running_loop().call_soon(batch.answer, committed.results)

    def _goes_on(self) -> bool:
        """Tell whether the open batch will be written as it is, if the one at the database is committed."""
        return isinstance(self._open, DecidedBatch) and bool(self._open.effects)

    def _tell(self, written: Sequence[DecidedBatch]) -> None:
        """Tell the working set and the observer what is on disk now."""
        for batch in written:
            self._decider.working_set.arrived(batch.effects.rows)
        if self._observer is None:
            return
        try:
            self._observer.committed([commit for batch in written for commit in batch.commits()])
        except Exception:  # noqa: BLE001  what is on disk is answered, whatever the observer does
            _log.exception("observer_failed")

    def _start_over(self, left: Sequence[QueuedSubmission] = (), *, locked_batches: int = 0) -> None:
        """Void the working set, and put what was decided on top of it back into the queue.

        The tenants of the commands that a batch has `left` are parked. Later commands stay behind these.
        """
        self._locked_left = max(self._locked_left, locked_batches)
        if left:
            self._lanes.park({entry.submission.scope for entry in left})
        self._queue.put_back([*left, *self._open.entries, *self._decider.void()])
        self._open = DecidedBatch()
        self._wake.set()

    def _keep_deadlines(self) -> None:
        """Refuse commands that were not begun in time: the batch at the database may hang for longer."""
        self._timer = asyncio.get_running_loop().call_later(
            limits.deadline_check_ms / 1000, self._keep_deadlines
        )
        now_ns = self._clock.monotonic_ns()
        if any(entry.begin_by_ns <= now_ns for entry in (*self._open.entries, *self._decider.entries)):
            # They were decided on top of the batch that hangs. None of it has left for the database.
            self._start_over()
        self._queue.expire(now_ns)

    def _expected_wait_ns(self, scope: Scope) -> int:
        """Return how long a new command of this tenant waits, if all batches take as long as the last."""
        commands, weight = self._queue.ahead_of(scope)
        batches = max(commands // self._batch_commands_max, weight // self._batch_weight_max)
        return batches * self._pace.commit_ns

    async def _supervise(self, work: Coroutine[Any, Any, None], *, is_lost: bool = False) -> None:
        """Run a task of the writer. If it fails, stop: a request must get an answer, not silence."""
        try:
            await work
        except Exception:  # noqa: BLE001  a fault of ours, whatever it is
            _log.exception("writer_stopped", advice="restart this process; it answers writes with 503")
            self._stop(is_lost=is_lost)

    def _stop(self, *, is_lost: bool) -> None:
        """Answer everything that waits, and refuse everything that comes.

        With `is_lost` nobody knows what became of the batches at the database.
        """
        self._fault = WriterStopped(_STOPPED)
        if self._task is not None:
            self._task.cancel()
        for entry in (*self._open.entries, *self._decider.void(), *self._queue.clear()):
            entry.fail(self._fault)
        self._open = DecidedBatch()
        if is_lost:
            for batch in (*self._lanes.batches, *([self._committing] if self._committing else [])):
                for entry in batch.entries:
                    entry.fail(entry.unknown(UnknownOutcome()))
            self._committing = None
