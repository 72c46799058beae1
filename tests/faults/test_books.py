"""The rules of the books: silent about sound books, and never about a planted mistake."""

from collections.abc import Callable
from typing import Any

import pytest

from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.refunds import CreateRefund
from tests.support.books import find_faults
from tests.support.world import HOLD, World

Books = dict[str, list[dict[str, Any]]]


@pytest.fixture
def books() -> Books:
    """A payment that was held, captured in part and refunded in part, and two transfers of a client's own."""
    world = World()
    held = world.do(HOLD)
    world.do(CapturePaymentIntent(id=held.id, amount=700))
    world.do(CreateRefund(payment_intent=held.id, amount=200))
    made = {name: [dict(row) for row in rows] for name, rows in world.tables().items()}
    sequence = made["book"][0]["sequence"] + 1
    made["book"][0]["sequence"] = sequence
    owner = {name: made["book"][0][name] for name in ("tenant_id", "livemode")}
    event = {"event_id": "evt", "type": "ledger.transfer.created", "object_id": "ltr", "version": 1}
    made["event"].append({**owner, **event, "sequence": sequence})
    opened = {"currency": "usd", "code": "wallet", "normal_side": "C", "min_balance": None}
    zero = {"debits_posted": 0, "credits_posted": 0, "debits_pending": 0, "credits_pending": 0}
    made["account"] += [
        {**owner, **opened, **zero, "account_id": "from", "debits_posted": 5},
        {**owner, **opened, **zero, "account_id": "to", "credits_posted": 5},
    ]
    sides = {"debit_account_id": "from", "credit_account_id": "to", "currency": "usd", "sequence": sequence}
    none = {"hold_sequence": None, "hold_position": None}
    ending = {"hold_sequence": sequence, "hold_position": 0}
    made["ledger_transfer"] = [
        {**owner, **sides, **none, "position": 0, "phase": 2, "amount": 8},
        {**owner, **sides, **ending, "position": 1, "phase": 3, "amount": 5},
    ]
    return made


def test_sound_books_have_no_fault(books: Books) -> None:
    assert find_faults(books) == []


def change(table: str, row: int = 0, **columns: Any) -> Callable[[Books], object]:
    """Return what changes columns of a row, by so much where it is a number."""

    def plant(books: Books) -> None:
        for name, value in columns.items():
            before = books[table][row][name]
            is_step = isinstance(value, int) and not isinstance(value, bool) and before is not None
            books[table][row][name] = before + value if is_step else value

    return plant


def drop(table: str, row: int = -1) -> Callable[[Books], object]:
    """Return what takes a row away."""
    return lambda books: books[table].pop(row)


def repeat(table: str) -> Callable[[Books], object]:
    """Return what has the last row twice."""
    return lambda books: books[table].append(dict(books[table][-1]))


PLANTED: dict[str, tuple[Callable[[Books], object], str]] = {
    "a sequence ahead of its events": (change("book", sequence=1), "sequence"),
    "a lost event": (drop("event", 0), "sequence"),
    "an event twice": (repeat("event"), "event"),
    "an event of a version that was never written": (change("event", version=7), "event"),
    "an event after its version": (change("object_version", sequence=-2), "event"),
    "a lost version": (drop("object_version", 0), "version"),
    "a version before the one before": (change("object_version", -1, sequence=-9), "version"),
    "a version where nothing happened": (change("object_version", -1, sequence=99), "version"),
    "a version that no event tells of": (change("object_version", -1, version=1), "version"),
    "a head that was left behind": (change("charge", version=-1), "head"),
    "an object without a head": (drop("refund"), "head"),
    "an account below its bound": (change("account", -2, min_balance=0), "bound"),
    "a counter below zero": (change("account", -1, debits_pending=-1), "bound"),
    "money from nowhere": (change("account", -1, credits_posted=1), "double entry"),
    "a hold from nowhere": (change("account", -1, credits_pending=1), "double entry"),
    "counters that no transfer moved": (change("account", -1, credits_posted=1, debits_posted=1), "counters"),
    "a lost transfer": (drop("transfer"), "counters"),
    "a lost transfer of a client": (drop("ledger_transfer"), "counters"),
    "a hold that ended twice": (repeat("ledger_transfer"), "hold"),
    "a hold that ended by more": (change("ledger_transfer", -1, amount=4), "hold"),
    "a hold that ended elsewhere": (change("ledger_transfer", -1, credit_account_id="from"), "hold"),
    "an end of no hold": (change("ledger_transfer", -1, hold_position=1), "hold"),
    "another currency than the accounts'": (change("ledger_transfer", currency="eur"), "currency"),
    "an account that is not there": (change("transfer", credit_account_id="nobody"), "currency"),
    "a transfer where nothing happened": (change("ledger_transfer", sequence=9), "place"),
    "a transfer where something else happened": (change("ledger_transfer", sequence=-1), "place"),
    "a refund of another amount": (change("refund", amount=1), "refund"),
    "a transfer of no refund": (change("refund", status="failed"), "refund"),
    "a fee that was not taken": (change("charge", fee=1), "charge"),
    "a capture that was not made": (change("charge", amount_captured=1), "charge"),
    "more captured than paid": (change("charge", amount=-500), "charge"),
    "more refunded than captured": (change("charge", amount_refunded=600), "charge"),
    "money captured of a charge that is not": (change("charge", captured=False), "charge"),
    "more received than captured": (change("payment_intent", amount_received=1), "payment"),
    "a state without its charge": (change("charge", status="failed"), "payment"),
    "held and done": (change("payment_intent", amount_capturable=1), "payment"),
    "received and not done": (change("payment_intent", status="requires_action"), "payment"),
}


@pytest.mark.parametrize(("plant", "rule"), PLANTED.values(), ids=PLANTED)
def test_each_planted_mistake_is_named(books: Books, plant: Callable[[Books], object], rule: str) -> None:
    plant(books)
    assert rule in {fault.partition(":")[0] for fault in find_faults(books)}
