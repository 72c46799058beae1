"""Payments by bank transfer: customers' cash balances as the official client leads them."""

import json
from typing import Any

import pytest
import stripe

from tests.support.dialect import violations

TRANSFERS = {
    "usd": ("us_bank_transfer", ["aba", "swift"]),
    "gbp": ("gb_bank_transfer", ["sort_code"]),
    "jpy": ("jp_bank_transfer", ["zengin"]),
    "mxn": ("mx_bank_transfer", ["spei"]),
    "eur": ("eu_bank_transfer", ["iban"]),
}


def customer(client: stripe.StripeClient) -> str:
    return client.v1.customers.create({"name": "Ada"}).id


def transfer(currency: str) -> Any:
    name = TRANSFERS[currency][0]
    return {"type": name} | ({name: {"country": "DE"}} if currency == "eur" else {})


def pay(client: stripe.StripeClient, payer: str, amount: int, currency: str = "usd", **more: Any) -> Any:
    """Return a payment that waits for what the customer's cash balance lacks."""
    cash = {"funding_type": "bank_transfer", "bank_transfer": transfer(currency)}
    fields: Any = {
        "amount": amount,
        "currency": currency,
        "customer": payer,
        "payment_method_types": ["customer_balance"],
        "payment_method_data": {"type": "customer_balance"},
        "payment_method_options": {"customer_balance": cash},
        "confirm": True,
        **more,
    }
    return client.v1.payment_intents.create(fields)


def fund(client: stripe.StripeClient, payer: str, amount: int, currency: str = "usd", **more: Any) -> Any:
    fields: Any = {"amount": amount, "currency": currency, **more}
    return client.v1.test_helpers.customers.fund_cash_balance(payer, fields)


def remaining(intent: stripe.PaymentIntent) -> int:
    found: Any = intent.next_action
    amount: int = found.display_bank_transfer_instructions.amount_remaining
    return amount


def balance(client: stripe.StripeClient, payer: str) -> Any:
    return client.v1.customers.cash_balance.retrieve(payer).to_dict()


def moved(client: stripe.StripeClient, payer: str) -> list[tuple[str, int, int]]:
    """Return the transactions of a customer, the oldest first."""
    page = client.v1.customers.cash_balance_transactions.list(payer, {"limit": 100})
    return [(one.type, one.net_amount, one.ending_balance) for one in reversed(page.data)]


def happened(client: stripe.StripeClient) -> list[str]:
    """Return the types of all events, the oldest first."""
    return [event.type for event in reversed(client.v1.events.list({"limit": 100}).data)]


def test_transfers_pay_a_payment_in_parts(client: stripe.StripeClient) -> None:
    payer = customer(client)
    intent = pay(client, payer, 2000)
    assert (intent.status, intent.next_action.type) == (
        "requires_action",
        "display_bank_transfer_instructions",
    )
    assert remaining(intent) == 2000
    assert violations(intent.to_dict(), stripe.PaymentIntent) == []
    fund(client, payer, 1500)
    waiting = client.v1.payment_intents.retrieve(intent.id)
    assert (waiting.status, waiting.amount_received, remaining(waiting)) == ("requires_action", 0, 500)
    fund(client, payer, 800)
    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    charge: Any = paid.latest_charge
    assert (paid.status, paid.amount_received, paid.next_action) == ("succeeded", 2000, None)
    assert (charge.status, charge.amount, charge.payment_method_details.type) == (
        "succeeded",
        2000,
        "customer_balance",
    )
    assert violations(charge.to_dict(), stripe.Charge) == []
    assert client.v1.balance.retrieve().pending[0].amount == 2000
    assert balance(client, payer)["available"] == {"usd": 300}
    assert moved(client, payer) == [
        ("funded", 1500, 1500),
        ("applied_to_payment", -1500, 0),
        ("funded", 800, 800),
        ("applied_to_payment", -500, 300),
    ]
    assert happened(client) == [
        "customer.created",
        "payment_intent.created",
        "payment_intent.requires_action",
        "customer_cash_balance_transaction.created",
        "customer_cash_balance_transaction.created",
        "payment_intent.partially_funded",
        "customer_cash_balance_transaction.created",
        "customer_cash_balance_transaction.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "cash_balance.funds_available",
    ]


