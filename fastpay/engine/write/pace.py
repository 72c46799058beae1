"""How long the free database waits for more commands, going by the batch before."""

from fastpay import limits
from fastpay.clock import Clock


class Pace:
    """What the last batch says of the next: how many it answered, how long it took, and when it ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered = 0
        self._free_since_ns = 0
        self.commit_ns = 0

    def ended(self, begun_ns: int, answered: int) -> int:
        """Take note that a batch has ended, and return when."""
        self._free_since_ns = self._clock.monotonic_ns()
        self.commit_ns = self._free_since_ns - begun_ns
        self._answered = answered
        return self._free_since_ns

    def is_enough(self, commands: int) -> bool:
        """Tell whether so many commands are nearly all that can be expected."""
        return 4 * commands >= 3 * self._answered

    def patience_ns(self) -> int:
        """Return for how long the free database may still wait for more to do."""
        patience_ns = min(self.commit_ns // 2, limits.gather_us_max * 1000)
        return self._free_since_ns + patience_ns - self._clock.monotonic_ns()
