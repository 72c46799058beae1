"""Who is the home of a tenant: the same for everybody, and moved only where it must be."""

from collections import Counter

from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.choice import choose_home, homes_among
from fastpay.engine.homes.ports import Member

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


def on_host(host: str, *numbers: int, processors: int = 1) -> list[Member]:
    """Return members on one host. The lower the number, the older the member."""
    return [
        Member(f"{number:032x}", "release", f"{number}", host=host, processors=processors)
        for number in numbers
    ]


def homes(*members: Member) -> list[int]:
    """Return the numbers of the members that are homes."""
    return sorted(int(one, 16) for one in homes_among(members))


def test_a_host_has_four_homes_for_each_processor_and_these_are_its_oldest_members() -> None:
    assert homes(*on_host("one", 5, 1, 4, 2, 6, 3)) == [1, 2, 3, 4]
    assert homes(*on_host("one", 5, 1, 4, 2, 6, 3, processors=2)) == [1, 2, 3, 4, 5, 6]


def test_each_host_has_homes_of_its_own() -> None:
    assert homes(*on_host("one", 1, 2, 3, 4, 5), *on_host("two", 8, 9)) == [1, 2, 3, 4, 8, 9]


def test_a_member_that_joins_moves_nothing_on_a_host_that_has_its_homes() -> None:
    before = on_host("one", 1, 2, 3, 4)
    assert homes(*before, *on_host("one", 5)) == homes(*before)


def test_the_oldest_of_the_others_takes_over_from_a_home_that_leaves() -> None:
    assert homes(*on_host("one", 2, 3, 4, 5, 6)) == [2, 3, 4, 5]
