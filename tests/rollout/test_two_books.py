"""The check of both books is silent about a good history, and names each fault of a bad one."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.bank.history import EVENTS, Change, Operation
from tests.rollout.two_books import Book, check_both
from tests.support.fees import fee

AMOUNT = 1_000
Books = dict[str, Book]


def operation(key: str, side: str, number: int) -> Operation:
    """Return a payment of a customer of that side, which was acknowledged."""
    return Operation(
        client=0,
        instance=0,
        kind="pay",
        invoked_ns=2 * number,
        ended_ns=2 * number + 1,
        result="ok",
        key=key,
        payment=f"pi of {key}",
        amount=AMOUNT,
        request_id=f"req of {key}",
        side=side,
        customer=f"customer of {side}",
    )


def book(*keys: str) -> Book:
    """Return the book of a side that has carried out these payments."""
    changes: list[Change] = []
    for key in keys:
        for kind in EVENTS["pay"]:
            told = {"key": key, "amount": AMOUNT} if kind.startswith("payment_intent.") else {}
            changes.append(
                Change(sequence=len(changes) + 1, request_id=f"req of {key}", type=kind, **told)  # type: ignore[arg-type]
            )
    return Book(changes, len(keys) * (AMOUNT - fee(AMOUNT)))


def history() -> tuple[list[Operation], Books]:
    """Return what is right: three keys, one of which was first sent in vain."""
    told = [operation("a", "legacy", 0), operation("b", "fastpay", 2), operation("c", "legacy", 3)]
    told.append(replace(operation("b", "", 1), result="unknown", request_id="", payment=""))
    return told, {"legacy": book("a", "c"), "fastpay": book("b")}


def test_a_good_history_has_no_fault() -> None:
    assert check_both(*history()) == []


Break = Callable[[list[Operation], Books], object]
FAULTS: dict[str, Break] = {
    "twice: b was carried out by fastpay and legacy": lambda _, books: books.update(
        legacy=book("a", "c", "b")
    ),
    "crossed: b is in": lambda _, books: books.update(fastpay=book(), legacy=book("a", "c", "b")),
    "crossed: c is in the book of set()": lambda _, books: books.update(legacy=book("a")),
    "legacy: lost: c was acknowledged": lambda _, books: books.update(legacy=book("a")),
    "legacy: phantom:": lambda _, books: books.update(legacy=book("a", "c", "x")),
    "fastpay: unbalanced:": lambda _, books: books.update(fastpay=replace(books["fastpay"], balance=1)),
    "moved: customer of legacy was served by fastpay and legacy": lambda told, _: told.append(
        replace(told[1], kind="read", key="", customer="customer of legacy")
    ),
    "moved: pi of a was served": lambda told, _: told.append(
        replace(told[1], kind="read", key="", payment="pi of a")
    ),
    "unfinished: d was never answered": lambda told, _: told.append(
        replace(told[3], key="d", invoked_ns=10, ended_ns=11)
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str) -> None:
    told, books = history()
    FAULTS[fault](told, books)
    found = check_both(told, books)
    assert any(one.startswith(fault) for one in found), found
