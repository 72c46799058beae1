"""Advances the search index in the background."""

import asyncio
from collections.abc import Callable

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.indexing_ports import SearchIndex
from fastpay.engine.periodic import PeriodicWork
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.indexing")


class Indexer(PeriodicWork):
    """Advances the index of each scope that wrote nothing since the last run.

    A scope that writes all the time is advanced once `search_backlog_max` events wait, some batches a run.
    Searches do not depend on it: they advance the index themselves if it is behind.
    """

    def __init__(
        self, index: SearchIndex, *, clock: Clock, is_away: Callable[[], bool] = lambda: False
    ) -> None:
        self._index = index
        self._seen: dict[Scope, int] = {}
        super().__init__(
            ("indexing", self.look, limits.search_interval_ms), clock=clock, log=_log, is_away=is_away
        )

    async def look(self) -> int:
        """Advance what may be advanced now, and return how many events were indexed."""
        backlogs = await self._index.list_backlogs(limits.search_scopes_max)
        seen, self._seen = self._seen, {backlog.scope: backlog.sequence for backlog in backlogs}
        count = 0
        for backlog in backlogs:
            is_idle = seen.get(backlog.scope) == backlog.sequence
            if is_idle or backlog.behind > limits.search_backlog_max:
                count += await self._advance(backlog.scope)
        return count

    async def _advance(self, scope: Scope) -> int:
        total = 0
        for _ in range(limits.search_visit_batches_max):
            count = await self._index.advance(scope)
            total += count
            if count < limits.search_batch_events:
                break
            # Leaves most of the time to payments.
            await asyncio.sleep(limits.search_pause_ms / 1000)
        return total
