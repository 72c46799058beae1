"""fastpay/domain/routing.py: which processors a payment may go to."""

from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.routing import Rule, check, choose
from fastpay.errors import InvalidRequest

RULES = (
    Rule(processors=("euro", "world"), currencies=("eur", "chf"), amount_max=1_000),
    Rule(processors=("debit",), methods=("sepa_debit",)),
    Rule(processors=("large",), amount_min=100_000),
)
USABLE = {"euro", "world", "large", "debit"}


@pytest.mark.parametrize(
    ("amount", "currency", "method", "found"),
    [
        (1_000, "eur", "card", ["euro", "world"]),
        (1, "chf", "sepa_debit", ["euro", "world"]),
        (1_001, "eur", "card", ["world"]),
        (1_001, "eur", "sepa_debit", ["debit"]),
        (99_999, "usd", "card", ["world"]),
        (100_000, "usd", "card", ["large"]),
    ],
)
def test_the_first_rule_that_fits_decides(amount: int, currency: str, method: str, found: list[str]) -> None:
    asked: Any = {"amount": amount, "currency": currency, "method": method}
    assert choose(RULES, USABLE, default="world", **asked) == found


def test_what_is_not_usable_is_left_out_and_a_rule_without_any_does_not_count() -> None:
    asked: Any = {"amount": 1, "currency": "eur", "method": "card"}
    assert choose(RULES, {"world", "large"}, default="large", **asked) == ["world"]
    assert choose(RULES, {"large"}, default="large", **asked) == ["large"]
    assert choose(RULES, {"debit"}, default="large", **asked) == []
    assert choose(RULES, {"debit"}, default=None, **asked) == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule(processors=()), "Rule 2 names no processor"),
        (Rule(processors=("euro", "nobody")), "Rule 2 names a processor that does not exist: nobody"),
        (Rule(processors=("euro", "euro")), "Rule 2 names a processor twice"),
        (Rule(processors=("euro",), currencies=("xxx",)), "Rule 2 names a currency that does not exist: xxx"),
        (Rule(processors=("euro",), amount_min=-1), "An amount of rule 2"),
        (Rule(processors=("euro",), amount_max=limits.amount_max + 1), "An amount of rule 2"),
        (Rule(processors=("euro",), amount_min=5, amount_max=4), "The amounts of rule 2 fit no payment"),
    ],
)
def test_a_rule_that_can_never_work_is_refused(rule: Rule, told: str) -> None:
    check(RULES, USABLE)
    with pytest.raises(InvalidRequest, match=told):
        check([RULES[0], rule], USABLE)
    with pytest.raises(InvalidRequest, match="There are more than"):
        check(RULES[:1] * (limits.processor_rules_max + 1), USABLE)
