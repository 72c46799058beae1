"""Events: which types there are, and what is shown of objects."""

import ast
import re
from typing import Any, get_args

import pytest
import stripe

from fastpay.domain import events
from tests.support import tree
from tests.support.samples import captured_charge

_GROUPS = "balance|charge|customer|payment_intent|payment_method|payout|refund|setup_intent|transfer"
_CASH = "cash_balance|customer_cash_balance_transaction|funding_instructions"
_OTHERS = (
    r"(?:confirmation_)?token|ledger\.\w+|webhook_\w+|application_fee(?:\.refund)?|attempt|settlement|object"
)
_PARTS = rf"{_CASH}|{_OTHERS}|customer\.source|charge\.dispute|charge\.refund"
_TYPE = re.compile(rf"(?:{_GROUPS}|{_PARTS})\.\w+")


def test_every_type_that_is_written_is_shown_or_named_as_unseen() -> None:
    written = {
        node.value
        for path in tree.under("fastpay/domain", ".py")
        if path.name != "events.py"
        for node in ast.walk(ast.parse(tree.read(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _TYPE.fullmatch(node.value)
    }
    assert written == events.TYPES | events.UNSEEN


def test_what_is_shown_is_what_the_dialect_defines() -> None:
    defined = set(get_args(stripe.Event.__annotations__["type"]))
    # The dialect has none about its receivers, and none about what a person has to look into.
    own = {name for name in events.TYPES if name.startswith(("attempt.", "webhook_endpoint."))}
    assert defined >= events.TYPES - own
    assert not events.UNSEEN & defined


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("charge.failed", {"charge.failed"}),
        ("refund.*", {"refund.created", "refund.failed", "refund.updated"}),
        ("payment_method.created", set()),
        ("invoice.*", set()),
        ("*", events.TYPES),
    ],
)
def test_a_pattern_means_types_that_are_shown(pattern: str, found: set[str]) -> None:
    assert events.matching(pattern) == found


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"y": 2}}),
        ({"a": {}}, {"a": {"x": 1}}, {"a": {"x": None}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": 1}}),
        ({"a": None}, {"a": {"x": 1}}, {"a": None}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": 1}, {"a": 1}, {}),
    ],
)
def test_only_what_differs_is_shown_of_the_version_before(
    before: dict[str, Any], after: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert events.previous_attributes(before, after) == shown


def test_what_differs_has_one_order_in_all_processes() -> None:
    """Strings have other hashes in each process, and so has the order of a set of them."""
    names = [f"attribute_{number}" for number in range(30)]
    before, after = dict.fromkeys(names[:20], 1), dict.fromkeys(names[10:], 2)
    assert list(events.previous_attributes(before, after)) == names


def test_only_a_payment_intent_is_shown_as_it_was_before_its_confirmation() -> None:
    charge = captured_charge()
    assert events.as_of("charge.succeeded", charge) is charge
