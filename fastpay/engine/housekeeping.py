"""Deletes expired first answers in the background."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.ports import Purged
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.housekeeping")


class HousekeepingStore(Protocol):
    """What the housekeeper needs from the database."""

    async def purge_idempotency(
        self, first_block: int, blocks_max: int, *, retention_hours: int, now_ms: int
    ) -> Purged:
        """Delete the first answers in these blocks that are too old by the database's time and by `now_ms`.

        Raises: DatabaseUnavailable.
        """


class Housekeeper(PeriodicWork):
    """Deletes first answers after their retention: sweeps over the table, some blocks at a time.

    First answers are appended and never changed, so rows of the same age are mostly in the same blocks. A
    sweep still looks at the age of every row, because freed space is used again. After each step it waits for
    a multiple of the step's duration, so that a busy database gets more time. Any number of instances may
    sweep.

    `clock` is the machine's own. If it disagrees with the database about an age, the younger one counts.
    """

    def __init__(
        self,
        store: HousekeepingStore,
        *,
        clock: Clock,
        retention_hours: int,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention_hours = retention_hours
        # None until the size of the table is known.
        self._next_block: int | None = None
        super().__init__(
            ("housekeeping", self._purge, limits.housekeeping_interval_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    async def sweep(self) -> int:
        """Continue where the last sweep stopped, to the end of the table. Return how many rows were deleted.

        The first sweep jumps to a random block after one step. Otherwise a process that is restarted often
        would only ever see the beginning of the table.

        Raises: DatabaseUnavailable. The next sweep continues at the same block.
        """
        count = 0
        while True:
            first_block = self._next_block or 0
            began_ns = self._clock.monotonic_ns()
            purged = await self._store.purge_idempotency(
                first_block,
                limits.purge_blocks_max,
                retention_hours=self._retention_hours,
                now_ms=self._clock.now_ms(),
            )
            took_ms = (self._clock.monotonic_ns() - began_ns) / 1_000_000
            count += purged.rows
            if self._next_block is None:
                self._next_block = self._random_block(purged.blocks)
            else:
                self._next_block = first_block + limits.purge_blocks_max
            if self._next_block >= purged.blocks:
                self._next_block = 0
                return count
            await asyncio.sleep(max(limits.purge_pause_ms, took_ms * limits.purge_pause_factor) / 1000)

    def _random_block(self, blocks: int) -> int:
        """Return a random block beyond those of the first step."""
        beyond = max(blocks - limits.purge_blocks_max, 1)
        return limits.purge_blocks_max + int.from_bytes(self._clock.random_bytes(8), "big") % beyond

    async def _purge(self) -> None:
        count = await self.sweep()
        if count:
            _log.info("idempotency_keys_purged", rows=count)
