"""The writer's loop: takes commands from the queue and commits them, batch after batch.

Each batch takes three phases:

    prefetch   loads what the commands need and the working set does not hold yet: books, objects, accounts,
               references up to some rounds, and idempotency rows while keys are in doubt
    execute    runs the commands one after another on the working set, without awaiting anything
    commit     locks the books, compares them with those that the batch was decided on, and writes its net
               effect, in one statement of one transaction. A heavy batch is encoded ahead for it

Prefetch and execute run ahead: while one batch is at the database, the next one is decided on top of it. A
command for which something is loaded holds up its own tenant only. Futures resolve after COMMIT only. Two
invariants make this safe:

- Every change of a tenant increases the sequence in its book, and only under the lock of that book. So books
  that compare equal prove that everything the batch was decided on is unchanged.
- A batch that could not be committed as it was decided voids the working set, and everything that was
  decided on top of it goes back to the front of the queue.

If another instance was faster, the batch is decided again under the lock, and so are the next
`locked_batches`, undecided until they are at the database: the mode is "locked" instead of "ahead". No batch
waits for a book. A tenant whose book is held leaves the batch, and the lanes serve it (see `lanes.py`).

The loop takes one step after another, as `steps.py` decides.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from operator import attrgetter
from typing import Any

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.background import Background
from fastpay.engine.failures import TransientFailure, UnknownOutcome
from fastpay.engine.ports import CommitObserver
from fastpay.engine.write.batch import Batch, DecidedBatch, UndecidedBatch
from fastpay.engine.write.committer import Committer
from fastpay.engine.write.decider import Decider
from fastpay.engine.write.lanes import Lanes
from fastpay.engine.write.measures import MEASURES
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.pipeline import Pipeline
from fastpay.engine.write.ports import WriterStore
from fastpay.engine.write.prefetch import Prefetch
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import QueuedSubmission, drop_expired, note_times
from fastpay.engine.write.steps import choose_step
from fastpay.engine.write.transactions import Transactions
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

_weight_of = attrgetter("weight")


class BatchLoop:
    """Commits what is in the queue, and answers each command when its batch is on disk.

    `observer` is told of each commit, and `failed` of each failure of the database that may pass. `supervise`
    runs a task that has commands at the database. `settled` is called when `holds` may have become false.
    """

    def __init__(
        self,
        store: WriterStore,
        queue: FairQueue,
        *,
        clock: Clock,
        sizes: tuple[int, int],
        observer: CommitObserver | None,
        background: Background,
        failed: Callable[[TransientFailure], None],
        supervise: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]],
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._supervise = supervise
        self.settled: Callable[[], None] = lambda: None
        self.wake = _Wake()
        self._prefetch = Prefetch(store, clock, failed)
        self._decider = Decider(self._prefetch, clock, background)
        self.pace = Pace(clock)
        lanes = [store.lane() for _ in range(1 + limits.book_waits)]
        self._committer, *others = (
            Committer(Transactions(one, background), self._prefetch, clock, failed) for one in (store, *lanes)
        )
        # Invariant: each command is in exactly one of these, in this order, until it is answered: the queue,
        # aside or the decider, the open batch, the batch at the database. Or it is in a batch of the lanes.
        self._queue = queue
        self.lanes = Lanes(
            queue,
            others,
            clock,
            sizes=sizes,
            tell=self._tell,
            settled=self.wake.set,
            supervise=supervise,
        )
        self.pipeline = Pipeline(queue, self.pace, sizes=sizes)
        self._commit_task: asyncio.Task[None] | None = None
        self._load_task: asyncio.Task[None] | None = None
        # How long the first command of what was taken together has waited, at most.
        self._waited_ns = 0
        self._closing = False

    async def run(self) -> None:
        """Commit until `close` is called and nothing is left."""
        # Clients of the process before this one are about to retry with their keys.
        self._prefetch.doubt_keys()
        while True:
            self.settled()
            if not self.pipeline.open.entries and not self._queue.is_ready and not self._closing:
                # The table says the same, for a tenth of the instructions.
                await self._wait()
                continue
            if self.pipeline.begins:
                # As above.
                await self._take()
                continue
            step = choose_step(*self.pipeline.state(), closing=self._closing)
            if step == "commit":
                self._begin_commit()
                if self._queue.is_ready:
                    # Lets the statement leave before anything more is decided, which may need no wait at all.
                    await asyncio.sleep(0)
            elif step == "take":
                await self._take()
            elif step == "encode":
                assert isinstance(self.pipeline.open, DecidedBatch)
                await self._committer.encode(self.pipeline.open)
            elif step == "gather":
                # Meanwhile the open batch may have expired.
                if not await self._gather() and len(self.pipeline.open):
                    self._begin_commit()
            elif step == "end":
                return
            else:
                await self._wait()

    def close(self) -> None:
        """Let `run` return once everything is committed."""
        self._closing = True
        self.wake.set()

    async def ended(self) -> None:
        """Wait for the batches that are at the database after `run` has ended."""
        if self._commit_task is not None and self.pipeline.committing is not None:
            # The loop has failed, and the batch that it had sent is still answered.
            await asyncio.gather(self._commit_task, return_exceptions=True)
        await self.lanes.close()

    def take_waited_ms(self) -> int:
        """Return how long commands have waited in the queue since the last call, at most."""
        waited_ns, self._waited_ns = self._waited_ns, 0
        return waited_ns // 1_000_000

    def holds(self, scope: Scope) -> bool:
        """Tell whether a command of this tenant was taken from the queue and is not answered yet."""
        return (
            any(entry.submission.scope == scope for entry in self._decider.entries)
            or self.pipeline.concerns(scope)
            or self.lanes.holds(scope)
        )

    def forget(self, scope: Scope) -> None:
        """Forget what is known of a tenant."""
        self._decider.working_set.workspaces.pop(scope, None)

    def expire(self, now_ns: int) -> None:
        """Refuse commands that were not begun in time: the batch at the database may hang for longer."""
        if any(
            entry.begin_by_ns <= now_ns
            for entries in (self.pipeline.open.entries, self.pipeline.aside, self._decider.entries)
            for entry in entries
        ):
            # They were decided on top of the batch that hangs. None of it has left for the database.
            self._start_over()
        self._queue.expire(now_ns)

    def abandon(self, error: Exception, *, is_lost: bool) -> None:
        """Answer everything with an error. With `is_lost`, the batches at the database as unknown."""
        for entry in (*self.pipeline.clear(), *self._decider.void(), *self._queue.clear()):
            entry.fail(error)
        if is_lost:
            at_database, self.pipeline.committing = self.pipeline.committing, None
            for batch in (*self.lanes.batches, *([at_database] if at_database else [])):
                for entry in batch.entries:
                    entry.fail(entry.unknown(UnknownOutcome()))

    async def _wait(self) -> None:
        if not self.pipeline and not len(self._queue) and not self._queue.has_parked:
            # A busy period ends, and with it all debts between tenants.
            self._queue.reset()
        await self.wake.wait()

    async def _take(self) -> None:
        """Move commands from the queue into the open batch, decided in the mode "ahead", or aside."""
        batch, aside = self.pipeline.open, self.pipeline.aside
        if len(aside) >= limits.decided_at_once_max:
            # The rest of the queue stays in its fair order.
            await self._let_load()
            return
        commands, weight = self.pipeline.room()
        if self.pipeline.committing is None and not self.pipeline.locked_left:
            # The others are decided while these are at the database.
            in_hand = len(batch.entries) + len(aside)
            commands = min(commands, self.pace.room(in_hand, self._queue.count_ready()))
        taken = self._queue.take(
            min(commands, limits.decided_at_once_max - len(aside)),
            weight=weight,
            at_least_one=not batch.entries and not aside,
        )
        now_ns = self._clock.monotonic_ns()
        if taken:
            self._waited_ns = max(self._waited_ns, taken[0].waited_ns(now_ns))
        entries = drop_expired(taken, now_ns)
        if self.pipeline.locked_left:
            if not isinstance(batch, UndecidedBatch):
                batch = self.pipeline.open = UndecidedBatch()
            for entry in entries:
                batch.add(entry)
            return
        assert isinstance(batch, DecidedBatch)
        if self._decider.working_set.is_full(sum(map(_weight_of, entries))):
            if self.pipeline:
                # What is not committed cannot be loaded again, so it must not be forgotten yet.
                self._queue.put_back(entries)
                await self._drain()
                return
            self._decider.working_set.shrink()
        decider = self._decider
        if not aside and not decider.must_load(entries):
            await decider.decide(batch, entries, "loaded", trusts_keys=decider.trusts_keys)
        elif all(entry.weight <= limits.plain_weight_max for entry in entries):
            ready = self._set_aside(entries)
            await decider.decide(batch, ready, "loaded", trusts_keys=decider.trusts_keys)
        elif aside:
            self._queue.put_back(entries)
            await self._let_load()
        elif not await decider.load_and_decide(batch, entries):
            # Under the lock each command is tried by itself, if necessary, and the guilty one fails alone.
            self._start_over(locked_batches=1)

    def _set_aside(self, entries: Sequence[QueuedSubmission]) -> list[QueuedSubmission]:
        """Return the commands that can be decided now. The others, and what their tenants send later, wait.

        So a command that needs something to be loaded holds up its own tenant only.
        """
        aside = self.pipeline.aside
        waiting = {entry.submission.scope for entry in aside}
        ready: list[QueuedSubmission] = []
        for entry in entries:
            scope = entry.submission.scope
            if scope not in waiting and self._decider.must_load((entry,)):
                waiting.add(scope)
            (aside if scope in waiting else ready).append(entry)
        if self._load_task is None:
            self._load_task = asyncio.create_task(self._supervise(self._load()), name="load")
        return ready

    async def _load(self) -> None:
        """Load what the commands aside need, all at once, and decide them."""
        pipeline, decider = self.pipeline, self._decider
        while pipeline.aside:
            entries, working_set, trusts_keys = list(pipeline.aside), decider.working_set, decider.trusts_keys
            loaded = await decider.load(entries, with_keys=not trusts_keys)
            if working_set is not decider.working_set:
                # They were put back.
                continue
            if loaded == "refused":
                self._start_over(locked_batches=1)
                continue
            del pipeline.aside[: len(entries)]
            assert isinstance(pipeline.open, DecidedBatch)
            await decider.decide(pipeline.open, entries, loaded, trusts_keys=trusts_keys)
            self.wake.set()
        self._load_task = None

    async def _let_load(self) -> None:
        """Commit what is decided, and wait until something happens."""
        if len(self.pipeline.open) and self.pipeline.committing is None:
            self._begin_commit()
        await self._wait()

    async def _drain(self) -> None:
        """Commit everything that was taken."""
        while self.pipeline:
            await self._let_load()

    async def _gather(self) -> bool:
        """Wait for clients that were just answered and send their next request. Tell whether one came."""
        is_over = False

        def end() -> None:
            nonlocal is_over
            is_over = True
            self.wake.set()

        patience_ns = min(self.pace.patience_ns(), limits.gather_gap_us * 1000)
        timer = asyncio.get_running_loop().call_later(patience_ns / 1e9, end)
        await self._wait()
        timer.cancel()
        if is_over:
            # On a busy loop the time is over before it has looked for requests that are there already.
            await asyncio.sleep(0)
            return self._queue.is_ready
        return True

    def _begin_commit(self) -> None:
        batch: Batch = self.pipeline.open
        self.pipeline.open = DecidedBatch()
        if isinstance(batch, UndecidedBatch):
            self.pipeline.locked_left -= 1
            batch.entries = drop_expired(batch.entries, self._clock.monotonic_ns())
            if not len(batch):
                return
        self.pipeline.committing = batch
        # uvloop's `create_task` sets the name afterwards, which takes 2,500 instructions more.
        loop = asyncio.get_running_loop()
        self._commit_task = asyncio.Task(self._supervise(self._commit(batch)), loop=loop, name="commit")

    async def _commit(self, batch: Batch) -> None:
        begun_ns = self._clock.monotonic_ns()
        committed = await self._committer.commit(batch)
        assert len(committed.results) == len(batch.entries)
        if committed.is_void or committed.left:
            self._start_over(committed.left, locked_batches=committed.locked_batches)
        self._tell(committed.written)
        self.pipeline.committing = None
        self.wake.set()
        # Two turns later: the loop begins the next commit in one, which sends its statement in the other. So
        # the next batch is at the database while these are answered.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, batch.answer, committed.results)
        open_count = len(self.pipeline.open.entries)
        waiting = open_count + len(self.pipeline.aside) + self._queue.count_ready()
        is_ahead = not self.pipeline.locked_left
        ended_ns = self.pace.ended(begun_ns, len(batch.entries), waiting, is_ahead=is_ahead)
        note_times(batch.entries, begun_ns, ended_ns)
        MEASURES.committed(batch.entries, begun_ns, ended_ns)

    def _tell(self, written: Sequence[DecidedBatch]) -> None:
        """Tell the working set and the observer what is on disk now."""
        for batch in written:
            self._decider.working_set.arrived(batch.changes.rows)
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
        self.pipeline.locked_left = max(self.pipeline.locked_left, locked_batches)
        if left:
            self.lanes.park({entry.submission.scope for entry in left})
        self._queue.put_back([*left, *self.pipeline.clear(), *self._decider.void()])
        self.wake.set()


class _Wake:
    """Wakes the loop's task. Unlike an event of asyncio it keeps nothing: the task looks before it waits."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake the task if it waits."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until `set` is called."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