def test_an_event_shows_the_cash_balance_as_it_was(client: stripe.StripeClient) -> None:
    payer = customer(client)
    fund(client, payer, 700)
    fund(client, payer, 300)
    shown = [
        event.to_dict()["data"]["object"]
        for event in client.v1.events.list({"type": "cash_balance.funds_available"}).data
    ]
    assert [one["available"] for one in shown] == [{"usd": 1000}, {"usd": 700}]
    assert shown[0] == balance(client, payer)


def test_a_partially_funded_event_shows_what_is_missing(client: stripe.StripeClient) -> None:
    payer = customer(client)
    pay(client, payer, 1000)
    fund(client, payer, 1)
    found: Any = client.v1.events.list({"type": "payment_intent.partially_funded"}).data[0].to_dict()
    action = found["data"]["object"]["next_action"]
    assert action["display_bank_transfer_instructions"]["amount_remaining"] == 999
    created: Any = client.v1.events.list({"type": "payment_intent.created"}).data[0].to_dict()
    before = created["data"]["object"]
    assert (before["status"], before["next_action"]) == ("requires_payment_method", None)


def test_what_a_customer_has_pays_at_once(client: stripe.StripeClient) -> None:
    payer = customer(client)
    fund(client, payer, 500, "jpy")
    paid = pay(client, payer, 400, "jpy")
    assert (paid.status, paid.amount_received) == ("succeeded", 400)
    assert balance(client, payer)["available"] == {"jpy": 100}
    waits = pay(client, payer, 150, "jpy")
    assert (waits.status, remaining(waits)) == ("requires_action", 50)
    assert balance(client, payer)["available"] == {"jpy": 0}


def test_the_oldest_payment_is_paid_first_unless_a_reference_names_another(
    client: stripe.StripeClient,
) -> None:
    payer = customer(client)
    first, second, third = (pay(client, payer, 1000) for _ in range(3))
    reference = third.next_action.display_bank_transfer_instructions.reference
    fund(client, payer, 1000, reference=reference)
    fund(client, payer, 1400)
    shown = [client.v1.payment_intents.retrieve(one.id) for one in (first, second, third)]
    assert [one.status for one in shown] == ["succeeded", "requires_action", "succeeded"]
    assert remaining(shown[1]) == 600


def test_money_of_another_currency_stays_in_the_balance(client: stripe.StripeClient) -> None:
    payer = customer(client)
    intent = pay(client, payer, 1000, "gbp")
    fund(client, payer, 1000, "mxn")
    assert remaining(client.v1.payment_intents.retrieve(intent.id)) == 1000
    assert balance(client, payer)["available"] == {"mxn": 1000}


def test_a_merchant_may_apply_money_by_hand(client: stripe.StripeClient) -> None:
    payer = customer(client)
    changed = client.v1.customers.cash_balance.update(
        payer, {"settings": {"reconciliation_mode": "manual"}}
    ).to_dict()
    assert changed["settings"] == {"reconciliation_mode": "manual", "using_merchant_default": False}
    fund(client, payer, 1000)
    intent = pay(client, payer, 900)
    assert remaining(intent) == 900
    apply = client.v1.payment_intents.apply_customer_balance
    assert remaining(apply(intent.id, {"amount": 400, "currency": "usd"})) == 500
    assert apply(intent.id).status == "succeeded"
    assert balance(client, payer)["available"] == {"usd": 100}
    assert "payment_intent.partially_funded" in happened(client)


def test_a_return_to_automatic_pays_what_waits(client: stripe.StripeClient) -> None:
    payer = customer(client)
    update = client.v1.customers.cash_balance.update
    update(payer, {"settings": {"reconciliation_mode": "manual"}})
    intent = pay(client, payer, 900)
    fund(client, payer, 1000)
    changed = update(payer, {"settings": {"reconciliation_mode": "merchant_default"}}).to_dict()
    assert changed["settings"] == {"reconciliation_mode": "automatic", "using_merchant_default": True}
    assert changed["available"] == {"usd": 100}
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_canceled_payment_gives_back_what_was_applied_to_it(client: stripe.StripeClient) -> None:
    payer = customer(client)
    first, second = pay(client, payer, 1000), pay(client, payer, 300)
    fund(client, payer, 400)
    canceled = client.v1.payment_intents.cancel(first.id)
    assert (canceled.status, canceled.next_action) == ("canceled", None)
    # It pays the next one that waits.
    assert client.v1.payment_intents.retrieve(second.id).status == "succeeded"
    assert moved(client, payer) == [
        ("funded", 400, 400),
        ("applied_to_payment", -400, 0),
        ("unapplied_from_payment", 400, 400),
        ("applied_to_payment", -300, 100),
    ]


