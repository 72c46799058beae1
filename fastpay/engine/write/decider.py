"""Decides commands ahead of their commit, on a working set that is carried from batch to batch."""

from collections.abc import Sequence
from typing import Literal

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
# Commands are "refused" if one of them cannot be loaded for a reason that another attempt would not remove.
Loaded = Literal["loaded", "unreachable", "refused"]


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

    @property
    def trusts_keys(self) -> bool:
        """Whether keys that the working set does not hold are taken for new."""
        return self._prefetch.trusts_keys

    def must_load(self, entries: Sequence[QueuedSubmission]) -> bool:
        """Tell whether deciding these commands takes a question to the database."""
        self.working_set.forget_old_answers(entries)
        return self.working_set.lacks(entries, with_keys=not self.trusts_keys)

    async def load(self, entries: Sequence[QueuedSubmission], *, with_keys: bool) -> Loaded:
        """Load what commands need. It may be voided meanwhile."""
        try:
            await self._prefetch.load(self.working_set, entries, with_keys=with_keys)
        except TransientFailure:
            return "unreachable"
        except Exception:  # noqa: BLE001  a fault in one command must not stop the writer
            return "refused"
        return "loaded"

    async def load_and_decide(self, batch: DecidedBatch, entries: Sequence[QueuedSubmission]) -> bool:
        """Load what commands need, and decide them into the batch. Returns False if loading is refused.

        Does nothing more once the working set was voided meanwhile.
        """
        self.entries, working_set, trusts_keys = entries, self.working_set, self.trusts_keys
        loaded = await self.load(entries, with_keys=not trusts_keys)
        if working_set is not self.working_set:
            return True
        if loaded != "refused":
            await self.decide(batch, entries, loaded, trusts_keys=trusts_keys)
        return loaded != "refused"

    async def decide(
        self, batch: DecidedBatch, entries: Sequence[QueuedSubmission], loaded: Loaded, *, trusts_keys: bool
    ) -> None:
        """Decide commands into the batch that are loaded. If none of them is heavy, nothing is awaited."""
        working_set = self.working_set
        entries = drop_expired(entries, self._clock.monotonic_ns())
        self.entries = []
        batch.trusts_keys |= trusts_keys
        for number, entry in enumerate(entries):
            if loaded == "unreachable":
                entry.fail(DatabaseUnavailable(UNREACHABLE))
            elif entry.weight <= limits.plain_weight_max:
                batch.decide(working_set, entry)
            else:
                self.entries = entries[number:]
                await batch.decide_in_steps(working_set, entry, self._background)
                if working_set is not self.working_set:
                    return
        self.entries = []
