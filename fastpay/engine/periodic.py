"""Periodic work outside of requests, which pauses while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable

from fastpay import limits
from fastpay.clock import Clock
from fastpay.errors import ClockSkewed, DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry


class PeriodicWork:
    """What does work every so often. Each of `works` is a name, what to do, and an interval in ms.

    `log` gets the log lines about all of it; see `Periodic`.
    """

    def __init__(
        self,
        *works: tuple[str, Callable[[], Awaitable[object]], int],
        clock: Clock,
        log: telemetry.Log,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._periodics = [
            Periodic(name, work, interval_ms=interval_ms, clock=clock, log=log, is_away=is_away)
            for name, work, interval_ms in works
        ]

    def start(self) -> None:
        """Begin. The work is done for the first time after one interval."""
        for periodic in self._periodics:
            periodic.start()

    async def close(self) -> None:
        """Stop at once. What was not done is done next time."""
        await asyncio.gather(*(periodic.close() for periodic in self._periodics))


class Periodic:
    """Does some work every `interval_ms`. Its log lines have the field work=`name`.

    An outage is logged in one place (`engine/dependencies.py`). So a postponement is logged here only if it
    has another reason, which `is_away` tells. Both warnings appear at most once a minute.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        *,
        interval_ms: int,
        clock: Clock,
        log: telemetry.Log,
        is_away: Callable[[], bool],
    ) -> None:
        self._name = name
        self._work = work
        self._interval_ms = interval_ms
        self._clock = clock
        self._log = log
        self._is_away = is_away
        self._postponed = 0
        self._logged_ns: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. The work is done for the first time after one interval."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Stop at once. What was not done is done next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def do(self) -> None:
        """Do the work once. Never raises."""
        try:
            await self._work()
        except ClockSkewed:
            # The timekeeper logs it.
            return
        except (DatabaseUnavailable, Overloaded) as error:
            # The first one may be the beginning of an outage that was not detected yet.
            self._postponed += 1
            if self._postponed > 1 and not self._is_away() and self._may_log():
                self._log.warning(
                    "work_postponed", work=self._name, reason=error.message, times=self._postponed
                )
        except Exception:  # noqa: BLE001  one failure must not end the periodic work
            if self._may_log():
                self._log.exception("work_failed", work=self._name)
        else:
            self._postponed = 0

    def _may_log(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        if self._logged_ns is not None and now_ns - self._logged_ns < limits.outage_reminder_ms * 1_000_000:
            return False
        self._logged_ns = now_ns
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_ms / 1000)
            await self.do()
