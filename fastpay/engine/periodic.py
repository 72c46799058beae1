"""Work that is done again and again, away from any request, and put off while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable

from fastpay import limits
from fastpay.clock import Clock
from fastpay.errors import ClockSkewed, DatabaseUnavailable, Overloaded
from fastpay.observability import telemetry


class Periodic:
    """Does some work every `interval_ms`. The events of its log lines begin with `name`.

    An outage is said once, by whoever watches the database (`engine/dependencies.py`), and `is_away` tells of
    it. So a postponement is a warning only where it has another reason, and a failure at most once a minute.
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
        self._said_ns: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with the first time after one interval."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Stop at once: whatever was not done is done next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def do(self) -> None:
        """Do the work once, and let nothing that it raises out."""
        try:
            await self._work()
        except ClockSkewed:
            # Said by the timekeeper.
            return
        except (DatabaseUnavailable, Overloaded) as error:
            # The first may be the beginning of an outage that nobody knows of yet.
            self._postponed += 1
            if self._postponed > 1 and not self._is_away() and self._may_speak():
                self._log.warning(f"{self._name}_postponed", reason=error.message, times=self._postponed)
        except Exception:  # noqa: BLE001  tomorrow's work must not end with today's fault
            if self._may_speak():
                self._log.exception(f"{self._name}_failed")
        else:
            self._postponed = 0

    def _may_speak(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        if self._said_ns is not None and now_ns - self._said_ns < limits.outage_reminder_ms * 1_000_000:
            return False
        self._said_ns = now_ns
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_ms / 1000)
            await self.do()
