"""The rules of customers' cash, told from the rows of the tables alone: see `books.py`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.books_of_payouts import Move, Row, Tables, scope_of

_KINDS = {
    "applied_to_payment": "cash_applied",
    "funded": "cash_funded",
    "refunded_from_payment": "cash_refunded",
    "return_canceled": "cash_return_canceled",
    "return_initiated": "cash_returned",
    "unapplied_from_payment": "cash_unapplied",
}


def cash(tables: Tables, moves: Sequence[Move]) -> Iterator[str]:
    """Each transaction moves its amount once, customers have what theirs add up to, and payments the rest."""
    made: dict[tuple[Any, ...], list[Move]] = {}
    for move in moves:
        if move.kind.startswith("cash_"):
            made.setdefault((move.scope, move.source, move.kind), []).append(move)
    owned: Counter[tuple[Any, ...]] = Counter()
    applied: Counter[tuple[Any, ...]] = Counter()
    for row in tables["cash_transaction"]:
        scope, name, amount = scope_of(row), row["cash_transaction_id"], row["net_amount"]
        own = made.pop((scope, name, _KINDS[row["type"]]), [])
        if [(move.posted, move.currency) for move in own] != [(abs(amount), row["currency"])]:
            yield f"cash: {name} has not moved its amount once"
        owned[scope, row["currency"], _hex(row["customer_id"])] += amount
        if row["type"] in {"applied_to_payment", "unapplied_from_payment"}:
            applied[scope, row["payment_intent_id"]] -= amount
    paid: Counter[tuple[Any, ...]] = Counter()
    owners = {(scope_of(row), row["charge_id"]): row["payment_intent_id"] for row in tables["charge"]}
    for (scope, name, kind), own in made.items():
        if kind != "cash_paid" or (scope, name) not in owners:
            yield f"cash: a transfer ({kind}) is for {name}, which is no transaction"
        else:
            paid[scope, owners[scope, name]] += sum(move.posted for move in own)
    reserved: Counter[tuple[Any, ...]] = Counter()
    for row in tables["payment_intent"]:
        intent = scope_of(row), row["payment_intent_id"]
        left = applied[intent] - paid[intent]
        is_open = row["status"] == "requires_action" and 0 < applied[intent] < row["amount"]
        if paid[intent] not in {0, row["amount_received"]} or (left and not is_open):
            yield f"cash: {intent[1]} ({row['status']}) has {applied[intent]} and was paid {paid[intent]}"
        reserved[intent[0], row["currency"]] += left
    for row in tables["account"]:
        balance = row["credits_posted"] - row["debits_posted"]
        key = scope_of(row), row["currency"]
        if row["code"] == "applied_cash" and balance != reserved[key]:
            yield f"cash: {balance} is applied to payments that wait, which have {reserved[key]}"
        if row["code"].startswith("cus_") and balance != owned.pop((*key, _hex(row["code"])), 0):
            yield f"cash: {row['code']} has {balance}, which is not what its transactions add up to"
    for key, amount in owned.items():
        if amount:
            yield f"cash: {key} has no account"
    yield from _returned(tables)
    yield from _stated(tables)


def refunds_of_charges(tables: Tables) -> list[Row]:
    """Return the refunds that take their money from a charge. The others return cash."""
    return [row for row in tables["refund"] if row.get("charge_id") is not None]


def _returned(tables: Tables) -> Iterator[str]:
    """What was returned left its customer once, and came back once if the refund did not succeed."""
    amounts: dict[tuple[Any, ...], list[int]] = {}
    for row in tables["cash_transaction"]:
        if row["type"] in {"return_initiated", "return_canceled"}:
            amounts.setdefault((scope_of(row), row["refund_id"]), []).append(row["net_amount"])
    for row in tables["refund"]:
        if row.get("charge_id") is None:
            amount, came_back = row["amount"], row["status"] in {"failed", "canceled"}
            expected = [-amount, amount] if came_back else [-amount]
            if sorted(amounts.pop((scope_of(row), row["refund_id"]), [])) != expected:
                yield f"cash: refund {row['refund_id']} ({row['status']}) has not returned its amount"
    for key in amounts:
        yield f"cash: {key} is no refund of cash"


def _stated(tables: Tables) -> Iterator[str]:
    """What a customer says is what the account has. Only snapshots say it, which are read in memory."""
    balances = {
        (scope_of(row), _hex(row["code"]), row["currency"]): row["credits_posted"] - row["debits_posted"]
        for row in tables["account"]
        if row["code"].startswith("cus_")
    }
    waiting = {
        (scope_of(row), row["payment_intent_id"])
        for row in tables["payment_intent"]
        if (extras := row.get("extras")) is not None and extras.awaited is not None
    }
    for row in tables["customer"]:
        found = row.get("cash")
        if found is None:
            continue
        scope, name = scope_of(row), _hex(row["customer_id"])
        for currency, amount in found.available.items():
            if balances.get((scope, name, currency), 0) != amount:
                yield f"cash: {name} says {amount} {currency}, and has another balance"
        for intent in found.waiting:
            if (scope, _hex(intent)) not in waiting:
                yield f"cash: {intent} is said to wait, and does not"
            waiting.discard((scope, _hex(intent)))
    for scope, name in waiting:
        yield f"cash: {name} of {scope} waits, and no customer knows"


def _hex(identifier: Any) -> str:
    return str(identifier).replace("-", "")[-32:]
