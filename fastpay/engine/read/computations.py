"""Steps of long computations on the event loop: one step in each turn of the loop, and tenants take turns.

It is not enough that each computation yields to the loop: fifty of them would all take a step in each turn.
Within a tenant the one that began first goes first, so that a flood finishes one by one in time, and not all
at once too late.
"""

import asyncio
import heapq
import itertools

from fastpay.domain.identifiers import Scope


class Computations:
    """Lets one waiting computation at a time take its next step."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        # What waits, by tenant, the oldest first. The tenant whose turn is next comes first.
        self._lines: dict[Scope, list[tuple[int, asyncio.Future[None]]]] = {}
        self._is_calling = False

    def begin(self, scope: Scope) -> "Computation":
        """Return a computation for this tenant."""
        return Computation(self, scope, next(self._numbers))

    async def wait(self, scope: Scope, number: int) -> None:
        """Return when the computation of this number may take a step."""
        loop = asyncio.get_running_loop()
        called: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._lines.setdefault(scope, []), (number, called))
        if not self._is_calling:
            self._is_calling = True
            loop.call_soon(self._call)
        await called

    def _call(self) -> None:
        """Let one take its step, and call itself again in the next turn of the loop."""
        while self._lines:
            scope, line = next(iter(self._lines.items()))
            called = heapq.heappop(line)[1]
            del self._lines[scope]
            if line:
                # The tenant goes to the end.
                self._lines[scope] = line
            # A cancelled computation takes no step, and delays no other.
            if not called.done():
                called.set_result(None)
                asyncio.get_running_loop().call_soon(self._call)
                return
        self._is_calling = False


class Computation:
    """One computation."""

    __slots__ = ("_computations", "_number", "_scope")

    def __init__(self, computations: Computations, scope: Scope, number: int) -> None:
        self._computations = computations
        self._scope = scope
        self._number = number

    async def step(self) -> None:
        """Yield to the loop, and return when the next step may be taken."""
        await self._computations.wait(self._scope, self._number)
