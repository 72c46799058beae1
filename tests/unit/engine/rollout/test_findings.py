"""What comparing finds is counted within bounds, and survives a database that is away."""

from collections.abc import Sequence

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.engine.rollout.finding_ports import Count, Example, RouteKey
from fastpay.engine.rollout.findings import OTHER, Findings
from fastpay.errors import DatabaseUnavailable

KEY = RouteKey(7, "GET /v1/charges")


class Store:
    """Satisfies `FindingsStore`."""

    def __init__(self) -> None:
        self.is_away = False
        self.counts: list[Count] = []
        self.examples: list[Example] = []

    async def add_findings(self, counts: Sequence[Count], examples: Sequence[Example]) -> None:
        if self.is_away:
            raise DatabaseUnavailable("away")
        self.counts += counts
        self.examples += examples

    async def purge_findings(self, days: int) -> None:
        assert days == limits.comparison_days


def make() -> tuple[Findings, Store]:
    store = Store()
    return Findings(store, clock=SystemClock()), store


async def test_counts_are_added_up_and_written_once() -> None:
    findings, store = make()
    for _ in range(3):
        findings.ended(KEY, "equal")
    findings.ended(KEY, "differing")
    findings.found(KEY, "difference", "money amount", 2)
    await findings.flush()
    await findings.flush()
    assert store.counts == [
        Count(KEY, "difference", "money amount", 2),
        Count(KEY, "outcome", "differing", 1),
        Count(KEY, "outcome", "equal", 3),
    ]
    assert findings.counts() == {
        "shadow_equal": 3,
        "shadow_differing": 1,
        "shadow_dropped": 0,
        "shadow_uncompared": 0,
    }


async def test_counts_wait_while_the_database_is_away() -> None:
    findings, store = make()
    store.is_away = True
    findings.ended(KEY, "equal")
    with pytest.raises(DatabaseUnavailable):
        await findings.flush()
    findings.ended(KEY, "equal")
    await findings.close()
    assert store.counts == []
    store.is_away = False
    await findings.close()
    assert store.counts == [Count(KEY, "outcome", "equal", 2)]


async def test_a_route_has_a_bounded_number_of_names() -> None:
    findings, store = make()
    for turn in range(2):
        for number in range(limits.comparison_names_max + 5):
            findings.found(KEY, "difference", f"value field_{number}")
        await findings.flush()
        assert sum(one.count for one in store.counts if one.name == OTHER) == 5 * (turn + 1)
    assert len({one.name for one in store.counts}) == limits.comparison_names_max + 1
    # A change of the route starts anew.
    findings.found(RouteKey(8, KEY.route), "difference", "value another")
    await findings.flush()
    assert store.counts[-1].name == "value another"


async def test_a_few_examples_of_each_name_are_kept() -> None:
    findings, store = make()
    for _ in range(limits.comparison_examples_max + 2):
        findings.found(KEY, "difference", "value a")
        number = findings.next_number(KEY, "value a")
        if number is not None:
            findings.keep(Example(KEY, "value a", number, "GET /v1/charges", "req_1", "1", "2"))
    assert findings.next_number(KEY, "value b") is None
    await findings.flush()
    assert [one.number for one in store.examples] == list(range(1, limits.comparison_examples_max + 1))
