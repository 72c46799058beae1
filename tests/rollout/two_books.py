"""Holds what clients were told against the books of both sides: each key was carried out once, in one.

Each book by itself is checked as that of a bank is (`tests/bank/checker.py`): nothing that was acknowledged
is lost, torn or altered, nothing came from nowhere, and both the order and the balance are right. Here is
what only both together show.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fastpay.store import rows
from tests.bank.checker import check
from tests.bank.history import Change, Operation
from tests.support.servers import fetch

_MADE = ("customer.", "payment_intent.", "refund.")


class Book(msgspec.Struct, frozen=True):
    """What the database of a side says in the end: its events, and what it owes its tenant."""

    changes: Sequence[Change]
    balance: int


def check_both(operations: Sequence[Operation], books: Mapping[str, Book]) -> list[str]:
    """Return a line for each fault. `books` are by the name of the side."""
    faults = [*_unfinished(operations), *_crossed(operations, books), *_moved(operations)]
    for side, book in books.items():
        own = [one for one in operations if one.side in {"", side}]
        faults += [f"{side}: {fault}" for fault in check(own, book.changes, balance=book.balance)]
    return faults


def read_book(database_url: str, *, is_fastpay: bool) -> Book:
    """Read the book of a side. Both have the same tables, and each its own form of snapshots."""
    events = fetch(
        database_url,
        "select event.sequence, request_id, type, kind, snapshot from event join object_version using "
        "(tenant_id, livemode, object_id, version) order by event.sequence",
    )
    (balance,) = fetch(
        database_url,
        "select coalesce(sum(credits_posted - debits_posted), 0)::bigint as owed from account "
        "where code = 'pending'",
    )
    return Book([_change(event, is_fastpay=is_fastpay) for event in events], balance["owed"])


def _change(event: Any, *, is_fastpay: bool) -> Change:
    if is_fastpay:
        stored = msgspec.structs.asdict(rows.stored(event["kind"], event["snapshot"]))
    else:
        stored = msgspec.json.decode(event["snapshot"])
    is_told = event["type"].startswith(_MADE)
    return Change(
        sequence=event["sequence"],
        request_id=event["request_id"],
        type=event["type"],
        key=stored["metadata"]["order"] if is_told else "",
        amount=(stored.get("amount_received") or stored.get("amount", 0)) if is_told else 0,
    )


def _unfinished(operations: Sequence[Operation]) -> Iterable[str]:
    """Every key was asked for until somebody had answered."""
    answered = {one.key for one in operations if one.result != "unknown"}
    for key in sorted({one.key for one in operations if one.key} - answered):
        yield f"unfinished: {key} was never answered"


def _crossed(operations: Sequence[Operation], books: Mapping[str, Book]) -> Iterable[str]:
    """A key is in one book, and that side has answered each of its requests."""
    found: dict[str, set[str]] = defaultdict(set)
    for side, book in books.items():
        for change in book.changes:
            if change.key:
                found[change.key].add(side)
    answered: dict[str, set[str]] = defaultdict(set)
    for one in operations:
        if one.key and one.result != "unknown":
            answered[one.key].add(one.side)
    for key in sorted(found.keys() | answered.keys()):
        if len(found[key]) > 1:
            yield f"twice: {key} was carried out by {' and '.join(sorted(found[key]))}"
        elif found[key] != answered[key]:
            yield f"crossed: {key} is in the book of {found[key]}, and was answered by {answered[key]}"


def _moved(operations: Sequence[Operation]) -> Iterable[str]:
    """All that a customer and a payment ever had done was done by one side."""
    sides: dict[str, set[str]] = defaultdict(set)
    for one in operations:
        for name in (one.customer, one.payment):
            if name and one.result == "ok":
                sides[name].add(one.side)
    for name, seen in sorted(sides.items()):
        if len(seen) > 1:
            yield f"moved: {name} was served by {' and '.join(sorted(seen))}"
