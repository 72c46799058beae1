"""The deadline of a stop."""

import time

from fastpay import limits


class Deadline:
    """The remaining time of a stop, counted from the request to stop."""

    def __init__(self, drain_timeout_ms: int) -> None:
        self._drain_timeout_ms = drain_timeout_ms
        self._started: float | None = None

    def start(self) -> None:
        """Start the deadline; only the first call has an effect."""
        if self._started is None:
            self._started = time.monotonic()

    def left_ms(self) -> float:
        """Return the remaining time for an orderly end; a reserve for a forced end is subtracted."""
        self.start()
        assert self._started is not None
        # A longer drain than the default extends the deadline.
        slack = limits.stop_timeout_ms - limits.drain_timeout_ms
        total = max(limits.stop_timeout_ms, self._drain_timeout_ms + slack) - limits.stop_reserve_ms
        return max(0.0, total - (time.monotonic() - self._started) * 1000)
