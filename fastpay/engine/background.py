"""Long computations share the event loop with other tenants' requests, and come second.

A batch of thousands of transfers is read, decided and written in steps of about a millisecond. A request that
arrives meanwhile needs some turns of the loop, and would wait for a step in each of them. So after a step the
computation gives way: it goes on when no other tenant has a request in progress, or when it has waited for
`give_way_ratio` times as long as its step took. That bound leaves it a fixed share of the loop beside tenants
that never pause.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import TypeVar

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.shares import Shares

_Result = TypeVar("_Result")


class Background:
    """Runs computations step by step, and gives way to the requests that `shares` counts."""

    def __init__(
        self, shares: Shares | None = None, monotonic_ns: Callable[[], int] = SystemClock.monotonic_ns
    ) -> None:
        self._shares = shares or Shares()
        self.now_ns = monotonic_ns

    def is_contended(self) -> bool:
        """Tell whether two tenants are active, so that a large batch is written by short statements."""
        return self._shares.is_contended()

    async def run(self, scope: Scope, steps: Generator[None, None, _Result]) -> _Result:
        """Run a tenant's computation to its end, and give way wherever it yields."""
        while True:
            begun_ns = self.now_ns()
            try:
                next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            await self.give_way(scope, begun_ns)

    async def give_way(self, scope: Scope, begun_ns: int) -> None:
        """Give the loop to others, after a step of this tenant's that began then."""
        spent_ns = self.now_ns() - begun_ns
        await asyncio.sleep(0)
        if self._shares.has_others(scope):
            await self._shares.wait_without_others(scope, limits.give_way_ratio * spent_ns / 1e9)
