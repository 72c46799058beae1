"""Time and randomness, owned in one place so that a test or a simulation can own both."""

import os
import time
from collections import deque
from typing import Protocol

from fastpay import limits

_BLOCK_BYTES = 16

# Entropy drawn ahead, since each draw is a call of the system. Taking a block from a deque is one step, so
# that no two threads get the same one; the other side of a fork begins anew.
_blocks: deque[bytes] = deque()
os.register_at_fork(after_in_child=_blocks.clear)


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

    # The function itself: a method around it would cost more than the reading, several times a request.
    monotonic_ns = staticmethod(time.monotonic_ns)

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes fit for keys and ids."""
        if count > _BLOCK_BYTES:
            return os.urandom(count)
        try:
            return _blocks.popleft()[:count]
        except IndexError:
            drawn = os.urandom(_BLOCK_BYTES * limits.entropy_blocks_drawn)
            _blocks.extend(
                drawn[at : at + _BLOCK_BYTES] for at in range(_BLOCK_BYTES, len(drawn), _BLOCK_BYTES)
            )
            return drawn[:count]


class DatabaseClock:
    """The database's time, carried on by the machine's monotonic clock between two questions.

    Setting the machine's wall clock does not move it. The wall clock is only the first guess, and what
    `skew_ms` compares. Every answer of the database bounds the estimate from both sides: the database read
    its clock at some moment between the question and the answer. So a slow answer says little, and never
    something wrong.
    """

    __slots__ = ("_machine", "_offset_ns", "monotonic_ns", "random_bytes")

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        # Without another call in between: these are on the way of every request.
        self.monotonic_ns = machine.monotonic_ns
        self.random_bytes = machine.random_bytes
        # What has to be added to the monotonic clock.
        self._offset_ns = machine.now_ms() * 1_000_000 - machine.monotonic_ns()

    def now_ms(self) -> int:
        """Return the database's time in milliseconds since 1970, UTC, as far as it is known."""
        return (self.monotonic_ns() + self._offset_ns) // 1_000_000

    def observe(self, database_us: int, *, asked_ns: int, answered_ns: int) -> None:
        """Correct the estimate by what the database said between two moments of the monotonic clock."""
        earliest_ns = database_us * 1_000 - answered_ns
        latest_ns = database_us * 1_000 - asked_ns
        self._offset_ns = max(earliest_ns, min(self._offset_ns, latest_ns))

    def skew_ms(self) -> int | None:
        """Return by how much the wall clock is ahead of the database's time; None where nobody can tell."""
        before_ns = self.monotonic_ns()
        wall_ms = self._machine.now_ms()
        after_ns = self.monotonic_ns()
        if after_ns - before_ns > limits.clock_reading_ms_max * 1_000_000:
            # Stopped between the readings, which then do not belong together.
            return None
        return wall_ms - (before_ns + self._offset_ns) // 1_000_000
