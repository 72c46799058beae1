"""Steps of long computations on the loop: one in each turn of it, whoever computes, and tenants alternate.

A computation that yields to the loop is not enough: fifty of them would all take a step in each turn.
Within a tenant the one that began first goes first, so that a flood ends one after the other in time and not
all together too late.
"""

import asyncio
import heapq
import itertools

from fastpay.domain.identifiers import Scope


class Computations:
    """Calls those that wait for their next step. They are as many as there are computations."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        # By tenant, those that wait, the one that began first on top. Whose turn it is comes first.
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
        """Let one take its step, and come again in the next turn of the loop."""
        while self._lines:
            scope, line = next(iter(self._lines.items()))
            called = heapq.heappop(line)[1]
            del self._lines[scope]
            if line:
                # Behind the others until its next turn.
                self._lines[scope] = line
            # Who was cancelled takes no step, and does not cost one.
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
        """Let others have the loop, and return when the next step may be taken."""
        await self._computations.wait(self._scope, self._number)
