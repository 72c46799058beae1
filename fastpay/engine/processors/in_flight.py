"""Calls to processors that are in flight, counted by tenant: a processor that hangs is one tenant's trouble.

A call may take seconds or minutes, and there is room for `calls_max`. A tenant gets another one only while it
has fewer than `calls_free_factor` times what is free. So one tenant alone can fill nearly all of it, several
share it, and whoever has none in flight finds room.
Source: A. K. Choudhury, E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches",
IEEE/ACM Transactions on Networking 6 (1998).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.alarms import Alarms
from fastpay.errors import Overloaded

_Answer = TypeVar("_Answer")


class Cancellable(Protocol):
    """A call: a task, or what needs none."""

    def cancel(self) -> object:
        """End it. What is no task removes itself."""


class InFlight:
    """The calls to processors for live payments of this instance."""

    def __init__(self, calls_max: int, *, timeout_ms: int = limits.processor_timeout_ms) -> None:
        self.calls_max = calls_max
        self._timeout_s = timeout_ms / 1000
        self._calls: dict[Cancellable, Scope] = {}
        self._counts: dict[Scope, int] = {}
        # Cancels those that take too long. Made with the first call, since it needs the event loop.
        self._alarms: Alarms[asyncio.Task[object]] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._calls)

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if a tenant may begin no more."""
        free = self.calls_max - len(self._calls)
        if free <= 0:
            raise Overloaded("Too many payments wait for their processors. Try again in a little while.")
        if self._counts.get(scope, 0) >= limits.processor_calls_free_factor * free:
            raise Overloaded(
                "Too many of your payments wait for their processors. Try again in a little while."
            )

    def start(
        self,
        scope: Scope,
        call: Coroutine[object, object, None],
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        """Start a call as a task. `ended` is called when it has ended, even if it never began."""
        # Without a name of its own each one gets a number as its name, which has to be formatted. uvloop's
        # `create_task` gives it a name afterwards, which takes 2,500 instructions more.
        task = asyncio.Task(call, loop=asyncio.get_running_loop(), name="call a processor")
        self.add(scope, task)

        def end(task: asyncio.Task[None]) -> None:
            self.remove(task)
            ended()

        task.add_done_callback(end)

    def add(self, scope: Scope, call: Cancellable) -> None:
        """Count a call, until `remove`."""
        self._calls[call] = scope
        self._counts[scope] = self._counts.get(scope, 0) + 1

    def remove(self, call: Cancellable) -> None:
        """Count a call no more."""
        scope = self._calls.pop(call)
        left = self._counts[scope] - 1
        if left:
            self._counts[scope] = left
        else:
            del self._counts[scope]

    async def cancel(self) -> None:
        """Cancel all of them, and return when they have ended."""
        if self._alarms is not None:
            self._alarms.close()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        tasks = (call for call in calls if isinstance(call, asyncio.Task))
        await asyncio.gather(*tasks, return_exceptions=True)

    async def in_time(self, call: Awaitable[_Answer]) -> _Answer:
        """Return what a call answers. Raises: TimeoutError once it takes too long, and is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        alarms = self._alarms
        if alarms is None:
            alarms = self._alarms = Alarms(self._timeout_s, asyncio.Task.cancel)
        alarms.add(task)
        try:
            return await call
        except asyncio.CancelledError as error:
            # The instance may end at the same time: then it is not ours alone.
            if task in alarms or task.uncancel():
                raise
            raise TimeoutError from error
        finally:
            alarms.remove(task)
