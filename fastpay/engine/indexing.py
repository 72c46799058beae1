"""Carries the search index on, in hours when there is less to do."""

import asyncio

from fastpay import limits, telemetry
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import SearchIndex
from fastpay.errors import DatabaseUnavailable, Overloaded

_log = telemetry.Log("fastpay.indexing")


class Indexer:
    """Looks now and then at who is behind, and carries on where nothing was written since the last look.

    A scope that never rests is carried on once `search_backlog_max` events wait, some batches a look.
    Searches do not wait for any of it: what is missing they carry on themselves.
    """

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._seen: dict[Scope, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="indexing")

    async def close(self) -> None:
        """Stop at once: whatever was not done is done next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(limits.search_interval_ms / 1000)
            try:
                await self.look()
            except (DatabaseUnavailable, Overloaded):
                _log.warning("indexing_postponed")
            except Exception:  # noqa: BLE001  tomorrow's work must not end with today's fault
                _log.exception("indexing_failed")
