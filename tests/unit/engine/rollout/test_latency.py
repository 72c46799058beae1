"""Durations of both sides are counted in buckets, and fastpay is slower once it is sure."""

import functools
import random
from collections import Counter

import pytest

from fastpay import limits
from fastpay.engine.rollout.latency import Latency, latency_of, names_of

MS = 1_000_000


def known(*pairs: tuple[float, float]) -> Latency:
    """Return what pairs of durations in milliseconds say."""
    found = latency_of(
        Counter(name for one, other in pairs for name in names_of(int(one * MS), int(other * MS)))
    )
    assert found is not None
    return found


@pytest.mark.parametrize("duration_ms", [0.15, 1.0, 7.3, 250.0, 29_000.0])
def test_a_quantile_is_at_most_a_fifth_too_high(duration_ms: float) -> None:
    found = known((duration_ms, 2 * duration_ms))
    for quantile in (found.legacy_p50_ms, found.legacy_p99_ms):
        assert duration_ms * 0.999 <= quantile <= duration_ms * 1.2
    assert found.fastpay_p50_ms > duration_ms * 1.9 or duration_ms > limits.legacy_timeout_ms / 2


def test_one_in_a_hundred_is_seen_at_the_end_only() -> None:
    found = known(*[(1.0, 2.0)] * 98, *[(1.0, 900.0)] * 2)
    assert (found.pairs, found.legacy_p50_ms, found.legacy_p99_ms) == (100, 1.13, 1.13)
    assert (found.fastpay_p50_ms, found.fastpay_p99_ms) == (2.26, 974.2)


def test_names_are_bounded_however_long_it_took() -> None:
    names = {name for duration_ms in range(0, 200_000, 7) for name in names_of(duration_ms * MS, 10**18)}
    assert len(names) < 80
    assert latency_of({}) is None


def test_of_a_thousand_routes_without_a_slower_side_at_most_the_stated_rate_is_called_slow() -> None:
    """Looked at after each request, with durations that are drawn from one distribution."""
    chance, wrong = random.Random(7), 0

    @functools.cache
    def is_slower(slower: int, count: int) -> bool:
        found = latency_of({"slower": slower, "not slower": count - slower})
        return found is not None and found.is_slower

    for _ in range(1_000):
        slower = 0
        for count in range(1, 201):
            slower += chance.expovariate(1) >= chance.expovariate(1)
            if is_slower(slower, count):
                wrong += 1
                break
    assert wrong <= 1_000 * limits.guardrail_false_rate
