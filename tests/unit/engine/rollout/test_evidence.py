"""Evidence does not grow by itself, however often one looks, and grows fast where fastpay is worse."""

import itertools
import math
import random

import pytest

from fastpay import limits
from fastpay.engine.rollout.evidence import METRICS, Evidence, Sides, effect_of, log_of_ratio

RUNS, BLOCKS = 1_000, 200


def expectation(evidence: Evidence, legacy: tuple[int, float], fastpay: tuple[int, float]) -> float:
    """Return what a block is expected to multiply the evidence by: a sum over all that can happen."""
    (there, rate), (here, own_rate) = legacy, fastpay
    return sum(
        math.comb(there, bad)
        * rate**bad
        * (1 - rate) ** (there - bad)
        * math.comb(here, own)
        * own_rate**own
        * (1 - own_rate) ** (here - own)
        * math.exp(evidence.after(Sides(there, bad, here, own)).log - evidence.log)
        for bad in range(there + 1)
        for own in range(here + 1)
    )


SEEN = (Sides(), Sides(1000, 10, 100, 40), Sides(1000, 500, 10, 0), Sides(50, 0, 50, 50))
RATES = (0.0, 0.001, 0.01, 0.2, 0.5, 0.99)


@pytest.mark.parametrize("seen", SEEN)
def test_a_block_is_expected_not_to_add_evidence_unless_fastpay_is_worse(seen: Sides) -> None:
    for (there, here), (rate, own_rate) in itertools.product(
        ((1, 1), (7, 3), (2, 9)), itertools.product(RATES, RATES)
    ):
        grown = expectation(Evidence(seen), (there, rate), (here, own_rate))
        if own_rate <= rate:
            assert grown <= 1 + 1e-9, (there, here, rate, own_rate)


def bad_of(chance: random.Random, rate: float, count: int) -> list[int]:
    """Return how many of `count` requests are bad in each block."""
    likely = [math.comb(count, bad) * rate**bad * (1 - rate) ** (count - bad) for bad in range(count + 1)]
    return chance.choices(range(count + 1), likely, k=BLOCKS)


def simulated(chance: random.Random, rates: tuple[float, float], requests: tuple[int, int]) -> int | None:
    """Return the block after which fastpay is taken for worse, looking after each; None if never."""
    evidence = Evidence()
    drawn = [bad_of(chance, rate, count) for rate, count in zip(rates, requests, strict=True)]
    for block, bad in enumerate(zip(*drawn, strict=True)):
        evidence = evidence.after(Sides(requests[0], bad[0], requests[1], bad[1]))
        if evidence.is_worse:
            return block + 1
    return None


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_of_a_thousand_equal_pairs_at_most_the_stated_rate_is_rolled_back(rate: float) -> None:
    chance = random.Random(7)
    fallen = sum(simulated(chance, (rate, rate), (9, 3)) is not None for _ in range(RUNS))
    assert fallen <= RUNS * limits.guardrail_false_rate / len(METRICS)


@pytest.mark.parametrize(
    ("rates", "requests", "blocks"),
    [
        ((0.001, 0.1), (90, 10), 20),
        ((0.01, 0.5), (99, 1), 30),
        ((0.05, 0.15), (50, 50), 20),
        ((0.0, 0.01), (50, 50), 150),
    ],
)
def test_a_worse_side_is_found(rates: tuple[float, float], requests: tuple[int, int], blocks: int) -> None:
    chance = random.Random(7)
    found = [simulated(chance, rates, requests) for _ in range(50)]
    assert all(one is not None and one <= blocks for one in found), found


@pytest.mark.parametrize(("every", "requests"), [(100, 1_100), (50, 550), (20, 220), (10, 100), (1, 10)])
def test_so_many_requests_of_each_side_are_enough(every: int, requests: int) -> None:
    """Each `every`th request is bad at fastpay, none at the older API; docs/MIGRATION.md has the numbers."""
    evidence = Evidence()
    for number in itertools.count(1):
        evidence = evidence.after(Sides(1, 0, 1, int(number % every == 0)))
        if evidence.is_worse:
            break
    assert evidence.seen.fastpay == requests


def test_a_better_side_is_never_worse() -> None:
    chance = random.Random(7)
    assert all(simulated(chance, (0.3, 0.05), (9, 9)) is None for _ in range(50))


def test_an_empty_block_and_a_block_of_one_side_say_nothing() -> None:
    for block in (Sides(), Sides(10, 9, 0, 0), Sides(0, 0, 10, 9)):
        assert Evidence().after(block).log == pytest.approx(0)


def test_a_wrong_share_is_found_and_a_right_one_is_not() -> None:
    threshold = math.log(1 / limits.guardrail_false_rate)
    assert log_of_ratio(900, 100, 50) > threshold
    assert log_of_ratio(990, 10, 10) > threshold
    chance = random.Random(7)
    wrong = 0
    for _ in range(RUNS):
        legacy = fastpay = 0
        for _ in range(BLOCKS):
            if chance.random() < 0.1:
                fastpay += 1
            else:
                legacy += 1
            if log_of_ratio(legacy, fastpay, 10) > threshold:
                wrong += 1
                break
    assert wrong <= RUNS * limits.guardrail_false_rate
    assert log_of_ratio(10, 0, 0) == log_of_ratio(0, 10, 100) == 0


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.01, 0.01), (0.02, 0.3), (0.5, 0.1)])
def test_an_interval_holds_at_every_look_and_gets_narrow(rates: tuple[float, float]) -> None:
    chance, runs, looks = random.Random(7), 200, 25
    missed = 0
    for _ in range(runs):
        seen = Sides()
        for _ in range(looks):
            bad = [sum(chance.random() < rate for _ in range(20)) for rate in rates]
            seen = seen.plus(Sides(20, bad[0], 20, bad[1]))
            effect = effect_of(seen)
            assert effect.low <= effect.difference <= effect.high
            if not effect.low <= rates[1] - rates[0] <= effect.high:
                missed += 1
                break
        assert effect.high - effect.low < 0.45
    assert missed <= runs * limits.guardrail_false_rate


def test_an_interval_is_all_that_is_possible_without_requests_and_narrow_with_many() -> None:
    assert effect_of(Sides()) == (0, -1, 1)
    difference, low, high = effect_of(Sides(100_000, 1_000, 100_000, 2_000))
    assert 0.006 < low < difference < high < 0.014
    assert difference == pytest.approx(0.01)
