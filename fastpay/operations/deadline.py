"""How long a stop may take."""

import time

from fastpay import limits


class Deadline:
    """How long a stop may still take, counted from the moment that it was asked for."""

    def __init__(self, drain_timeout_ms: int) -> None:
        self._drain_timeout_ms = drain_timeout_ms
        self._started: float | None = None

    def start(self) -> None:
        """Begin to count; only the first call does."""
        if self._started is None:
            self._started = time.monotonic()

    def left_ms(self) -> float:
        """Return what is left for an orderly end, with a reserve kept back for a forced one."""
        self.start()
        assert self._started is not None
        # A longer drain than the default moves the end of everything else with it.
        slack = limits.stop_timeout_ms - limits.drain_timeout_ms
        total = max(limits.stop_timeout_ms, self._drain_timeout_ms + slack) - limits.stop_reserve_ms
        return max(0.0, total - (time.monotonic() - self._started) * 1000)
