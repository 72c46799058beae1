"""For how long commits are held before other instances are told of them."""

import pytest

from fastpay import limits
from fastpay.operations.homes import notice_of_new_ms


@pytest.mark.parametrize(
    "staleness_ms", [0, 1, 100, 999, limits.read_staleness_ms, limits.read_staleness_ms_max]
)
def test_new_objects_are_told_of_no_sooner_than_changes_and_within_the_bound(staleness_ms: int) -> None:
    held_ms = notice_of_new_ms(staleness_ms)
    assert limits.home_notice_ms <= held_ms <= limits.home_notice_of_new_ms
    if staleness_ms >= 4 * limits.home_notice_ms:
        assert held_ms <= staleness_ms // 4


def test_where_nothing_is_cached_nobody_needs_to_hear_early() -> None:
    assert notice_of_new_ms(0) == limits.home_notice_of_new_ms