def test_a_refund_goes_back_to_the_cash_balance(client: stripe.StripeClient) -> None:
    payer = customer(client)
    fund(client, payer, 1000)
    intent = pay(client, payer, 1000)
    refund: Any = client.v1.refunds.create({"payment_intent": intent.id, "amount": 250})
    assert violations(refund.to_dict(), stripe.Refund) == []
    assert (refund.status, refund.destination_details.type) == ("succeeded", "customer_cash_balance")
    assert balance(client, payer)["available"] == {"usd": 250}
    assert client.v1.balance.retrieve().pending[0].amount == 750
    found = client.v1.customers.cash_balance_transactions.list(payer, {"limit": 1}).data[0]
    assert found.refunded_from_payment is not None
    assert (found.type, found.refunded_from_payment.refund) == ("refunded_from_payment", refund.id)
    again = client.v1.customers.cash_balance_transactions.retrieve(payer, found.id)
    assert again.to_dict() == found.to_dict()
    assert violations(found.to_dict(), stripe.CustomerCashBalanceTransaction) == []


@pytest.mark.parametrize("currency", TRANSFERS)
def test_cash_goes_back_to_the_customers_bank(client: stripe.StripeClient, currency: str) -> None:
    payer = customer(client)
    fund(client, payer, 1000, currency)
    form: Any = {"customer": payer, "amount": 300, "currency": currency, "origin": "customer_balance"}
    refund: Any = client.v1.refunds.create(form, {"idempotency_key": "back"})
    assert violations(refund.to_dict(), stripe.Refund) == []
    name = TRANSFERS[currency][0]
    assert (refund.status, refund.charge, refund.balance_transaction) == ("pending", None, None)
    assert refund.destination_details.to_dict()[name]["reference_status"] == "pending"
    again: Any = client.v1.refunds.create(form, {"idempotency_key": "back"})
    assert again.last_response.body == refund.last_response.body
    assert balance(client, payer)["available"] == {currency: 700}
    asking: Any = {**form, "instructions_email": "ada@example.com"}
    asked: Any = client.v1.refunds.create(asking)
    assert (asked.status, asked.next_action.type) == ("requires_action", "display_details")
    assert client.v1.refunds.cancel(asked.id).status == "canceled"
    assert moved(client, payer) == [
        ("funded", 1000, 1000),
        ("return_initiated", -300, 700),
        ("return_initiated", -300, 400),
        ("return_canceled", 300, 700),
    ]
    newest = client.v1.customers.cash_balance_transactions.list(payer, {"limit": 1}).data[0]
    assert violations(newest.to_dict(), stripe.CustomerCashBalanceTransaction) == []
    assert [one.id for one in client.v1.refunds.list().data] == [asked.id, refund.id]
    assert client.v1.balance.retrieve().pending[0].amount == 0
    with pytest.raises(stripe.CardError) as refusal:
        client.v1.refunds.create(form | {"amount": 701})
    assert (refusal.value.code, refusal.value.http_status) == ("balance_insufficient", 402)
    verified: Any = client.raw_request("get", "/v1/ledger/verify")
    assert json.loads(verified.body)["problems"] == []


def test_a_bank_transfer_is_passed_on_to_a_seller_and_taken_back(client: stripe.StripeClient) -> None:
    payer = customer(client)
    seller = client.v1.accounts.create({"type": "express", "country": "US"}).id
    split: Any = {"transfer_data": {"destination": seller}, "application_fee_amount": 100}
    first, second, canceled = (pay(client, payer, amount, **split) for amount in (1000, 300, 5000))
    fund(client, payer, 400)
    assert client.v1.transfers.list({"destination": seller}).data == []
    fund(client, payer, 600)
    expand: Any = {"expand": ["latest_charge.transfer", "latest_charge.application_fee"]}
    charge: Any = client.v1.payment_intents.retrieve(first.id, expand).latest_charge
    assert (charge.transfer.amount, charge.transfer.destination) == (1000, seller)
    assert (charge.application_fee.amount, charge.application_fee_amount) == (100, 100)
    assert violations(charge.to_dict(), stripe.Charge) == []
    back: Any = {"reverse_transfer": True, "refund_application_fee": True}
    back |= {"payment_intent": first.id, "amount": 500}
    refund = client.v1.refunds.create(back)
    assert refund.transfer_reversal is not None
    assert violations(refund.to_dict(), stripe.Refund) == []
    # What was refunded pays the next payment, and a part of the last one.
    assert client.v1.payment_intents.retrieve(second.id).status == "succeeded"
    assert remaining(client.v1.payment_intents.retrieve(canceled.id)) == 4800
    client.v1.payment_intents.cancel(canceled.id)
    assert balance(client, payer)["available"] == {"usd": 200}
    fees = client.v1.application_fees.list().data
    assert [(fee.amount, fee.amount_refunded) for fee in fees] == [(100, 0), (100, 50)]
    verified: Any = client.raw_request("get", "/v1/ledger/verify")
    assert json.loads(verified.body)["problems"] == []


