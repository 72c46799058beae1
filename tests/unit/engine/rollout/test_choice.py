"""The side of a request: by what it names, else by the state of its route."""

import pytest

from fastpay._native.identifiers import IdentifierSequence
from fastpay.engine.rollout.choice import (
    PLACES,
    RouteState,
    choose,
    owner_of,
    owner_of_all,
    place_of,
)

OURS, THEIRS = "ch_" + "0198c0de12347abc8def0123456789ab", "ch_3PqXyzABCdef0123456789ab"


def test_identifiers_of_this_server_can_be_told_from_others() -> None:
    assert owner_of(OURS) == "fastpay"
    assert owner_of(THEIRS) == "legacy"
    # As long, and hexadecimal, but of no time: another version of UUID.
    assert owner_of("cus_" + "0198c0de12344abc8def0123456789ab") == "legacy"
    assert owner_of(OURS.upper()) == "legacy"
    assert owner_of(OURS + "0") == "legacy"


def test_each_identifier_that_this_server_makes_is_its_own() -> None:
    made = IdentifierSequence(1_700_000_000_000 << 16 | 7 << 12, b"12345678")
    for prefix in ("ch", "pi", "cus", "evt", "we"):
        assert owner_of(made.next(prefix)) == "fastpay"


def test_objects_of_both_sides_are_a_question_for_the_other_one() -> None:
    assert owner_of_all([]) is None
    assert owner_of_all([OURS, OURS]) == "fastpay"
    assert owner_of_all([OURS, THEIRS]) == "legacy"


@pytest.mark.parametrize("percent", [0, 1, 50, 99, 100])
def test_a_share_is_that_share_and_who_is_in_it_stays_in_larger_ones(percent: int) -> None:
    count = 20_000
    subjects = [f"tenant {number}" for number in range(count)]
    inside = {one for one in subjects if choose(RouteState("split", percent), one) == "fastpay"}
    assert abs(len(inside) - count * percent / 100) <= 0.01 * count
    assert len(inside) in {0, count} or 0 < percent < 100
    for larger in range(percent, 101, 10):
        assert all(choose(RouteState("split", larger), one) == "fastpay" for one in inside)


def test_whom_nobody_knows_stays_where_it_was() -> None:
    assert choose(RouteState("split", 100), None) == "legacy"
    assert choose(RouteState("fastpay"), None) == "fastpay"
    assert choose(RouteState("legacy"), "tenant") == "legacy"


def test_a_place_never_changes() -> None:
    """Releases beside each other, and all later ones, must agree."""
    assert [place_of("tenant 1"), place_of("tenant 2")] == [5_120, 1_198]
    assert 0 <= place_of("") < PLACES
