"""Faults of a candidate, as answers of an older API without them, and what comparing calls each."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

Body = dict[str, Any]


class Fault(NamedTuple):
    """A fault. `right` makes the answer of a charge or of a list of them as it would be without the fault."""

    name: str
    right: Callable[[Body], object]
    found: str


def _set(field: str, value: Any) -> Callable[[Body], object]:
    return lambda charge: charge.__setitem__(field, value)


def _rename(charge: Body) -> None:
    charge["net_amount_captured"] = charge.pop("captured")


FAULTS = (
    Fault("an amount is rounded", lambda one: _set("amount", one["amount"] + 1)(one), "money data[].amount"),
    Fault("two decimals are lost", _set("amount_captured", 199_900), "money data[].amount_captured"),
    Fault("an amount is no integer", _set("amount_refunded", 0.0), "money data[].amount_refunded"),
    Fault("the currency is another", _set("currency", "jpy"), "money data[].currency"),
    Fault("a field is missing", _set("application", "ca_1"), "type data[].application"),
    Fault("a field has another name", _rename, "missing data[].net_amount_captured"),
    Fault("a field is new", lambda one: one.pop("disputed"), "added data[].disputed"),
    Fault("the state is wrong", _set("status", "pending"), "value data[].status"),
    Fault("a flag is turned", _set("paid", False), "value data[].paid"),
    Fault("metadata is lost", _set("metadata", {"order": "7", "a": "b"}), "missing data[].metadata.*"),
    Fault("metadata is of another", _set("metadata", {"order": "8"}), "value data[].metadata.*"),
    Fault(
        "a nested field is lost",
        lambda one: one["billing_details"].__setitem__("tax_id", "x"),
        "type data[].billing_details.tax_id",
    ),
    Fault("a number became a text", _set("created", "2026-01-01"), "type data[].created"),
    Fault("another type of object", _set("object", "payment"), "value data[].object"),
)
OF_LISTS = (
    Fault("an object is missing", lambda page: page["data"].append(page["data"][0]), "missing data[]"),
    Fault("an object is twice", lambda page: page["data"].pop(), "added data[]"),
    Fault("the order is wrong", lambda page: page["data"].reverse(), "order data"),
    Fault("there is no other page", _set("has_more", True), "value has_more"),
)


def without(fault: Fault, page: Body) -> Body:
    """Return a page as it would be without a fault."""
    right = copy.deepcopy(page)
    fault.right(right if fault in OF_LISTS else right["data"][0])
    return right
