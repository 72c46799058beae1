"""How much one endpoint is sent at a time, and how fast."""

from fastpay import limits


class Window:
    """Requests in flight: one more for each full window that succeeded, half as many after congestion.

    Source: V. Jacobson, "Congestion Avoidance and Control", 1988.
    """

    def __init__(self) -> None:
        self._size = float(limits.relay_window_start)
        self._halved_ns = 0

    @property
    def size(self) -> int:
        """The number of first attempts that may be in flight."""
        return int(self._size)

    @property
    def retries(self) -> int:
        """The number of later attempts that may be in flight beside them."""
        return max(1, self.size // limits.relay_retries_share)

    def succeeded(self) -> None:
        """Grow."""
        self._size = min(self._size + 1 / self._size, limits.relay_window_max)

    def congested(self, *, sent_ns: int, now_ns: int) -> None:
        """Halve, once for everything that was in flight together."""
        if sent_ns >= self._halved_ns:
            self._size = max(1.0, self._size / 2)
            self._halved_ns = now_ns


class Rate:
    """Spreads requests evenly over time. Without a rate it never waits."""

    def __init__(self, per_second: int | None) -> None:
        self._next_ns = 0
        self.change(per_second)

    def change(self, per_second: int | None) -> None:
        """Go on at another rate."""
        self._gap_ns = 0 if per_second is None else 1_000_000_000 // per_second

    def wait_ns(self, now_ns: int) -> int:
        """Return how long the next request has to wait."""
        return max(0, self._next_ns - now_ns)

    def began(self, now_ns: int) -> None:
        """Note that a request begins."""
        # What was late by less than a short burst is made up for.
        burst_ns = limits.relay_burst_ms * 1_000_000
        self._next_ns = max(self._next_ns, now_ns - burst_ns) + self._gap_ns


class Spare:
    """Paces the replays of an instance: they get what its live deliveries leave of a rate, and a minimum.

    While the loop is short of processor time they get the minimum.
    """

    def __init__(self) -> None:
        self._all = Rate(limits.relay_replays_per_second)
        self._minimum = Rate(limits.relay_replays_per_second_min)

    def wait_ns(self, now_ns: int, *, is_short: bool) -> int:
        """Return how long the next delivery of a replay has to wait."""
        if is_short:
            return self._minimum.wait_ns(now_ns)
        return min(self._all.wait_ns(now_ns), self._minimum.wait_ns(now_ns))

    def began(self, now_ns: int, *, is_replay: bool) -> None:
        """Note that a delivery begins."""
        # A burst of live deliveries must not slow replays down for long.
        if self._all.wait_ns(now_ns) < limits.relay_burst_ms * 1_000_000:
            self._all.began(now_ns)
        if is_replay:
            self._minimum.began(now_ns)
