"""The checker of two books sees each fault that there can be."""

from typing import Any

import pytest

from tests.processors.two_books_checker import Charge, Payment, Told, find_faults

TOLD = [
    Told("1", "pay", 100, "pi_1", "succeeded"),
    Told("1", "refund", 100, "pi_1", "pending"),
    Told("2", "pay", 200),
    Told("2", "pay", 200, "pi_2", "processing"),
    Told("3", "pay", 300, "pi_3", "requires_payment_method"),
    Told("4", "pay", 400, "pi_4", "requires_capture"),
    Told("4", "cancel", 400, "pi_4", "canceled"),
]
OURS = [
    Payment("pi_1", "1", 100, 100, "succeeded", {"att_1": "approved"}, {"att_7": "approved"}),
    Payment("pi_2", "2", 200, 200, "succeeded", {"att_2": "not_sent", "att_3": "approved"}),
    Payment("pi_3", "3", 300, 0, "requires_payment_method", {"att_4": "declined"}),
    Payment("pi_4", "4", 400, 0, "canceled", {"att_5": "approved"}),
]
THEIRS = [
    Charge("1", "att_1", 100, 100, "succeeded"),
    Charge("2", "att_3", 200, 200, "succeeded"),
    Charge("3", "att_4", 300, 0, "requires_payment_method"),
    Charge("4", "att_5", 400, 0, "canceled"),
]


def kinds(told: Any = TOLD, ours: Any = OURS, theirs: Any = THEIRS, refunds: Any = ("att_7",)) -> set[str]:
    return {fault.partition(":")[0] for fault in find_faults(told, ours, theirs, refunds)}


def changed(place: int, **fields: Any) -> list[Payment]:
    return [*OURS[:place], OURS[place]._replace(**fields), *OURS[place + 1 :]]


def test_books_that_agree_have_no_fault() -> None:
    assert kinds() == set()


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        # A second charge for the first order.
        ({"theirs": [*THEIRS, Charge("1", "att_9", 100, 100, "succeeded")]}, {"twice", "foreign"}),
        ({"theirs": [*THEIRS, THEIRS[0]]}, {"twice"}),
        ({"theirs": [*THEIRS, Charge("9", "att_9", 1, 0, "requires_payment_method")]}, {"foreign"}),
        # Theirs is charged, and ours has failed; or the reverse.
        ({"ours": changed(2, attempts={"att_4": "declined", "att_3": "declined"})}, {"state", "attempt"}),
        ({"theirs": THEIRS[1:]}, {"state", "attempt"}),
        # Another amount than they have taken, or another end.
        ({"theirs": [Charge("1", "att_1", 100, 99, "succeeded"), *THEIRS[1:]]}, {"state"}),
        ({"theirs": [*THEIRS[:3], Charge("4", "att_5", 400, 400, "succeeded")]}, {"state"}),
        ({"ours": changed(0, attempts={"att_1": "review"})}, {"attempt"}),
        ({"ours": changed(2, attempts={"att_4": "open"})}, {"unfinished"}),
        ({"ours": changed(2, status="processing")}, {"unfinished", "broken"}),
        # Refunds: twice, with nothing behind them, not known here, or not finished.
        ({"refunds": ["att_7", "att_7"]}, {"twice"}),
        ({"refunds": []}, {"refund"}),
        ({"refunds": ["att_7", "att_8"]}, {"foreign"}),
        ({"ours": changed(0, refunds={"att_7": "not_found"})}, {"refund"}),
        ({"ours": changed(0, refunds={"att_7": "open"})}, {"unfinished"}),
        # Both payments of an order.
        ({"ours": [*OURS, OURS[2]._replace(id="pi_9", attempts={})]}, {"double"}),
        ({"told": [*TOLD, Told("9", "pay", 900)]}, {"unanswered"}),
        ({"told": [*TOLD, Told("1", "pay", 100, "pi_1", "processing")]}, {"divergent"}),
        ({"told": [*TOLD, Told("9", "pay", 900, "pi_9", "succeeded")]}, {"lost"}),
        ({"told": [Told("1", "pay", 101, "pi_1", "succeeded"), *TOLD[1:]]}, {"lost"}),
        ({"told": [*TOLD[:4], Told("3", "pay", 300, "pi_3", "succeeded")]}, {"broken"}),
        ({"told": [*TOLD, Told("3", "refund", 300, "pi_3", "succeeded")]}, {"broken"}),
        ({"told": [*TOLD, Told("4", "capture", 400, "pi_4", "succeeded")]}, {"broken"}),
    ],
)
def test_each_fault_is_seen(change: dict[str, Any], seen: set[str]) -> None:
    assert kinds(**change) == seen
