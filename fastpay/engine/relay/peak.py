"""Deliveries give way to payments that wait for processor time.

Once in `relay_look_ms`, while this instance commits, the relay looks at two things. How much of the time did
its thread want a processor: it ran, or it was ready to run and waited? And how many events had a commit: the
more commands wait, the larger are the batches.

    what is found                          what the rate of deliveries does
    -------------------------------------  ---------------------------------------------------------------
    `relay_demand_max` of the time and     it is halved, down to one for each `relay_events_per_delivery`
    `relay_peak_events` a commit, or more  events, and `relay_peak_per_second_min` at least
    less of one of them                    it grows by a quarter, until it has no bound
    no commit                              it has no bound

It is cut faster than it grows, so that a look which happens to find less, every third or so, changes little.

A slow database makes large batches as well, and a machine that others keep busy takes the processor from few
payments as well: neither is a reason to let events wait. Replays wait in both cases (see `window.Spare`).

The rate of commits would be the wrong measure: deliveries that take the loop from payments lower it, and
would hide the peak that they are in the way of.
"""

from collections.abc import Callable, Sequence

from fastpay import clock, limits
from fastpay.engine.ports import Commit
from fastpay.engine.relay.window import Rate


class Peak:
    """Paces all deliveries of this instance together during a peak.

    `processor_ns` returns for how long the thread has wanted a processor since some time.
    """

    def __init__(self, processor_ns: Callable[[], int] = clock.processor_ns) -> None:
        self._processor_ns = processor_ns
        self._wanted_ns = 0
        self._looked_ns: int | None = None
        self._commits = self._events = self._begun = 0
        self._per_second: int | None = None
        self._rate = Rate(None)
        # Whether the thread wanted a processor for most of the time when this was looked at last.
        self.is_short = False

    @property
    def is_on(self) -> bool:
        """Whether the rate has a bound."""
        return self._per_second is not None

    def committed(self, commits: Sequence[Commit], now_ns: int) -> None:
        """Count what was committed."""
        self._commits += 1
        for commit in commits:
            self._events += commit.after - commit.before
        if self._looked_ns is None or now_ns - self._looked_ns >= limits.relay_look_ms * 1_000_000:
            self._look(now_ns)

    def rest(self, now_ns: int) -> None:
        """End the peak if nothing was committed for `relay_beat_ms`."""
        if self._looked_ns is not None and now_ns - self._looked_ns >= limits.relay_beat_ms * 1_000_000:
            self._looked_ns, self.is_short = None, False
            self._pace(None)

    def wait_ns(self, now_ns: int) -> int:
        """Return how long the next delivery has to wait."""
        return self._rate.wait_ns(now_ns)

    def began(self, now_ns: int) -> None:
        """Note that a delivery begins."""
        self._begun += 1
        self._rate.began(now_ns)

    def _look(self, now_ns: int) -> None:
        """Choose the rate, from what has happened since the last call."""
        since_ns, self._looked_ns = self._looked_ns, now_ns
        before_ns, self._wanted_ns = self._wanted_ns, self._processor_ns()
        (number, events), self._commits, self._events = (self._commits, self._events), 0, 0
        begun, self._begun = self._begun, 0
        if since_ns is None:
            return
        passed_ns = now_ns - since_ns
        per_second = self._per_second
        self.is_short = self._wanted_ns - before_ns >= limits.relay_demand_max * passed_ns
        if self.is_short and events >= limits.relay_peak_events * number:
            least = events * 1_000_000_000 // (passed_ns * limits.relay_events_per_delivery)
            before = begun * 1_000_000_000 // passed_ns if per_second is None else per_second
            per_second = max(before // 2, least, limits.relay_peak_per_second_min)
        elif per_second is not None:
            grown = per_second + max(1, per_second // limits.relay_peak_growth)
            per_second = grown if grown < limits.relay_peak_per_second_max else None
        self._pace(per_second)

    def _pace(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._rate.change(per_second)
