"""Decides commands ahead of their commit, on a working set that is carried from batch to batch."""

from collections.abc import Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.engine.background import Background
from fastpay.engine.failures import TransientFailure
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.prefetch import Prefetch
from fastpay.engine.write.queued import QueuedSubmission, drop_expired
from fastpay.engine.write.working_set import WorkingSet
from fastpay.errors import DatabaseUnavailable

UNREACHABLE = "The database cannot be reached right now. Try again."


class Decider:
    """Holds the working set, and the commands that are loaded or decided right now.

    Invariant: the working set is the committed state plus the effects of the batch at the database and of
    the open batch, as far as this instance knows. `void` is called when a batch could not be committed.
    """

    def __init__(self, prefetch: Prefetch, clock: Clock, background: Background) -> None:
        self._prefetch = prefetch
        self._clock = clock
        self._background = background
        self.working_set = WorkingSet()
        # Taken from the queue, and not in a batch yet.
        self.entries: Sequence[QueuedSubmission] = []

    def void(self) -> Sequence[QueuedSubmission]:
        """Forget the working set. Return the commands that were to be decided on it."""
        entries, self.entries = self.entries, []
        self.working_set = WorkingSet()
        return entries

    def must_load(self, entries: Sequence[QueuedSubmission]) -> bool:
        """Tell whether deciding these commands takes a question to the database."""
        return self.working_set.lacks(entries, with_keys=not self._prefetch.trusts_keys)

    async def decide(self, batch: DecidedBatch, entries: Sequence[QueuedSubmission]) -> bool:
        """Load what commands need, and decide them into the batch.

        Returns False if one of them cannot be loaded for a reason that another attempt would not remove: it
        has to be found under the lock. Does nothing more once the working set was voided meanwhile.
        """
        self.entries, working_set = entries, self.working_set
        trusts_keys = self._prefetch.trusts_keys
        is_reachable = True
        try:
            await self._prefetch.load(working_set, entries, with_keys=not trusts_keys)
        except TransientFailure:
            is_reachable = False
        except Exception:  # noqa: BLE001  a fault in one command must not stop the writer
            return working_set is not self.working_set
        if working_set is not self.working_set:
            return True
        entries = drop_expired(entries, self._clock.monotonic_ns())
        self.entries = []
        batch.trusts_keys |= trusts_keys
        for number, entry in enumerate(entries):
            if not is_reachable:
                entry.fail(DatabaseUnavailable(UNREACHABLE))
            elif entry.weight <= limits.plain_weight_max:
                batch.decide(working_set, entry)
            else:
                self.entries = entries[number:]
                await batch.decide_in_steps(working_set, entry, self._background)
                if working_set is not self.working_set:
                    return True
        self.entries = []
        return True
