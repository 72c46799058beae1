"""What has to be done now and then, away from any request."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.periodic import Periodic
from fastpay.engine.ports import Purged
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.housekeeping")


class HousekeepingStore(Protocol):
    """The database as the housekeeper sees it."""

    async def purge_idempotency(
        self, first_block: int, blocks_max: int, *, retention_hours: int, now_ms: int
    ) -> Purged:
        """Forget the first answers in these blocks that are too old by the database's time and by `now_ms`.

        Raises: DatabaseUnavailable.
        """


class Housekeeper:
    """Forgets idempotency keys once they were kept long enough: sweeps over the table, some blocks at a time.

    First answers are written one after the other and never changed, so that those of an age lie together and
    a step mostly empties its blocks or leaves them alone. Nothing relies on it, since space is used again: a
    sweep goes over all blocks and looks at every row's age. After a step it waits many times as long as the
    step took, so that a database that has much to do gets more time. Any number of instances may sweep.

    `clock` is the machine's own. Where it and the database's disagree about an age, the younger one counts.
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
        # None until it is known how large the table is.
        self._next_block: int | None = None
        self._periodic = Periodic(
            "housekeeping",
            self._keep_house,
            interval_ms=limits.housekeeping_interval_ms,
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def start(self) -> None:
        """Begin to keep house."""
        self._periodic.start()

    async def close(self) -> None:
        """Stop at once: whatever was not done is done next time."""
        await self._periodic.close()

    async def sweep(self) -> int:
        """Go on from where the last sweep stopped to the table's end; return how many keys were forgotten.

        The first one jumps anywhere after a step: a process that lives shorter than a sweep takes would
        otherwise never see more than the table's beginning.

        Raises: DatabaseUnavailable. The next sweep goes on at the same block.
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
                self._next_block = self._anywhere(purged.blocks)
            else:
                self._next_block = first_block + limits.purge_blocks_max
            if self._next_block >= purged.blocks:
                self._next_block = 0
                return count
            await asyncio.sleep(max(limits.purge_pause_ms, took_ms * limits.purge_pause_factor) / 1000)

    def _anywhere(self, blocks: int) -> int:
        """Return any of the blocks beyond the first step's."""
        beyond = max(blocks - limits.purge_blocks_max, 1)
        return limits.purge_blocks_max + int.from_bytes(self._clock.random_bytes(8), "big") % beyond

    async def _keep_house(self) -> None:
        count = await self.sweep()
        if count:
            _log.info("idempotency_keys_purged", rows=count)
