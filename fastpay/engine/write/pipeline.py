"""What is taken from the queue and not answered yet: commands aside, and the batches."""

from fastpay.domain.identifiers import Scope
from fastpay.engine.write.batch import Batch, DecidedBatch, UndecidedBatch
from fastpay.engine.write.pace import Pace
from fastpay.engine.write.queue import FairQueue
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.engine.write.steps import AtDatabase, Mode, NextCommand, OpenBatch


class Pipeline:
    """Tells what the loop's next step depends on (see `steps.py`). `sizes` are a batch's commands and weight.

    Commands go from the queue into the batch `open`, and with it to the database as `committing`. Those that
    need something to be loaded are `aside` before, with all later ones of their tenants.
    """

    def __init__(self, queue: FairQueue, pace: Pace, *, sizes: tuple[int, int]) -> None:
        self._queue = queue
        self._pace = pace
        self._commands_max, self._weight_max = sizes
        self.open: DecidedBatch | UndecidedBatch = DecidedBatch()
        self.committing: Batch | None = None
        # In the order in which they came. There is room for all of them in the open batch.
        self.aside: list[QueuedSubmission] = []
        # How many more batches are decided under the lock. Invariant: the open batch is undecided, or empty,
        # while this is positive, and decided otherwise.
        self.locked_left = 0

    def __bool__(self) -> bool:
        """Tell whether there is any command in it."""
        return self.committing is not None or bool(self.open.entries or self.aside)

    @property
    def begins(self) -> bool:
        """Whether the open batch is empty, and takes commands now, by the table of steps."""
        is_empty = not self.open.entries and not self.aside and self._queue.is_ready
        return is_empty and (self.committing is None or isinstance(self.committing, DecidedBatch))

    def state(self) -> tuple[OpenBatch, AtDatabase, NextCommand, Mode]:
        """Return the columns of the table of steps, except whether the loop is closing."""
        next_command = self._next_command()
        mode: Mode = "locked" if self.locked_left else "ahead"
        return self._open_batch(next_command), self._at_database(), next_command, mode

    def room(self) -> tuple[int, int]:
        """Return how many more commands the open batch takes, and of what weight."""
        commands, weight = self._commands_max - len(self.open.entries), self._weight_max - self.open.weight
        if self.aside:
            commands -= len(self.aside)
            weight -= sum(entry.weight for entry in self.aside)
        return commands, weight

    def concerns(self, scope: Scope) -> bool:
        """Tell whether a command of this tenant is in one of the batches, or aside."""
        if any(entry.submission.scope == scope for entry in self.aside):
            return True
        return self.open.concerns(scope) or (self.committing is not None and self.committing.concerns(scope))

    def clear(self) -> list[QueuedSubmission]:
        """Empty the open batch, and return its commands and those aside."""
        entries, self.open, self.aside = [*self.open.entries, *self.aside], DecidedBatch(), []
        return entries

    def expected_wait_ns(self, scope: Scope) -> int:
        """Return how long a new command of this tenant waits, if all batches take as long as the last."""
        commands, weight = self._queue.ahead_of(scope)
        return max(commands // self._commands_max, weight // self._weight_max) * self._pace.commit_ns

    def _open_batch(self, next_command: NextCommand) -> OpenBatch:
        count = len(self.open.entries)
        if not count:
            return "empty"
        is_full = count >= self._commands_max or (next_command == "waits" and self._queue.is_ready)
        if is_full or self._pace.is_enough(count):
            # What is aside is still to be decided into it.
            can_encode = isinstance(self.open, DecidedBatch) and self.open.can_encode_ahead and not self.aside
            return "heavy" if can_encode else "due"
        return "late" if self._pace.patience_ns() <= 0 else "waiting"

    def _at_database(self) -> AtDatabase:
        if self.committing is None:
            return "nothing"
        return "decided" if isinstance(self.committing, DecidedBatch) else "undecided"

    def _next_command(self) -> NextCommand:
        if not self._queue.is_ready:
            # Commands of paused or parked tenants only, if any.
            return "waits" if len(self._queue) or self._queue.has_parked or self.aside else "none"
        # The first command of a batch fits whatever it weighs.
        commands, weight = self.room()
        fits = not (self.open.entries or self.aside) or (commands > 0 and self._queue.fits(weight))
        return "fits" if fits else "waits"
