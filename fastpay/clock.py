"""Time and randomness, owned in one place so that a test or a simulation can own both."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the program may know of time and chance."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970, UTC."""

    def monotonic_ns(self) -> int:
        """Return a clock for measuring spans, in nanoseconds, that never goes back."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes fit for keys and ids."""


class SystemClock:
    """The machine's own clock and entropy."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        """Return a clock for measuring spans, in nanoseconds, that never goes back."""
        return time.monotonic_ns()

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes fit for keys and ids."""
        return os.urandom(count)
