"""The write path: every change of state goes through the writer, in batches.

Requests become submissions and wait on a future, which resolves once their batch is on disk (see `loop.py`).
Everything has a deadline, whatever the database does. A command that is not begun within `begin_timeout_ms`
is refused. A command that was begun is answered within `commit_timeout_ms`, plus `resolve_timeout_ms` if
the database may have committed it and has not said so.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.background import Background
from fastpay.engine.dependencies import Condition
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import CommitObserver, Outcome, Reply, Submission
from fastpay.engine.write.loop import BatchLoop
from fastpay.engine.write.ports import WriterStore
from fastpay.engine.write.queue import OVERLOADED, FairQueue
from fastpay.engine.write.queued import make_entry
from fastpay.errors import Overloaded, WriterStopped
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")

_STOPPED = "This process takes no writes any more. Send the request again."


class Writer:
    """Takes commands in, and sees to it that each gets an answer in time, even if the loop fails.

    `failed` is told of each failure of the database that may pass, and logs it if necessary. While `refusal`
    returns an error, new commands are refused with it.
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
        refusal: Condition = lambda: None,
    ) -> None:
        self._refusal = refusal
        self._clock = clock
        self._queue = FairQueue()
        # A queue of less weight fits into the next batch, and nobody waits for another one. Each command has
        # a weight of 1 at least.
        self._short_weight = min(
            batch_commands_max, batch_weight_max, limits.queued_commands_max, limits.queued_weight_max
        )
        self.loop = BatchLoop(
            store,
            self._queue,
            clock=clock,
            sizes=(batch_commands_max, batch_weight_max),
            observer=observer,
            background=background or Background(),
            failed=failed,
            supervise=functools.partial(self._supervise, is_lost=True),
        )
        self._wake = self.loop.wake
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._fault: WriterStopped | None = None

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._supervise(self.loop.run()), name="writer")
        self._keep_deadlines()

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closing = True
        self.loop.close()
        try:
            if self._task is not None:
                await asyncio.gather(self._task, return_exceptions=True)
            await self.loop.ended()
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
        if self._fault is not None or self._closing or self._refusal() is not None:
            self._check_open()
        if self._queue.weight < self._short_weight:
            return
        wait_ns_max = limits.queue_wait_ms_max * 1_000_000
        if not self._queue.has_room(scope, 1) or self.loop.pipeline.expected_wait_ns(scope) > wait_ns_max:
            raise Overloaded(OVERLOADED)

    async def submit(self, submission: Submission) -> Outcome:
        """Return what became of a command once it is committed, or refused by the domain.

        If the caller is cancelled meanwhile, the command is carried out all the same. Raises: Overloaded,
        WriterStopped and DeadlineExceeded before the command was begun, DatabaseUnavailable if nothing is
        known to be done, OutcomeUnknown.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.put(submission, future)
        return await future

    def put(self, submission: Submission, reply: Reply) -> None:
        """Queue a command. The reply gets what `submit` would return, or raise once the command is queued.

        Raises: Overloaded, WriterStopped.
        """
        # As in `admit`: to look first saves each payment a call.
        if self._fault is not None or self._closing or self._refusal() is not None:
            self._check_open()
        self._queue.append(make_entry(submission, self._clock.monotonic_ns(), reply))
        self.loop.lanes.came(submission.scope)
        self._wake.set()

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name, and what is so now."""
        return {**self.loop.lanes.counts(), "queue_commands": len(self._queue)}

    def take_waited_ms(self) -> int:
        """Return how long commands have waited in the queue since the last call, at most."""
        return self.loop.take_waited_ms()

    def holds(self, scope: Scope) -> bool:
        """Tell whether a command of this tenant is not answered yet."""
        return scope in self._queue or self.loop.holds(scope)

    def forget(self, scope: Scope) -> None:
        """Forget what is known of a tenant that another writer serves, or will serve from now on."""
        assert not self.holds(scope)
        self.loop.forget(scope)

    def pause(self, scope: Scope, *, paused: bool) -> None:
        """Leave the commands of a tenant in the queue, or serve it again."""
        self._queue.pause(scope, paused=paused)
        self._wake.set()

    def _check_open(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closing:
            raise Overloaded(OVERLOADED)
        refusal = self._refusal()
        if refusal is not None:
            raise refusal

    def _keep_deadlines(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            limits.deadline_check_ms / 1000, self._keep_deadlines
        )
        self.loop.expire(self._clock.monotonic_ns())

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
        self.loop.abandon(self._fault, is_lost=is_lost)
