"""An example of a difference shows nothing that a client may have written."""

from typing import Any

import pytest

from fastpay.api import shadow_examples
from fastpay.engine.rollout.comparison import NOTHING, Difference
from fastpay.engine.rollout.finding_ports import RouteKey

KEY = RouteKey(7, "GET /v1/charges")
CHARGE = "ch_018f0000000070008000000000000001"
SHOWN = [
    ("amount", 1999, "1999"),
    ("paid", True, "true"),
    ("application", None, "null"),
    ("status", "succeeded", '"succeeded"'),
    ("id", CHARGE, CHARGE),
    ("description", "succeeded", "a text of 9 characters"),
    ("status", "Jane Doe", "a text of 8 characters"),
    ("metadata.*", "7", "a text of 1 characters"),
    ("id", "sk_live_018f000000007000", "a text of 24 characters"),
    ("number", 4242424242424242, "[redacted]"),
    ("metadata", {"a": 1}, "an object of 1 fields"),
    ("data", [1, 2], "a list of 2"),
    ("captured", NOTHING, "nothing"),
]


@pytest.mark.parametrize(("path", "value", "shown"), SHOWN)
def test_a_value_is_shown_if_it_is_harmless(path: str, value: Any, shown: str) -> None:
    example = shadow_examples.make(
        KEY, Difference("value", path, value, value), 1, "GET /v1/charges", "req_1"
    )
    assert (example.legacy, example.fastpay) == (shown, shown)
