"""Time and randomness, behind one interface so that tests and simulations can replace both."""

import time
from pathlib import Path
from typing import Protocol

from fastpay import limits
from fastpay._native import entropy

_SCHEDULED = Path("/proc/thread-self/schedstat")


class Clock(Protocol):
    """The source of time and randomness."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970, UTC."""

    def monotonic_ns(self) -> int:
        """Return a monotonic clock in nanoseconds, for measuring durations."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` random bytes, fit for keys and identifiers."""


class SystemClock:
    """The machine's own clock and entropy."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    # The functions themselves: a method around each would cost more than what it calls, several times a
    # request.
    monotonic_ns = staticmethod(time.monotonic_ns)
    random_bytes = staticmethod(entropy.random_bytes)


def running_ns() -> int:
    """Return for how long this thread has run, without what it waited for a processor."""
    return time.thread_time_ns()


def processor_ns() -> int:
    """Return for how long this thread has run, or was ready to run and waited for a processor.

    Source: Linux, sched-stats.rst, "/proc/<pid>/schedstat". Elsewhere the time of waiting is not known.
    """
    try:
        run_ns, waited_ns, _ = _SCHEDULED.read_bytes().split()
    except (OSError, ValueError):
        return time.thread_time_ns()
    return int(run_ns) + int(waited_ns)


class DatabaseClock:
    """The database's time, extrapolated by the machine's monotonic clock between two readings.

    Setting the machine's wall clock does not move it. The wall clock is only the first estimate, and what
    `skew_ms` compares with. Every reading bounds the estimate from both sides, because the database reads
    its clock between the question and the answer. So a slow answer gives loose bounds, but never wrong
    ones.
    """

    __slots__ = ("_machine", "_offset_ns", "monotonic_ns", "random_bytes")

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        # Bound directly, without another call in between: every request uses these.
        self.monotonic_ns = machine.monotonic_ns
        self.random_bytes = machine.random_bytes
        # The difference between the database's time and the monotonic clock.
        self._offset_ns = machine.now_ms() * 1_000_000 - machine.monotonic_ns()

    def now_ms(self) -> int:
        """Return the estimate of the database's time in milliseconds since 1970, UTC."""
        return (self.monotonic_ns() + self._offset_ns) // 1_000_000

    def observe(self, database_us: int, *, asked_ns: int, answered_ns: int) -> None:
        """Correct the estimate by a reading of the database between two times of the monotonic clock."""
        earliest_ns = database_us * 1_000 - answered_ns
        latest_ns = database_us * 1_000 - asked_ns
        self._offset_ns = max(earliest_ns, min(self._offset_ns, latest_ns))

    def skew_ms(self) -> int | None:
        """Return how far the wall clock is ahead of the database's time; None if it cannot be told."""
        before_ns = self.monotonic_ns()
        wall_ms = self._machine.now_ms()
        after_ns = self.monotonic_ns()
        if after_ns - before_ns > limits.clock_reading_ms_max * 1_000_000:
            # The process was stopped between the two readings, so their difference means nothing.
            return None
        return wall_ms - (before_ns + self._offset_ns) // 1_000_000
