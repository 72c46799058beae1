"""Carries the search index on, in hours when there is less to do."""

import asyncio
from collections.abc import Callable

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.periodic import Periodic
from fastpay.engine.ports import SearchIndex
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.indexing")


class Indexer:
    """Looks now and then at who is behind, and carries on where nothing was written since the last look.

    A scope that never rests is carried on once `search_backlog_max` events wait, some batches a look.
    Searches do not wait for any of it: what is missing they carry on themselves.
    """

    def __init__(
        self, index: SearchIndex, *, clock: Clock, is_away: Callable[[], bool] = lambda: False
    ) -> None:
        self._index = index
        self._seen: dict[Scope, int] = {}
        self._periodic = Periodic(
            "indexing",
            self.look,
            interval_ms=limits.search_interval_ms,
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def start(self) -> None:
        """Begin to look."""
        self._periodic.start()

    async def close(self) -> None:
        """Stop at once: whatever was not done is done next time."""
        await self._periodic.close()

    async def look(self) -> int:
        """Carry on what may be carried on now, and return how many events it was."""
        backlogs = await self._index.list_backlogs(limits.search_scopes_max)
        seen, self._seen = self._seen, {backlog.scope: backlog.sequence for backlog in backlogs}
        count = 0
        for backlog in backlogs:
            rests = seen.get(backlog.scope) == backlog.sequence
            if rests or backlog.behind > limits.search_backlog_max:
                count += await self._carry_on(backlog.scope)
        return count

    async def _carry_on(self, scope: Scope) -> int:
        total = 0
        for _ in range(limits.search_visit_batches_max):
            count = await self._index.advance(scope)
            total += count
            if count < limits.search_batch_events:
                break
            # Payments come first: most of the time is theirs.
            await asyncio.sleep(limits.search_pause_ms / 1000)
        return total
