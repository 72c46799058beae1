"""What has to be done now and then, away from any request."""

import asyncio
from typing import Protocol

from fastpay import limits, telemetry
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.errors import DatabaseUnavailable

_log = telemetry.Log("fastpay.housekeeping")

_HOUR_MS = 3_600_000


class HousekeepingStore(Protocol):
    """The database as the housekeeper sees it."""

    async def list_scopes(self) -> list[Scope]:
        """Return every tenant and mode. Raises: DatabaseUnavailable."""

    async def purge_idempotency(self, scope: Scope, oldest_ms: int, rows_max: int) -> int:
        """Forget first answers older than `oldest_ms`; return how many. Raises: DatabaseUnavailable."""


class Housekeeper:
    """Forgets idempotency keys once they were kept long enough, a bounded number of rows at a time."""

    def __init__(self, store: HousekeepingStore, *, clock: Clock, retention_hours: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_ms = retention_hours * _HOUR_MS
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep house."""
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def close(self) -> None:
        """Stop at once: whatever was not done is done next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def purge(self) -> int:
        """Forget every key that may be forgotten by now, and return how many there were."""
        oldest_ms = self._clock.now_ms() - self._retention_ms
        purged = 0
        for scope in await self._store.list_scopes():
            while True:
                count = await self._store.purge_idempotency(scope, oldest_ms, limits.purge_rows_max)
                purged += count
                if count < limits.purge_rows_max:
                    break
        return purged

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(limits.housekeeping_interval_ms / 1000)
            try:
                purged = await self.purge()
            except DatabaseUnavailable:
                _log.warning("housekeeping_postponed")
            except Exception:  # noqa: BLE001  tomorrow's work must not end with today's fault
                _log.exception("housekeeping_failed")
            else:
                if purged:
                    _log.info("idempotency_keys_purged", rows=purged)
