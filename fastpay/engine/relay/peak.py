"""Deliveries give way to payments while the event loop is short of processor time.

Once in `relay_look_ms`, while this instance commits, the relay looks at how much of the time its thread
wanted a processor: it ran, or it was ready to run and waited.

    of the time            deliveries
    ---------------------  ------------------------------------------------------------------------------
    `relay_demand_max`     their rate is halved, down to one for each `relay_events_per_delivery` events
    or more                that are committed, and at least `relay_peak_per_second_min`
    less                   their rate grows again, until it has no bound
    no commit meanwhile    their rate has no bound

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
        self._events = self._begun = 0
        self._per_second: int | None = None
        self._rate = Rate(None)

    @property
    def is_on(self) -> bool:
        """Whether the rate has a bound."""
        return self._per_second is not None

    def committed(self, commits: Sequence[Commit], now_ns: int) -> None:
        """Count what was committed."""
        for commit in commits:
            self._events += commit.after - commit.before
        if self._looked_ns is None or now_ns - self._looked_ns >= limits.relay_look_ms * 1_000_000:
            self._look(now_ns)

    def rest(self, now_ns: int) -> None:
        """End the peak if nothing was committed for `relay_beat_ms`."""
        if self._looked_ns is not None and now_ns - self._looked_ns >= limits.relay_beat_ms * 1_000_000:
            self._looked_ns = None
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
        events, self._events = self._events, 0
        begun, self._begun = self._begun, 0
        if since_ns is None:
            return
        passed_ns = now_ns - since_ns
        per_second = self._per_second
        if self._wanted_ns - before_ns >= limits.relay_demand_max * passed_ns:
            least = events * 1_000_000_000 // (passed_ns * limits.relay_events_per_delivery)
            before = begun * 1_000_000_000 // passed_ns if per_second is None else per_second
            per_second = max(before // 2, least, limits.relay_peak_per_second_min)
        elif per_second is not None:
            per_second += per_second // 4
            per_second = per_second if per_second < limits.relay_peak_per_second_max else None
        self._pace(per_second)

    def _pace(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._rate.change(per_second)
