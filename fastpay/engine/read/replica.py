"""Lists, searches and pages of events from a replica, while it is no older than an answer may be.

A replica answers a tenant only if two things hold:

1. All that it lacks was committed within the staleness bound. Several times in the bound the primary is asked
   how far its log is durable, and the replica how far it has replayed. If the replica has come to a place
   that the primary named to a question sent at `asked_ns`, it shows everything that was committed before
   `asked_ns`. Only this process's monotonic clock is used.
2. It has come to the tenant's sequence that this instance has shown already, or has committed. So a client
   sees its own writes, and no answer is older than one before.

Otherwise, and whenever the replica fails, the primary answers. Nothing else is read here: objects by their
identifiers, balances and verifications come from the primary, and so does whatever decides about money.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import ReaderStore
from fastpay.engine.read.replica_ports import ReplicaStore
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.replica")
_Answer = TypeVar("_Answer")


class Replica:
    """Chooses between a primary and its replica, and follows how far the replica is behind."""

    def __init__(
        self, primary: ReplicaStore, replica: ReplicaStore, *, clock: Clock, staleness_ms: int
    ) -> None:
        self._primary = primary
        self._replica = replica
        self._clock = clock
        self._staleness_ns = staleness_ms * 1_000_000
        # When the primary was asked, and the place that it named: the oldest that are within the bound first.
        self._asked: deque[tuple[int, int]] = deque(maxlen=2 * limits.replica_checks_per_bound)
        # What the replica shows was committed before this time, at least.
        self._fresh_ns: int | None = None
        # Why it does not answer, as the log has said.
        self._fault: str | None = "not asked yet"
        self._task: asyncio.Task[None] | None = None
        self.answered = 0
        self.passed_by = 0

    def start(self) -> None:
        """Begin to follow the replica."""
        self._task = asyncio.create_task(self._keep_checking(), name="replica")

    async def close(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def read(
        self, scope: Scope, shown: int | None, ask: Callable[[ReaderStore], Awaitable[_Answer]]
    ) -> _Answer:
        """Return what `ask` returns for the replica, or for the primary.

        `shown` is the tenant's sequence that the answer must have come to, None if nobody knows.
        """
        if shown is not None and self.is_fresh():
            try:
                async with asyncio.timeout(limits.replica_timeout_ms / 1000):
                    sequences = await self._replica.read_sequences([scope])
                    if sequences.get(scope, 0) >= shown:
                        answer = await ask(self._replica)
                        self.answered += 1
                        return answer
            except (DatabaseUnavailable, TimeoutError) as error:
                self._leave(_describe(error))
        self.passed_by += 1
        return await ask(self._primary)

    def is_fresh(self) -> bool:
        """Tell whether all that the replica lacks was committed within the staleness bound."""
        return self._fresh_ns is not None and (
            self._clock.monotonic_ns() - self._fresh_ns < self._staleness_ns
        )

    async def check(self) -> None:
        """Ask the primary and the replica once."""
        asked_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(self._staleness_ns / 1e9):
                primary = await self._primary.read_position()
                replica = await self._replica.read_position()
        except (DatabaseUnavailable, Overloaded, TimeoutError) as error:
            self._leave(_describe(error))
            return
        if not replica.is_standby or primary.is_standby or replica.history != primary.history:
            self._asked.clear()
            self._leave("it is no standby of this primary, or has not followed its failover yet")
            return
        self._asked.append((asked_ns, primary.place))
        reached = [earlier_ns for earlier_ns, place in self._asked if place <= replica.place]
        if reached:
            self._fresh_ns = max(reached)
        if self.is_fresh():
            self._follow()
        else:
            self._leave(f"it is {primary.place - replica.place} bytes of the log behind")

    async def _keep_checking(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:  # noqa: BLE001  the task must survive whatever one question raises
                _log.exception("replica_check_failed")
                self._fresh_ns = None
            await asyncio.sleep(self._staleness_ns / 1e9 / limits.replica_checks_per_bound)

    def _follow(self) -> None:
        if self._fault is not None:
            self._fault = None
            _log.info("replica_followed")

    def _leave(self, fault: str) -> None:
        """Let the primary answer until the next check has found the replica well."""
        self._fresh_ns = None
        if self._fault is None or self._fault == "not asked yet":
            _log.warning("replica_left", reason=fault)
        self._fault = fault


def _describe(error: Exception) -> str:
    return "it does not answer in time" if isinstance(error, TimeoutError) else str(error)
