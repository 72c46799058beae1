"""What a server shows, held against the model."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.model.connected import Balances
from tests.model.payment import Payment
from tests.model.payments import Books
from tests.model.steps import CURRENCIES, Expected

# A path, the query, and what checks the answer.
Question = tuple[str, dict[str, str], Callable[[Any], None]]
EXPANDED = {"expand[]": "latest_charge"}


def check_answer(expected: Expected, status: int, body: dict[str, Any]) -> None:
    """Hold an answer against what was expected."""
    word = body["error"].get("code") if status != 200 else body.get("status")
    assert (status, word) == (expected.status, expected.word), body
    if expected.amount is not None:
        assert body.get("amount", body.get("net_amount")) == expected.amount, body


def learn(books: Books, payment: Payment | None, body: dict[str, Any]) -> None:
    """Remember what something is called that was just made, or is shown."""
    intent = body["error"].get("payment_intent") if "error" in body else body
    if payment is not None and intent is not None and intent["object"] == "payment_intent":
        payment.identifier = intent["id"]
        charge = intent["latest_charge"]
        if isinstance(charge, dict):
            payment.charge_id = charge["id"]
            if payment.disputes:
                payment.disputes[-1].identifier = charge["dispute"]
            _learn_passed(payment, charge)
    match body.get("object"):
        case "dispute" if payment is not None:
            payment.disputes[-1].identifier = body["id"]
        case "transfer" if payment is not None:
            payment.passed[-1].identifier = body["id"]
        case "refund" if body["charge"] is None and body["status"] != "canceled":
            books.customers.returns[-1].identifier = body["id"]
        case "payout" if body["status"] != "canceled":
            books.payouts[-1].identifier = body["id"]


def _learn_passed(payment: Payment, charge: dict[str, Any]) -> None:
    """Remember the last transfer and the last fee: a charge names no earlier ones."""
    sent = [one for one in payment.passed if one.by_capture]
    assert (charge["transfer"] is None) == (not sent)
    if sent:
        sent[-1].identifier = charge["transfer"]
    taken = payment.last_fee()
    assert (charge["application_fee"] is None) == (taken is None)
    if taken is not None:
        taken.fee_id = charge["application_fee"]


def check_payment(payment: Payment, body: dict[str, Any]) -> None:
    """Hold a payment as it is served, its charge expanded, against the model's."""
    charge = body["latest_charge"]
    assert body["status"] == payment.status
    assert (body["amount"], body["currency"]) == (payment.amount, payment.currency)
    assert body["amount_received"] == payment.captured
    assert body["amount_capturable"] == payment.capturable
    assert (charge is None) == (payment.charge == "none")
    action = body["next_action"] or {}
    instructions = action.get("display_bank_transfer_instructions") or {"amount_remaining": None}
    assert instructions["amount_remaining"] == payment.awaited
    if charge is not None:
        assert charge["amount_captured"] == payment.captured
        # What was held and never taken is shown as given back.
        assert charge["amount_refunded"] == (
            payment.amount if payment.charge == "released" else payment.refunded
        )
        assert charge["status"] == ("failed" if payment.charge == "failed" else "succeeded")
        assert charge["disputed"] == bool(payment.disputes)
        _learn_passed(payment, charge)


def check_balances(balances: Balances, body: dict[str, Any]) -> None:
    """Hold a balance as it is served against the model's."""
    served = {
        (money["currency"], side): money["amount"]
        for side in ("pending", "available")
        for money in body[side]
    }
    places = served.keys() | balances.keys()
    assert {place: served.get(place, 0) for place in places} == {place: balances[place] for place in places}


def questions(books: Books) -> Iterator[Question]:
    """Return what to ask about what customers and connected accounts have, and about what went to these."""
    for payer, identifier in enumerate(books.customers.identifiers):
        yield f"/v1/customers/{identifier}/cash_balance", {}, _check_cash(books, payer)
    for seller, identifier in enumerate(books.sellers.identifiers):
        query = {"code": identifier, "expand[]": "data.balance"}
        yield "/v1/ledger/accounts", query, _check_account(books, seller)
    for payout in books.payouts:
        if payout.is_canceled:
            yield f"/v1/payouts/{payout.identifier}", {}, _check_shown({"amount": payout.amount}, "canceled")
    for payment in books.payments:
        for passed in payment.passed:
            if passed.identifier:
                gone = {"amount": passed.amount, "amount_reversed": passed.reversed}
                yield f"/v1/transfers/{passed.identifier}", {}, _check_shown(gone)
            if passed.fee_id:
                fee = {"amount": passed.fee, "amount_refunded": passed.fee_refunded}
                yield f"/v1/application_fees/{passed.fee_id}", {}, _check_shown(fee)


def _check_cash(books: Books, payer: int) -> Callable[[Any], None]:
    def check(body: Any) -> None:
        available = Counter(body["available"] or {})
        wanted = {currency: books.customers.available[payer, currency] for currency in CURRENCIES}
        assert {currency: available[currency] for currency in CURRENCIES} == wanted

    return check


def _check_account(books: Books, seller: int) -> Callable[[Any], None]:
    def check(body: Any) -> None:
        found = Counter({one["currency"]: one["balance"]["amount"] for one in body["data"]})
        wanted = {currency: books.sellers.balances[seller, currency] for currency in CURRENCIES}
        assert {currency: found[currency] for currency in CURRENCIES} == wanted

    return check


def _check_shown(wanted: dict[str, int], status: str | None = None) -> Callable[[Any], None]:
    def check(body: Any) -> None:
        assert {name: body[name] for name in wanted} == wanted, body
        assert status in {None, body.get("status")}, body

    return check
