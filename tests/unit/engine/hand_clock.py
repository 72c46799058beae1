"""A clock that stands still until a test moves it."""


class HandClock:
    """Satisfies `Clock`; its chance can be foretold."""

    def __init__(self) -> None:
        self._passed_ms = 0

    def advance_ms(self, span_ms: int) -> None:
        """Let time pass."""
        self._passed_ms += span_ms

    def now_ms(self) -> int:
        """Return the wall clock."""
        return 1_700_000_000_000 + self._passed_ms

    def monotonic_ns(self) -> int:
        """Return the clock for spans."""
        return self._passed_ms * 1_000_000

    def random_bytes(self, count: int) -> bytes:
        """Return zeros."""
        return bytes(count)
