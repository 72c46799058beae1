"""When a batch is closed, judged by the batches before.

An idle system commits a batch of one at once. On a busy one, the clients that were just answered send their
next requests within a moment. Committing the first of them alone would make all others wait for that commit.
So the free database waits for more, until one of these holds:

- the batch has three quarters of its share
- no command came for `gather_gap_us`
- half of the duration of the last commit is over, at most `gather_us_max`

The share is half of the commands that were in flight when the last batch ended: those that it answered, and
those that waited. So two batches take turns: while one is at the database, the commands of the other are
answered, read and decided. With all commands in one batch the database would stand still meanwhile, and the
process while they are there. A share is at most what is decided at once, and what is decided beside a commit
goes into one batch, however much it is.

The share is all that is in flight where two batches cost more than they gain:

- With fewer than `halved_commands_min`: a batch costs something by itself. Then it is what the last batch
  answered.
- While commits are slow: with one batch each command waits for one commit and for what the process does, and
  with two for two commits. So two are worse once that part of a commit which does not depend on its commands
  takes longer than what the process does for all that are in flight. The database's part for a command is
  taken to be as long as the process's own. A few commits decide, so that a single slow one changes nothing.
- While batches are decided under the lock, with nothing beside them.
"""

from collections.abc import Callable

from fastpay import limits
from fastpay.clock import Clock, running_ns


class Pace:
    """The share of a batch, how long the last commit took, and when it ended.

    `used` counts the nanoseconds that this thread has run.
    """

    def __init__(self, clock: Clock, used: Callable[[], int] = running_ns) -> None:
        self._clock = clock
        self.used = used
        self.share = 0
        self._free_since_ns = 0
        self.commit_ns = 0
        self._used_ns = used()
        # What the process does for a command, a moving average.
        self._command_ns = 0
        # A saturating counter: one more for each slow commit, one less for each other.
        self._slow_commits = 0

    def ended(self, begun_ns: int, answered: int, waiting: int, *, is_ahead: bool = True) -> int:
        """Note that a batch has ended, and how many commands waited then. Return when it was.

        `is_ahead` tells whether the next one is decided before it is at the database.
        """
        self._free_since_ns = self._clock.monotonic_ns()
        self.commit_ns = self._free_since_ns - begun_ns
        in_flight = answered + waiting
        self._compare(answered, in_flight)
        if in_flight < limits.halved_commands_min:
            self.share = answered
        else:
            self.share = self._half(in_flight) if is_ahead and not self._is_slow() else in_flight
        return self._free_since_ns

    def room(self, decided: int, waiting: int) -> int:
        """Return how many more commands a batch for a free database takes beside so many decided ones."""
        share = in_flight = decided + waiting
        if in_flight >= limits.halved_commands_min and not self._is_slow():
            share = max(self.share, self._half(in_flight))
        return max(1, share - decided)

    def is_enough(self, commands: int) -> bool:
        """Tell whether so many commands are most of the share."""
        return 4 * commands >= 3 * self.share

    def patience_ns(self) -> int:
        """Return how much longer the free database may wait, zero or less if no longer."""
        patience_ns = min(self.commit_ns // 2, limits.gather_us_max * 1000)
        return self._free_since_ns + patience_ns - self._clock.monotonic_ns()

    def _compare(self, answered: int, in_flight: int) -> None:
        """Note whether a commit was slow beside what the process does."""
        before, self._used_ns = self._used_ns, self.used()
        command_ns = (self._used_ns - before) // max(1, answered)
        self._command_ns += (command_ns - self._command_ns) // 4 if self._command_ns else command_ns
        if in_flight >= limits.halved_commands_min:
            is_slow = self.commit_ns > self._command_ns * (answered + in_flight)
            slow_commits = self._slow_commits + (1 if is_slow else -1)
            self._slow_commits = max(0, min(slow_commits, 2 * limits.slow_commits_min))

    def _is_slow(self) -> bool:
        return self._slow_commits >= limits.slow_commits_min

    @staticmethod
    def _half(in_flight: int) -> int:
        return min((in_flight + 1) // 2, limits.decided_at_once_max)
