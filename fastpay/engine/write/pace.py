"""When a batch is closed, judged by the batch before.

An idle system commits a batch of one at once. On a busy one, the clients that were just answered send their
next requests within a moment. Committing the first of them alone would make all others wait for that commit.
So the free database waits for more, until one of these holds:

- the batch has three quarters of its share
- no command came for `gather_gap_us`
- half of the duration of the last commit is over, at most `gather_us_max`

The share is half of the commands that were in flight when the last batch ended: those that it answered, and
those that waited. So two batches take turns: while one is at the database, the commands of the other are
answered, read and decided. With all commands in one batch the database would stand still meanwhile, and the
process while they are there. With fewer than `halved_commands_min` in flight the share is what the last batch
answered: a batch costs something by itself, and two small ones more than they gain.
"""

from fastpay import limits
from fastpay.clock import Clock


class Pace:
    """The share of a batch, how long the last commit took, and when it ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.share = 0
        self._free_since_ns = 0
        self.commit_ns = 0

    def ended(self, begun_ns: int, answered: int, waiting: int) -> int:
        """Note that a batch has ended, and how many commands waited then. Return when it was."""
        self._free_since_ns = self._clock.monotonic_ns()
        self.commit_ns = self._free_since_ns - begun_ns
        in_flight = answered + waiting
        self.share = answered if in_flight < limits.halved_commands_min else _half(in_flight)
        return self._free_since_ns

    def room(self, decided: int, waiting: int) -> int:
        """Return how many more commands a batch for a free database takes beside so many decided ones."""
        in_flight = decided + waiting
        share = in_flight if in_flight < limits.halved_commands_min else max(self.share, _half(in_flight))
        return max(1, share - decided)

    def is_enough(self, commands: int) -> bool:
        """Tell whether so many commands are most of the share."""
        return 4 * commands >= 3 * self.share

    def patience_ns(self) -> int:
        """Return how much longer the free database may wait, zero or less if no longer."""
        patience_ns = min(self.commit_ns // 2, limits.gather_us_max * 1000)
        return self._free_since_ns + patience_ns - self._clock.monotonic_ns()


def _half(commands: int) -> int:
    return min((commands + 1) // 2, limits.decided_at_once_max)
