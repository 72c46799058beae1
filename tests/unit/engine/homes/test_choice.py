"""Who is the home of a tenant: the same for everybody, and moved only where it must be."""

from collections import Counter

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.choice import Busy, HomeCount, choose_home, homes_among
from fastpay.engine.homes.ports import LATE, Load

SCOPES = [Scope(f"{number:032x}", livemode=bool(number % 2)) for number in range(2_000)]
MEMBERS = [f"{number:032x}" for number in range(4)]


def test_all_agree_whatever_order_they_see_the_members_in() -> None:
    for scope in SCOPES[:100]:
        assert choose_home(scope, MEMBERS) == choose_home(scope, MEMBERS[::-1])


def test_homes_are_spread_evenly_and_both_modes_of_a_tenant_apart() -> None:
    counts = Counter(choose_home(scope, MEMBERS) for scope in SCOPES)
    assert all(400 < counts[member] < 600 for member in MEMBERS)
    modes = [
        {choose_home(scope._replace(livemode=mode), MEMBERS) for mode in (True, False)} for scope in SCOPES
    ]
    assert any(len(homes) == 2 for homes in modes)


def test_a_member_that_leaves_or_joins_moves_its_own_tenants_only() -> None:
    for scope in SCOPES:
        before, after = choose_home(scope, MEMBERS), choose_home(scope, MEMBERS[:-1])
        assert after == before or before == MEMBERS[-1]


class Fleet:
    """Members that see each other's loads, the oldest first, once a round."""

    def __init__(self, members: int) -> None:
        self.counts = {member_id: HomeCount() for member_id in MEMBERS[:members]}

    def look(self, busy: list[int], times: int = 1) -> list[int]:
        """Return how many homes each member knows of after some rounds with these percentages."""
        for _ in range(times):
            loads = {
                member_id: Load(percent, self.counts[member_id].value)
                for member_id, percent in zip(self.counts, busy, strict=False)
            }
            for member_id, count in self.counts.items():
                count.see(member_id, loads)
        return [count.value for count in self.counts.values()]


def test_one_home_is_enough_until_it_is_busy_and_all_follow_the_oldest() -> None:
    fleet, enough = Fleet(3), limits.home_busy_percent - 1
    assert homes_among(MEMBERS[::-1], 1) == MEMBERS[:1]
    # However busy the others are with reads.
    assert fleet.look([enough, 100, 100], times=100) == [1, 1, 1]
    # A peak is no load.
    assert fleet.look([100, 0, 0], times=limits.home_busy_looks - 1) == [1, 1, 1]
    assert fleet.look([enough, 0, 0]) == [1, 1, 1]
    assert fleet.look([100, 0, 0], times=limits.home_busy_looks) == [2, 1, 1]
    assert fleet.look([50, 50, 0]) == [2, 2, 2]
    assert fleet.look([90, 90, 0], times=limits.home_busy_looks + 1) == [3, 3, 3]
    # There are no more.
    assert fleet.look([100, 100, 100], times=100) == [3, 3, 3]


def test_a_home_that_is_not_needed_is_one_no_more_and_half_a_load_neither_adds_nor_removes_one() -> None:
    fleet = Fleet(3)
    fleet.look([100, 100, 100], times=3 * limits.home_busy_looks)
    assert fleet.look([40, 40, 40], times=100) == [3, 3, 3]
    idle = [limits.home_idle_percent // 2, limits.home_idle_percent // 2, 0]
    assert fleet.look(idle, times=limits.home_idle_looks - 1) == [3, 3, 3]
    assert fleet.look(idle, times=2)[1:] == [2, 2]
    # One tenant keeps one of them busy: another home does not help it.
    assert fleet.look([95, 5, 0], times=100) == [2, 2, 2]
    assert fleet.look([5, 5, 0], times=limits.home_idle_looks + 1) == [1, 1, 1]


def test_all_are_homes_at_once_and_for_long_if_commands_wait_at_one() -> None:
    fleet = Fleet(4)
    assert fleet.look([LATE, 10, 10, 10], times=2) == [4, 4, 4, 4]
    assert fleet.look([5, 5, 5, 5], times=limits.home_late_looks) == [4, 4, 4, 4]
    assert fleet.look([5, 5, 5, 5], times=limits.home_idle_looks + 1) == [3, 3, 3, 3]
    # Who is no home says nothing about homes.
    assert fleet.look([5, 5, 5, LATE], times=limits.home_idle_looks) == [2, 2, 2, 2]


def test_who_becomes_the_oldest_goes_on_with_the_homes_that_there_are() -> None:
    fleet = Fleet(4)
    fleet.look([100] * 4, times=2 * limits.home_busy_looks)
    assert fleet.look([60] * 4) == [3, 3, 3, 3]
    del fleet.counts[MEMBERS[0]]
    assert fleet.look([60] * 3) == [3, 3, 3]
    # Of fewer members at most all are homes.
    del fleet.counts[MEMBERS[1]]
    assert fleet.look([60] * 2, times=2) == [2, 2]


def test_a_thread_is_as_busy_as_the_processor_time_that_it_got() -> None:
    times = iter([(0, 0), (1_000_000_000, 250_000_000), (2_000_000_000, 1_250_000_000)])
    moments: list[int] = []

    def now() -> int:
        moments[:] = next(times)
        return moments[0]

    busy = Busy(now, lambda: moments[1])
    assert (busy.percent(), busy.percent()) == (25, 100)
