"""Guardrails add to what all instances know, lose nothing, and roll back what is worse, once."""

from collections.abc import Sequence

import pytest

from fastpay.clock import SystemClock
from fastpay.engine.rollout.choice import FASTPAY, LEGACY
from fastpay.engine.rollout.evidence import Sides
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.guard_ports import SAMPLE, Kept
from fastpay.engine.rollout.guardrails import Guardrails
from fastpay.errors import DatabaseUnavailable

KEY = RouteKey(7, "POST /v1/payment_intents")


class Clock(SystemClock):
    """A clock that the test moves."""

    now = 0

    def monotonic_ns(self) -> int:
        return self.now


class Store:
    """Satisfies `GuardStore`."""

    def __init__(self) -> None:
        self.kept: dict[tuple[RouteKey, str], Kept] = {}
        self.is_away = self.is_overtaken = False
        self.doubles = 0
        self.looked_back_s: list[int] = []
        self.rolled_back: list[tuple[RouteKey, str]] = []

    async def read_evidence(self, changes: Sequence[int]) -> Sequence[Kept]:
        if self.is_away:
            raise DatabaseUnavailable("away")
        return [one for one in self.kept.values() if one.key.change in changes]

    async def keep_evidence(self, kept: Sequence[Kept]) -> Sequence[tuple[RouteKey, str]]:
        if self.is_overtaken:
            return []
        self.kept |= {(one.key, one.metric): one for one in kept}
        return [(one.key, one.metric) for one in kept]

    async def find_charged_twice(self, seconds: int) -> int:
        self.looked_back_s.append(seconds)
        return self.doubles

    async def roll_back(self, key: RouteKey, reason: str) -> bool:
        is_first = key not in [rolled for rolled, _ in self.rolled_back]
        if is_first:
            self.rolled_back.append((key, reason))
        return is_first

    def seen(self, metric: str) -> Sides:
        return self.kept[KEY, metric].evidence.seen


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guardrails(store: Store, clock: Clock) -> Guardrails:
    return Guardrails(store, clock=clock, slow_ms=5)


async def test_each_metric_counts_its_bad_requests(
    guardrails: Guardrails, store: Store, clock: Clock
) -> None:
    for status in (200, 402, 500, 503):
        guardrails.answered(KEY, FASTPAY, status, clock.now)
    clock.now = 5_000_000
    guardrails.answered(KEY, LEGACY, 200, 0)
    guardrails.answered(KEY, LEGACY, 200, 1)
    await guardrails.look()
    assert store.seen("errors") == Sides(2, 0, 4, 2)
    assert store.seen("declines") == Sides(2, 0, 4, 1)
    assert store.seen("slow") == Sides(2, 1, 4, 0)


@pytest.mark.parametrize("fault", ["is_away", "is_overtaken"])
async def test_a_block_that_another_instance_overtook_comes_again(
    guardrails: Guardrails, store: Store, fault: str
) -> None:
    setattr(store, fault, True)
    guardrails.answered(KEY, FASTPAY, 500, 0)
    try:
        await guardrails.look()
    except DatabaseUnavailable:
        assert fault == "is_away"
    guardrails.answered(KEY, LEGACY, 200, 0)
    setattr(store, fault, False)
    await guardrails.look()
    await guardrails.look()
    assert store.seen("errors") == Sides(1, 0, 1, 1)
    assert store.kept[KEY, "errors"].evidence.blocks == 1


@pytest.mark.parametrize(
    ("status", "slow_ns", "metric"), [(500, 0, "errors"), (402, 0, "declines"), (200, 9**9, "slow")]
)
async def test_what_is_worse_is_rolled_back_once(
    guardrails: Guardrails, store: Store, clock: Clock, status: int, slow_ns: int, metric: str
) -> None:
    clock.now = slow_ns
    for _ in range(10):
        for _ in range(10):
            guardrails.answered(KEY, LEGACY, 200, slow_ns)
            guardrails.answered(KEY, FASTPAY, status, 0)
        await guardrails.look()
    ((key, reason),) = store.rolled_back
    assert key == KEY
    assert reason.startswith(f"{metric}: ")
    assert guardrails.counts() == {"rollout_rollbacks": 1}


async def test_what_both_sides_share_is_no_reason(guardrails: Guardrails, store: Store) -> None:
    for _ in range(20):
        for _ in range(10):
            guardrails.answered(KEY, LEGACY, 500, 0)
            guardrails.answered(KEY, FASTPAY, 500, 0)
        await guardrails.look()
    assert store.rolled_back == []


async def test_a_key_that_both_sides_carried_out_is_enough(guardrails: Guardrails, store: Store) -> None:
    store.doubles = 1
    guardrails.answered(KEY, FASTPAY, 200, 0)
    await guardrails.look()
    assert [key for key, _ in store.rolled_back] == [KEY]


async def test_a_wrong_share_has_evidence_and_rolls_nothing_back(
    guardrails: Guardrails, store: Store
) -> None:
    for _ in range(300):
        guardrails.drawn(KEY, FASTPAY, 10)
    await guardrails.look()
    assert store.kept[KEY, SAMPLE].evidence.log > 100
    assert store.rolled_back == []


async def test_keys_are_looked_at_from_before_the_last_look(
    guardrails: Guardrails, store: Store, clock: Clock
) -> None:
    """However long that was ago, up to a minute: an instance looks only while something is split."""
    for second in (0, 1, 11, 500):
        clock.now = second * 10**9
        guardrails.answered(KEY, FASTPAY, 200, clock.now)
        await guardrails.look()
    assert store.looked_back_s == [60, 6, 15, 60]
