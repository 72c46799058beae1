"""What a write would have done is held against what the legacy API's answer implies."""

from typing import Any

import msgspec
import pytest

from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.effects import compare_effects
from fastpay.engine.write.trial import Effects

ROUTE = "POST /v1/payment_intents"
PAID = {"status": "succeeded", "amount_received": 1999, "currency": "usd"}
EVENTS = ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded")
MOVED = {("capture", "usd"): 1999}


def named(effects: Effects, body: dict[str, Any] = PAID, status: int = 200) -> list[str]:
    """Return the names of the differences."""
    return [one.name for one in compare_effects(ROUTE, Shown(status, msgspec.json.encode(body)), effects)]


def test_what_the_answer_implies_is_no_difference() -> None:
    assert named(Effects(EVENTS, MOVED)) == []
    # Others may be announced between them.
    assert named(Effects(("a", EVENTS[0], "b", *EVENTS[1:]), MOVED)) == []


@pytest.mark.parametrize(
    ("effects", "names"),
    [
        (Effects(EVENTS[:2], MOVED), ["event payment_intent.succeeded"]),
        (Effects(EVENTS[1:], MOVED), ["event payment_intent.created"]),
        (Effects((EVENTS[0], EVENTS[2], EVENTS[1]), MOVED), ["event (order)"]),
        (Effects((*EVENTS[1:], EVENTS[0]), MOVED), ["event (order)"]),
        (Effects((EVENTS[2], EVENTS[1]), MOVED), ["event payment_intent.created", "event (order)"]),
        (Effects(EVENTS, {("capture", "usd"): 2000}), ["posting capture usd"]),
        (Effects(EVENTS, {("capture", "jpy"): 1999}), ["posting capture usd"]),
        (Effects(EVENTS), ["posting capture usd"]),
    ],
)
def test_each_fault_of_a_candidate_is_found(effects: Effects, names: list[str]) -> None:
    assert named(effects) == names


def test_money_that_moves_though_the_legacy_api_refused_is_found() -> None:
    assert named(Effects(EVENTS, MOVED), {"error": {}}, 402) == ["posting capture usd"]
