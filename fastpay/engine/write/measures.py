"""What the writers of this process measure: once a batch, never for each command."""

from collections.abc import Sequence

from fastpay import limits
from fastpay._native.histograms import Histograms
from fastpay.engine.write.queued import QueuedSubmission
from fastpay.observability.buckets import BATCH_BOUNDS, DURATION_BOUNDS_NS


class Measures:
    """The sizes of batches, their times at the database, and the waits before that."""

    def __init__(self) -> None:
        self.batch_commands = Histograms(BATCH_BOUNDS, 1)
        self.commits_ns = Histograms(DURATION_BOUNDS_NS, 1)
        self.waits_ns = Histograms(DURATION_BOUNDS_NS, 1)
        self.replays = 0

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {"replays": self.replays}

    def committed(self, entries: Sequence[QueuedSubmission], begun_ns: int, ended_ns: int) -> None:
        """Measure a batch that has come back from the database."""
        self.batch_commands.observe(len(entries))
        self.commits_ns.observe(ended_ns - begun_ns)
        # A command that the client's own deadline cuts short does not say when it came.
        if entries and entries[0].begin_by_ns != entries[0].submission.deadline_ns:
            queued_ns = entries[0].begin_by_ns - limits.begin_timeout_ms * 1_000_000
            self.waits_ns.observe(begun_ns - queued_ns)


# A process has one set, as it has one log.
MEASURES = Measures()
