"""Endpoints are spread evenly, and as few as possible move when instances come and go."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fastpay.engine.relay.lease_ports import Spread
from fastpay.engine.relay.spread import quota

NAMES = st.text("0123456789abcdef", min_size=1, max_size=4)
HELD = st.dictionaries(NAMES, st.integers(0, 12), min_size=1, max_size=6)


def moved_at_least(spread: Spread) -> int:
    """Return how many endpoints have to leave their holders for an even spread, whoever gets one more."""
    least, left_over = divmod(spread.endpoints, len(spread.held))
    return min(
        sum(max(0, held - least - (name in more)) for name, held in spread.held.items())
        for more in combinations(spread.held, left_over)
    )


@given(HELD, st.integers(0, 20))
def test_every_spread_is_even_and_moves_as_few_as_possible(held: dict[str, int], free: int) -> None:
    """`free` endpoints are those that nobody holds, and those of instances that are gone."""
    spread = Spread(sum(held.values()) + free, held)
    quotas = {name: quota(spread, name) for name in held}
    assert sum(quotas.values()) == spread.endpoints
    assert max(quotas.values()) - min(quotas.values()) <= 1
    assert sum(max(0, held[name] - quotas[name]) for name in held) == moved_at_least(spread)


@given(HELD, st.integers(0, 20), NAMES)
def test_an_even_spread_stays_though_instances_look_again_or_come(
    held: dict[str, int], free: int, comer: str
) -> None:
    quotas = {name: quota(Spread(sum(held.values()) + free, held), name) for name in held}
    settled = Spread(sum(quotas.values()), quotas)
    assert {name: quota(settled, name) for name in quotas} == quotas
    if comer not in quotas:
        larger = Spread(settled.endpoints, quotas | {comer: 0})
        moved = sum(max(0, quotas[name] - quota(larger, name)) for name in quotas)
        # It gets its share, and nothing moves between the others.
        assert moved == quota(larger, comer) == settled.endpoints // len(larger.held)


def test_endpoints_are_free_that_no_live_instance_holds() -> None:
    assert Spread(3, {"a": 1, "b": 1}).has_free
    assert not Spread(2, {"a": 1, "b": 1}).has_free
