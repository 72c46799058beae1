"""Lists and searches that are under way, each for everybody who wants the same; nothing of them is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope

_Answer = TypeVar("_Answer")


class SharedReads:
    """Reads that may be joined for `staleness_ns` after they began, unless the tenant changes meanwhile."""

    def __init__(self, *, clock: Clock, staleness_ns: int) -> None:
        self._clock = clock
        self._staleness_ns = staleness_ns
        self._running: dict[Scope, dict[Hashable, tuple[asyncio.Task[object], int]]] = {}
        self.joined = 0

    async def share(self, scope: Scope, wanted: Hashable, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return what `ask` returns, to all who want the same thing while it is being read."""
        running = self._running.setdefault(scope, {})
        now_ns = self._clock.monotonic_ns()
        found = running.get(wanted)
        if found is not None and now_ns - found[1] < self._staleness_ns:
            self.joined += 1
            task = found[0]
        else:
            task = asyncio.create_task(_call(ask))
            running[wanted] = (task, now_ns)
            task.add_done_callback(lambda ended: self._forget(scope, wanted, ended))
        # The key tells what its task returns.
        return cast(_Answer, await asyncio.shield(task))

    def outdate(self, scope: Scope) -> None:
        """Let nobody join any more what began before the tenant changed."""
        # Nearly always nothing is under way.
        if self._running:
            self._running.pop(scope, None)

    def _forget(self, scope: Scope, wanted: Hashable, task: "asyncio.Task[object]") -> None:
        running = self._running.get(scope, {})
        if wanted in running and running[wanted][0] is task:
            del running[wanted]
        if not running:
            self._running.pop(scope, None)
        if not task.cancelled():
            # Where everybody has gone away there is nobody to hear of it.
            task.exception()


async def _call(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    return await ask()