def test_a_key_gives_the_answer_that_was_given_before_the_money_came(client: stripe.StripeClient) -> None:
    payer = customer(client)
    form: Any = {
        "amount": 1000,
        "currency": "usd",
        "customer": payer,
        "payment_method_types": ["customer_balance"],
        "payment_method_data": {"type": "customer_balance"},
        "payment_method_options": {
            "customer_balance": {"funding_type": "bank_transfer", "bank_transfer": transfer("usd")}
        },
        "confirm": True,
        "transfer_data": {"destination": client.v1.accounts.create({"country": "US"}).id},
        "expand": ["latest_charge.transfer", "transfer_data.destination"],
    }
    first: Any = client.v1.payment_intents.create(form, {"idempotency_key": "sale"})
    money: Any = {"amount": 1000, "currency": "usd"}
    fund_ = client.v1.test_helpers.customers.fund_cash_balance
    funded: Any = fund_(payer, money, {"idempotency_key": "money"})
    back: Any = {"payment_intent": first.id, "reverse_transfer": True, "expand": ["transfer_reversal"]}
    refund: Any = client.v1.refunds.create(back, {"idempotency_key": "back"})
    again: Any = client.v1.payment_intents.create(form, {"idempotency_key": "sale"})
    assert again.last_response.body == first.last_response.body
    again = fund_(payer, money, {"idempotency_key": "money"})
    assert again.last_response.body == funded.last_response.body
    again = client.v1.refunds.create(back, {"idempotency_key": "back"})
    assert again.last_response.body == refund.last_response.body
    assert len(client.v1.transfers.list().data) == 1
    assert balance(client, payer)["available"] == {"usd": 1000}


@pytest.mark.parametrize("currency", TRANSFERS)
def test_instructions_name_accounts_of_the_customers_own(client: stripe.StripeClient, currency: str) -> None:
    payer, other = customer(client), customer(client)
    fields: Any = {
        "currency": currency,
        "funding_type": "bank_transfer",
        "bank_transfer": transfer(currency),
    }
    made = client.v1.customers.funding_instructions.create(payer, fields)
    # The SDK names two of the types that its own parameters have.
    wrong = [one for one in violations(made.to_dict(), stripe.FundingInstructions) if "one of" not in one]
    assert wrong == []
    addresses = made.to_dict()["bank_transfer"]["financial_addresses"]
    assert [one["type"] for one in addresses] == TRANSFERS[currency][1]
    shown: Any = pay(client, payer, 1000, currency).to_dict()
    instructions = shown["next_action"]["display_bank_transfer_instructions"]
    assert (instructions["financial_addresses"], instructions["currency"]) == (addresses, currency)
    theirs = client.v1.customers.funding_instructions.create(other, fields).to_dict()
    assert theirs["bank_transfer"]["financial_addresses"] != addresses


def test_a_customer_with_cash_is_shown_with_it_and_cannot_be_deleted(client: stripe.StripeClient) -> None:
    payer = customer(client)
    assert balance(client, payer)["available"] is None
    fund(client, payer, 10)
    shown: Any = client.v1.customers.retrieve(payer, {"expand": ["cash_balance"]}).to_dict()
    assert shown["cash_balance"] == balance(client, payer)
    assert "cash_balance" not in client.v1.customers.retrieve(payer).to_dict()
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.customers.delete(payer)


def test_the_books_are_right_after_all_of_this(client: stripe.StripeClient) -> None:
    payer = customer(client)
    first, second = pay(client, payer, 1000), pay(client, payer, 700)
    fund(client, payer, 1300)
    client.v1.refunds.create({"payment_intent": first.id, "amount": 100})
    client.v1.payment_intents.cancel(second.id)
    verified: Any = client.raw_request("get", "/v1/ledger/verify")
    assert json.loads(verified.body)["problems"] == []
