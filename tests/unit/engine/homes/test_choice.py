"""Who is the home of a tenant: the same for everybody, and moved only where it must be."""

from collections import Counter

from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.choice import choose_home

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
