"""Limits by client address."""

import pytest

from fastpay.server.addresses import TokenBuckets, group_of

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("no:address", "no:address"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_counts_as_a_group(host: str | None, group: str) -> None:
    assert group_of(host) == group


def test_a_bucket_gives_its_burst_and_then_what_it_gains() -> None:
    buckets = TokenBuckets(burst=3, per_second=2, groups_max=10)
    assert [buckets.take("a", 0) for _ in range(4)] == [True, True, True, False]
    assert buckets.wait_ns("a", 0) == SECOND_NS // 2
    assert not buckets.has_token("a", SECOND_NS // 2 - 1)
    assert buckets.has_token("a", SECOND_NS // 2)
    assert [buckets.take("a", SECOND_NS // 2) for _ in range(2)] == [True, False]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    buckets = TokenBuckets(burst=2, per_second=1, groups_max=10)
    assert buckets.take("a", 0)
    later_ns = 3_600 * SECOND_NS
    assert [buckets.take("a", later_ns) for _ in range(3)] == [True, True, False]


def test_asking_in_vain_does_not_make_the_wait_longer() -> None:
    buckets = TokenBuckets(burst=1, per_second=1, groups_max=10)
    assert buckets.take("a", 0)
    assert not any(buckets.take("a", 0) for _ in range(100))
    assert buckets.take("a", SECOND_NS)


def test_each_group_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(burst=1, per_second=1, groups_max=10)
    assert buckets.take("a", 0)
    assert not buckets.take("a", 0)
    assert buckets.take("b", 0)


def test_there_are_no_more_buckets_than_allowed_and_the_least_recently_used_goes_first() -> None:
    buckets = TokenBuckets(burst=2, per_second=1, groups_max=3)
    for group in "abc":
        assert buckets.take(group, 0)
    assert buckets.take("a", 0)
    assert buckets.take("d", 0)
    assert len(buckets) == 3
    # "b" was forgotten and is full again; "a" was used after it and is still known.
    assert not buckets.has_token("a", 0)
    assert [buckets.take("b", 0) for _ in range(3)] == [True, True, False]
    for number in range(1_000):
        buckets.take(str(number), 0)
    assert len(buckets) == 3
