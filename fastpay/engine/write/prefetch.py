"""Loads what commands need and the working set does not hold, while another batch is at the database.

Nearly every idempotency key is new, so keys are not looked up. If one was used before, the primary key of its
row refuses the batch, and the batch is decided again under the lock, where keys are looked up. Used keys come
in swarms, because many clients retry at once. So after the first one, and after a start, keys are looked up
for `keys_doubted_ms`.
"""

import asyncio
from collections.abc import Callable, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.failures import RefusedBatch, TransientFailure
from fastpay.engine.write.ports import WriterStore
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.working_set import WorkingSet
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.writer")


class Prefetch:
    """Fills a working set for commands that are decided next."""

    def __init__(self, store: WriterStore, clock: Clock, failed: Callable[[TransientFailure], None]) -> None:
        self._store = store
        self._clock = clock
        self._failed = failed
        self._doubts_until_ns = 0

    @property
    def trusts_keys(self) -> bool:
        """Whether keys that the working set does not hold are taken for new."""
        return self._clock.monotonic_ns() >= self._doubts_until_ns

    def doubt_keys(self) -> None:
        """Look keys up for a while, because one was found that had been used before."""
        self._doubts_until_ns = self._clock.monotonic_ns() + limits.keys_doubted_ms * 1_000_000

    async def load(
        self, working_set: WorkingSet, entries: Sequence[QueuedSubmission], *, with_keys: bool
    ) -> None:
        """Load what these entries need, if anything.

        Raises: TransientFailure after some attempts, TimeoutError, RefusedBatch.
        """
        working_set.forget_old_answers(entries)
        if not working_set.lacks(entries, with_keys=with_keys):
            return
        try:
            await self._load(working_set, entries, with_keys=with_keys)
        except RefusedBatch as refusal:
            _log.warning("prefetch_refused", sqlstate=refusal.sqlstate, commands=len(entries))
            raise

    async def _load(
        self, working_set: WorkingSet, entries: Sequence[QueuedSubmission], *, with_keys: bool
    ) -> None:
        async with asyncio.timeout(limits.prefetch_timeout_ms / 1000):
            for attempt in range(1, limits.commit_attempts_max + 1):
                try:
                    async with self._store.loading() as loader:
                        await working_set.load(loader, entries, with_keys=with_keys)
                    return
                except TransientFailure as failure:
                    self._failed(failure)
                    if failure.kind == "contention":
                        _log.warning("prefetch_retried", attempt=attempt, sqlstate=failure.sqlstate)
                    if attempt == limits.commit_attempts_max:
                        raise
                    await back_off(self._clock, attempt)


async def back_off(clock: Clock, attempt: int) -> None:
    """Wait before the next attempt: exponential backoff with jitter."""
    bound_ms = min(limits.commit_backoff_ms * 2**attempt, limits.commit_backoff_max_ms)
    # Between half of the bound and all of it, so that two instances do not collide again.
    jitter = int.from_bytes(clock.random_bytes(2), "big") / 0x1_0000
    await asyncio.sleep(bound_ms * (1 + jitter) / 2000)
