"""Deliveries give way to payments while the thread is short of processor time, and only then."""

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Commit
from fastpay.engine.relay.peak import Peak

MS_NS = 1_000_000
SCOPE = Scope("1", livemode=False)
LOOK_NS = limits.relay_look_ms * MS_NS


class Loop:
    """A thread that commits and delivers, in steps of a millisecond."""

    def __init__(
        self, *, committed_per_ms: int = 0, demand: float = 0.0, delivery_demand: float = 0.0
    ) -> None:
        """`demand` is the share of the time that the rest takes, `delivery_demand` that of one delivery."""
        self.committed_per_ms = committed_per_ms
        self.demand = demand
        self.delivery_demand = delivery_demand
        self.now_ns = 0
        self._wanted_ns = 0.0
        self.peak = Peak(lambda: int(self._wanted_ns))
        # How many milliseconds lie between two commits.
        self.gap_ms = 18

    def run(self, ms: int, *, most_per_ms: int = 20) -> int:
        """Deliver as much as may begin, and return how much that was."""
        before = 0
        for _ in range(ms):
            self.now_ns += MS_NS
            begun = 0
            while begun < most_per_ms and not self.peak.wait_ns(self.now_ns):
                self.peak.began(self.now_ns)
                begun += 1
            before += begun
            self._wanted_ns += MS_NS * (self.demand + begun * self.delivery_demand)
            if self.committed_per_ms and not self.now_ns % (self.gap_ms * MS_NS):
                events = self.committed_per_ms * self.gap_ms
                commits = [Commit(SCOPE, 7, 7 + half, []) for half in (events // 2, events - events // 2)]
                self.peak.committed(commits, self.now_ns)
        return before


@pytest.mark.parametrize("committed_per_ms", [4, 12])
def test_deliveries_are_few_while_the_loop_is_short_of_processor_time(committed_per_ms: int) -> None:
    loop = Loop(committed_per_ms=committed_per_ms, demand=0.7)
    loop.run(20 * limits.relay_look_ms)
    few = max(1_000 * committed_per_ms // limits.relay_events_per_delivery, limits.relay_peak_per_second_min)
    assert loop.run(10_000) == pytest.approx(10 * few, rel=0.15)


def test_a_look_that_finds_time_now_and_then_changes_little() -> None:
    loop, begun = Loop(committed_per_ms=4, demand=1.0), 0
    loop.run(1_000)
    for number in range(200):
        loop.demand = number % 2
        begun += loop.run(2 * loop.gap_ms)
    few = 4_000 // limits.relay_events_per_delivery * (400 * loop.gap_ms) // 1_000
    assert begun <= 1.3 * few


def test_deliveries_do_not_hide_the_peak_that_they_cause() -> None:
    """What they take lowers the rate of commits: the fewer commits, the more of them would be let through."""
    loop = Loop(committed_per_ms=4, demand=0.6, delivery_demand=0.2)
    loop.run(1_000)
    few = loop.run(1_000)
    # Batches stay as large, since as many commands wait as before.
    loop.committed_per_ms, loop.gap_ms = 1, 72
    assert loop.run(1_000) < few


def test_deliveries_take_what_is_left_of_the_loop() -> None:
    loop = Loop(committed_per_ms=4, demand=0.1, delivery_demand=0.1)
    loop.run(1_000)
    left = (limits.relay_demand_max - loop.demand) / loop.delivery_demand
    assert loop.run(10_000) == pytest.approx(10_000 * left, rel=0.4)


@pytest.mark.parametrize(("committed_per_ms", "demand"), [(1, 1.0), (20, 0.4)])
def test_neither_a_busy_machine_nor_a_slow_database_makes_events_wait(
    committed_per_ms: int, demand: float
) -> None:
    """Few payments that get the processor late, and large batches on a loop that has time."""
    loop = Loop(committed_per_ms=committed_per_ms, demand=demand)
    assert loop.run(1_000) == 20_000


def test_deliveries_have_no_bound_while_nothing_is_committed() -> None:
    assert Loop(demand=1.0).run(1_000) == 20_000


def test_a_peak_ends_when_there_is_time_or_nothing_is_committed() -> None:
    loop = Loop(committed_per_ms=4)
    found = []
    for loop.demand in (1.0, 0.0, 1.0):
        loop.run(2_000)
        found.append(loop.peak.is_on)
    for rested_ns in (limits.relay_beat_ms * MS_NS - LOOK_NS, limits.relay_beat_ms * MS_NS):
        loop.peak.rest(loop.now_ns + rested_ns)
        found.append(loop.peak.is_on)
    assert found == [True, False, True, True, False]


def test_a_beat_between_two_commits_does_not_end_a_peak() -> None:
    loop = Loop(committed_per_ms=4, demand=1.0)
    for _ in range(1_000):
        loop.run(1)
        loop.peak.rest(loop.now_ns)
    assert loop.peak.is_on
