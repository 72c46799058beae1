"""Lanes serve tenants whose book another instance holds, so that nobody else waits for them.

A batch takes the books that are free. A tenant whose book is held is parked: its commands go back to the
front of its queue, and the writer's loop does not serve it. Lanes do, each with a connection of its own:

- The sweep tries the books of all parked tenants, with backoff between attempts, and takes the free ones.
- Each of `book_waits` takes the tenant that has been in line for the longest, and waits for its book in
  PostgreSQL for at most `book_wait_ms`. So a tenant is served even if others are always faster than the
  sweep. Once it has the book, it takes those of other parked tenants as well that are free by then.

    tenant           event                                         next
    ---------------  --------------------------------------------  ------------------------
    served           a batch finds its book held                   parked, last in line
    parked           it is the first in line, and a wait is free   waiting
    waiting          its book is held for `book_wait_ms`            parked, last in line
    parked, waiting  a lane has committed some of its commands     served, or parked if it is contended
    parked, waiting  it has no commands any more                   served
    served           a command comes, and it is contended          parked, last in line

A tenant is contended from when its book was found held, or changed since our last commit, until a lane finds
it as we left it, or `contention_believed_ms` are over. Without that, each tenant that several instances write
to would leave the lanes after every commit, and half of all transactions would find its book held again.

Commands stay in the queue until a lane has locked the book of their tenant. So they expire as all others do,
and the lane also takes those that came meanwhile. A lane decides under the lock, as the writer does after a
conflict.

Invariant: a tenant is with the writer's loop or with the lanes, and with the loop only if it is not
contended. One lane at a time has taken commands of a tenant, so that none overtakes those of a transaction
that has to be repeated. With one instance no tenant is parked, no lane runs, and none opens its connection.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.batch import DecidedBatch, ParkedBatch
from fastpay.engine.write.committer import Committer
from fastpay.engine.write.contention import Contention
from fastpay.engine.write.line import Line
from fastpay.engine.write.prefetch import back_off
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import QueuedSubmission, drop_expired, note_times


class Lanes:
    """Serves the parked tenants of a queue.

    `tell` is called with what is on disk, and `settled` when a batch of a lane has ended. `supervise` runs
    the task of a lane.
    """

    def __init__(
        self,
        queue: FairQueue,
        committers: Sequence[Committer],
        clock: Clock,
        *,
        sizes: tuple[int, int],
        tell: Callable[[Sequence[DecidedBatch]], None],
        settled: Callable[[], None],
        supervise: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]],
    ) -> None:
        self._queue = queue
        self._sweep_committer, *self._wait_committers = committers
        self._clock = clock
        self._batch_commands_max, self._batch_weight_max = sizes
        self._tell = tell
        self._settled = settled
        self._supervise = supervise
        self._line = Line()
        self._contention = Contention(clock)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counts = dict.fromkeys(("lanes_parked", "lanes_batches", "lanes_commands", "lanes_in_vain"), 0)
        # What is at the database, or on its way there.
        self.batches: set[ParkedBatch] = set()

    def holds(self, scope: Scope) -> bool:
        """Tell whether a lane has taken a command of this tenant that is not answered yet."""
        return any(batch.concerns(scope) for batch in self.batches)

    def park(self, scopes: Iterable[Scope]) -> None:
        """Serve these tenants from now on, whose books were found held."""
        for scope in scopes:
            self._contention.met(scope)
            self._join(scope)
        self._run_lanes()

    def came(self, scope: Scope) -> None:
        """Park a tenant again whose command has come, if it is contended."""
        if not self._contention.until_ns or scope in self._line or scope not in self._contention:
            return
        if self._queue.is_paused(scope):
            # Another writer is about to hand it over, and it will be with the loop.
            self._contention.forget(scope)
            return
        self._join(scope)
        self._run_lanes()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, and how many tenants are parked now."""
        return {**self._counts, "lanes_tenants": len(self._line)}

    def _join(self, scope: Scope) -> None:
        self._line.join(scope)
        self._queue.park(scope)
        self._counts["lanes_parked"] += 1

    async def close(self) -> None:
        """Wait until no tenant is parked."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _run_lanes(self) -> None:
        """Start the lanes that have something to do and do not run."""
        if self._line.can_wait:
            for number, committer in enumerate(self._wait_committers):
                self._start(f"wait {number}", functools.partial(self._wait, committer))
        if self._line.can_sweep:
            self._start("sweep", self._sweep)

    def _start(self, name: str, lane: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.create_task(self._supervise(lane()), name=name)

    async def _wait(self, committer: Committer) -> None:
        others = functools.partial(self._line.others, limits.swept_books_max)
        while (scope := self._line.begin_wait()) is not None:
            batch = ParkedBatch([scope], self._take, awaited=scope, others=others)
            await self._commit(committer, batch)
            self._line.end_wait(scope)
            self._run_lanes()

    async def _sweep(self) -> None:
        attempt = 1
        while self._line.can_sweep:
            await back_off(self._clock, attempt)
            scopes = self._line.begin_sweep(limits.swept_books_max)
            if not scopes:
                return
            is_served = await self._commit(self._sweep_committer, ParkedBatch(scopes, self._take))
            attempt = 1 if is_served else min(attempt + 1, limits.sweep_attempts_max)
            self._line.end_sweep()
            self._run_lanes()

    async def _commit(self, committer: Committer, batch: ParkedBatch) -> bool:
        """Commit commands of tenants whose books can be locked. Tell whether one was served."""
        self.batches.add(batch)
        begun_ns = self._clock.monotonic_ns()
        committed = await committer.commit(batch)
        assert len(committed.results) == len(batch)
        self.batches.discard(batch)
        self._tell(committed.written)
        self._queue.put_back(committed.left)
        for one in committed.written:
            self._contention.look(one)
        self._counts["lanes_batches"] += 1
        self._counts["lanes_commands"] += len(batch)
        self._counts["lanes_in_vain"] += not len(batch)
        served = {entry.submission.scope for entry in batch.entries}
        for scope in batch.scopes():
            is_left = scope not in self._queue and not self.holds(scope)
            is_free = scope in served and not (scope in self._queue and scope in self._contention)
            if scope in self._line and (is_free or is_left):
                self._line.leave(scope)
                self._queue.unpark(scope)
        note_times(batch.entries, begun_ns, self._clock.monotonic_ns())
        batch.answer(committed.results)
        self._settled()
        return bool(served)

    def _take(self, batch: ParkedBatch, scopes: Sequence[Scope]) -> list[QueuedSubmission]:
        """Take commands of tenants whose books are locked now, if nobody else serves them meanwhile."""
        beside = self.batches - {batch}
        free = [
            scope
            for scope in scopes
            if scope in self._line and not any(other.concerns(scope) for other in beside)
        ]
        taken = self._queue.take_from(free, self._batch_commands_max, weight=self._batch_weight_max)
        return drop_expired(taken, self._clock.monotonic_ns())
