"""When a batch is closed, judged by the batch before.

An idle system commits a batch of one at once. On a busy one, the clients that were just answered send their
next requests within a moment. Committing the first of them alone would make all others wait for that commit.
So the free database waits for more, until one of these holds:

- the batch has three quarters of what the last one answered
- no command came for `gather_gap_us`
- half of the duration of the last commit is over, at most `gather_us_max`
"""

from fastpay import limits
from fastpay.clock import Clock


class Pace:
    """What the last batch answered, how long its commit took, and when it ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered = 0
        self._free_since_ns = 0
        self.commit_ns = 0

    def ended(self, begun_ns: int, answered: int) -> int:
        """Note that a batch has ended, and return when."""
        self._free_since_ns = self._clock.monotonic_ns()
        self.commit_ns = self._free_since_ns - begun_ns
        self._answered = answered
        return self._free_since_ns

    def is_enough(self, commands: int) -> bool:
        """Tell whether so many commands are most of those that can be expected."""
        return 4 * commands >= 3 * self._answered

    def patience_ns(self) -> int:
        """Return how much longer the free database may wait, zero or less if no longer."""
        patience_ns = min(self.commit_ns // 2, limits.gather_us_max * 1000)
        return self._free_since_ns + patience_ns - self._clock.monotonic_ns()
