"""Deliveries give way to payments while more is committed than deliveries could follow.

A delivery takes more of the event loop than the part of a payment that caused it. While an instance commits
more than `relay_followed_per_second` events a second, deliveries would fall behind anyway, and all that
they could do is to take the loop from payments. So they keep to a low rate until the peak is over, and then
catch up.
"""

from collections.abc import Sequence

from fastpay import limits
from fastpay.engine.ports import Commit
from fastpay.engine.relay.window import Rate


class Peak:
    """Counts the events that this instance commits, and paces all its deliveries together during a peak."""

    def __init__(self) -> None:
        self._events = 0
        self._counted_ns: int | None = None
        self._rate = Rate(None)
        self.is_on = False

    def committed(self, commits: Sequence[Commit]) -> None:
        """Count what was committed."""
        for commit in commits:
            self._events += commit.after - commit.before

    def look(self, now_ns: int) -> None:
        """Find out whether there is a peak, from the events since the last call."""
        events, self._events = self._events, 0
        since_ns, self._counted_ns = self._counted_ns, now_ns
        if since_ns is None or now_ns <= since_ns:
            return
        was_on = self.is_on
        self.is_on = events * 1_000_000_000 > limits.relay_followed_per_second * (now_ns - since_ns)
        if self.is_on != was_on:
            self._rate = Rate(limits.relay_peak_deliveries_per_second if self.is_on else None)

    def wait_ns(self, now_ns: int) -> int:
        """Return how long the next delivery has to wait."""
        return self._rate.wait_ns(now_ns)

    def began(self, now_ns: int) -> None:
        """Note that a delivery begins."""
        self._rate.began(now_ns)
