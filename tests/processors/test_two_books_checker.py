"""The checker of two books sees each fault that there can be."""

from typing import Any

import pytest

from tests.processors.two_books_checker import Charge, Payment, Told, find_faults

TOLD = [
    Told("1", 100, "pi_1", "succeeded"),
    Told("2", 200),
    Told("2", 200, "pi_2", "processing"),
    Told("3", 300, "pi_3", "requires_payment_method"),
]
OURS = [
    Payment("pi_1", "1", 100, 100, "succeeded", {"att_1": "approved"}),
    Payment("pi_2", "2", 200, 200, "succeeded", {"att_2": "not_sent", "att_3": "approved"}),
    Payment("pi_3", "3", 300, 0, "requires_payment_method", {"att_4": "declined"}),
]
THEIRS = [
    Charge("1", "att_1", 100, 100, "succeeded"),
    Charge("2", "att_3", 200, 200, "succeeded"),
    Charge("3", "att_4", 300, 0, "requires_payment_method"),
]


def kinds(told: Any = TOLD, ours: Any = OURS, theirs: Any = THEIRS) -> set[str]:
    return {fault.partition(":")[0] for fault in find_faults(told, ours, theirs)}


def test_books_that_agree_have_no_fault() -> None:
    assert kinds() == set()


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        # A second charge for the first order.
        ({"theirs": [*THEIRS, Charge("1", "att_9", 100, 100, "succeeded")]}, {"twice", "foreign"}),
        ({"theirs": [*THEIRS, THEIRS[0]]}, {"twice"}),
        ({"theirs": [*THEIRS, Charge("9", "att_9", 1, 0, "canceled")]}, {"foreign"}),
        # Theirs is charged, and ours has failed; or the reverse.
        ({"theirs": [*THEIRS[:2], Charge("3", "att_4", 300, 300, "succeeded")]}, {"state", "attempt"}),
        ({"theirs": THEIRS[1:]}, {"state", "attempt"}),
        # Another amount than they have taken.
        ({"theirs": [Charge("1", "att_1", 100, 99, "succeeded"), *THEIRS[1:]]}, {"state"}),
        ({"ours": [OURS[0]._replace(attempts={"att_1": "review"}), *OURS[1:]]}, {"attempt"}),
        ({"ours": [*OURS[:2], OURS[2]._replace(attempts={"att_4": "open"})]}, {"unfinished"}),
        ({"ours": [*OURS[:2], OURS[2]._replace(status="processing")]}, {"unfinished", "broken"}),
        # Both payments of an order.
        ({"ours": [*OURS, OURS[2]._replace(id="pi_4", attempts={})]}, {"double"}),
        ({"told": [*TOLD, Told("4", 400)]}, {"unanswered"}),
        ({"told": [*TOLD, Told("1", 100, "pi_1", "processing")]}, {"divergent"}),
        ({"told": [*TOLD, Told("4", 400, "pi_4", "succeeded")]}, {"lost"}),
        ({"told": [Told("1", 101, "pi_1", "succeeded"), *TOLD[1:]]}, {"lost"}),
        ({"told": [*TOLD[:3], Told("3", 300, "pi_3", "succeeded")]}, {"broken"}),
    ],
)  # fmt: skip
def test_each_fault_is_seen(change: dict[str, Any], seen: set[str]) -> None:
    assert kinds(**change) == seen
