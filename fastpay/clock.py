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

    def monotonic_ns(self) -> int:
        """Return a clock for measuring spans, in nanoseconds, that never goes back."""
        return time.monotonic_ns()

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
