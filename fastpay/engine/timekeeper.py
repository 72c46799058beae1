"""Synchronizes the process with the database's clock, and stops writes while its own clock is wrong.

All times in the books come from one `DatabaseClock`, which is corrected once in `clock_interval_ms`. So a
jump of the machine's wall clock puts no wrong time into the books. But of two clocks that disagree nobody can
tell which one is wrong. While they are further apart than the bound, the instance takes no writes and expires
nothing.

The age of the estimate has no bound, but its error has: the transaction of each batch compares the times in
it with the database's clock (`check_moments` in `engine/write/transactions.py`).
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from fastpay import limits
from fastpay.clock import DatabaseClock
from fastpay.engine.identity import IdentifierFactory
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.clock")

_ADVICE = "let NTP set the clocks of this machine and of the database; writes are refused until they agree"


class MomentStore(Protocol):
    """What the timekeeper needs from the database."""

    async def read_moment(self) -> int:
        """Return the database's time in microseconds since 1970. Raises: DatabaseUnavailable, Overloaded."""


class Timekeeper:
    """Corrects the clock. Suspends identifiers while the wall clock is off by more than `refused_ms`."""

    def __init__(
        self,
        store: MomentStore,
        *,
        clock: DatabaseClock,
        identifiers: IdentifierFactory,
        refused_ms: int = limits.clock_refused_ms,
    ) -> None:
        self._store = store
        self._clock = clock
        self._identifiers = identifiers
        self._refused_ms = refused_ms
        self._task: asyncio.Task[None] | None = None
        self._skew_ms = 0
        # When the clock became wrong, and when that was last logged, on the monotonic clock.
        self._wrong_since_ns: int | None = None
        self._logged_ns = 0

    def start(self) -> None:
        """Begin to correct the clock."""
        self._task = asyncio.create_task(self._run(), name="timekeeper")

    async def close(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def counts(self) -> Mapping[str, int]:
        """Return how far the wall clock was ahead of the database's at the last correction."""
        return {"clock_skew_ms": self._skew_ms}

    async def look(self) -> None:
        """Read the database's time, correct the clock, and compare the wall clock with it."""
        asked_ns = self._clock.monotonic_ns()
        try:
            moment_us = await self._store.read_moment()
        except (DatabaseUnavailable, Overloaded):
            # The monotonic clock continues from the last correction.
            pass
        else:
            self._clock.observe(moment_us, asked_ns=asked_ns, answered_ns=self._clock.monotonic_ns())
        skew_ms = self._clock.skew_ms()
        if skew_ms is None:
            return
        self._skew_ms = skew_ms
        if abs(skew_ms) > self._refused_ms:
            self._suspend()
        elif self._wrong_since_ns is not None:
            self._resume(self._wrong_since_ns)

    def _suspend(self) -> None:
        now_ns = self._clock.monotonic_ns()
        self._identifiers.suspend(
            "The clock of this server and that of its database disagree. Nothing was done. Try again."
        )
        if self._wrong_since_ns is None:
            self._wrong_since_ns = now_ns
        elif now_ns - self._logged_ns < limits.clock_report_interval_ms * 1_000_000:
            return
        self._logged_ns = now_ns
        for_s = (now_ns - self._wrong_since_ns) // 1_000_000_000
        _log.error("clock_skewed", ahead_ms=self._skew_ms, for_s=for_s, advice=_ADVICE)

    def _resume(self, wrong_since_ns: int) -> None:
        self._identifiers.resume()
        self._wrong_since_ns = None
        for_s = (self._clock.monotonic_ns() - wrong_since_ns) // 1_000_000_000
        _log.info("clock_corrected", ahead_ms=self._skew_ms, was_wrong_for_s=for_s)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(limits.clock_interval_ms / 1000)
            try:
                await self.look()
            except Exception:  # noqa: BLE001  one failure must not end the corrections
                _log.exception("clock_check_failed")
