"""Payments by SEPA direct debit, as the official client leads them, and what the bank says of them."""

import time
from typing import Any

import pytest
import stripe

from tests.support.dialect import violations

PATIENCE_SECONDS = 60
HOLDER = {"name": "Ada", "email": "ada@example.com"}
ACCEPTED = {"customer_acceptance": {"type": "online", "online": {"ip_address": "1.2.3.4", "user_agent": "x"}}}


def account(iban: str) -> Any:
    return {"type": "sepa_debit", "sepa_debit": {"iban": iban}, "billing_details": HOLDER}


def pay(client: stripe.StripeClient, iban: str, **more: Any) -> stripe.PaymentIntent:
    fields: Any = {
        "amount": 1500,
        "currency": "eur",
        "payment_method_types": ["sepa_debit"],
        "payment_method_data": account(iban),
        "mandate_data": ACCEPTED,
        "confirm": True,
        **more,
    }
    return client.v1.payment_intents.create(fields)


def wait(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
    """Return the payment once it is no longer processing, its charge expanded."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
        if found.status != "processing":
            return found
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_debit_is_processing_and_succeeds_later(client: stripe.StripeClient) -> None:
    intent = pay(client, "DE89 3704 0044 0532 0130 00")
    assert intent.status == "processing"
    assert violations(intent.to_dict(), stripe.PaymentIntent) == []
    paid = wait(client, intent)
    charge: Any = paid.latest_charge
    assert (paid.status, paid.amount_received, charge.status) == ("succeeded", 1500, "succeeded")
    assert violations(charge.to_dict(), stripe.Charge) == []
    details = charge.payment_method_details
    assert (details.type, details.sepa_debit.last4, details.sepa_debit.country) == (
        "sepa_debit",
        "3000",
        "DE",
    )
    mandate = client.v1.mandates.retrieve(details.sepa_debit.mandate)
    assert (mandate.status, mandate.payment_method_details.type) == ("active", "sepa_debit")
    assert client.v1.balance.retrieve().pending[0].amount == 1500
    events = client.v1.events.list({"limit": 5}).data
    # The bank settles it, and no request does.
    assert [(event.type, event.request is not None and event.request.id is not None) for event in events] == [
        ("payment_intent.succeeded", False),
        ("charge.succeeded", False),
        ("payment_intent.processing", True),
        ("charge.pending", True),
        ("payment_intent.created", True),
    ]


def test_a_debit_may_be_disputed_once_it_has_paid(client: stripe.StripeClient) -> None:
    fields: Any = {
        "amount": 1500,
        "currency": "eur",
        "payment_method": "pm_disputed_de",
        "payment_method_types": ["sepa_debit"],
        "mandate_data": ACCEPTED,
        "confirm": True,
    }
    paid = wait(client, client.v1.payment_intents.create(fields))
    charge: Any = paid.latest_charge
    assert (paid.status, charge.disputed, charge.payment_method_details.sepa_debit.last4) == (
        "succeeded",
        True,
        "3002",
    )
    dispute = client.v1.disputes.retrieve(charge.dispute, {"expand": ["charge"]})
    assert violations(dispute.to_dict(), stripe.Dispute) == []
    assert (dispute.status, dispute.reason, dispute.amount) == ("lost", "debit_not_authorized", 1500)
    assert [row.amount for row in dispute.balance_transactions] == [-1500]
    types = [event.type for event in client.v1.events.list({"type": "charge.dispute.*"}).data]
    assert types == [f"charge.dispute.{name}" for name in ("closed", "funds_withdrawn", "created")]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)
    shown: Any = client.v1.payment_methods.retrieve("pm_disputed_de")
    assert (shown.type, shown.sepa_debit["country"]) == ("sepa_debit", "DE")
    assert violations(shown.to_dict(), stripe.PaymentMethod) == []


def test_a_debit_may_fail_later(client: stripe.StripeClient) -> None:
    failed = wait(client, pay(client, "AT861904300235473202"))
    charge: Any = failed.latest_charge
    assert (failed.status, charge.status) == ("requires_payment_method", "failed")
    assert charge.failure_code == "generic_could_not_process"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "payment_intent_payment_attempt_failed"


def test_bank_accounts_are_payment_methods_of_their_own_type(client: stripe.StripeClient) -> None:
    methods = client.v1.payment_methods
    customer = client.v1.customers.create({"name": "Ada"})
    made = methods.create(account("AT611904300234573201"))
    assert violations(made.to_dict(), stripe.PaymentMethod) == []
    assert (made.type, "card" in made.to_dict()) == ("sepa_debit", False)
    assert made.sepa_debit is not None
    assert (made.sepa_debit.last4, made.sepa_debit.bank_code) == ("3201", "19043")
    methods.attach(made.id, {"customer": customer.id})
    visa = methods.attach("pm_card_visa", {"customer": customer.id})
    other = methods.attach("pm_card_mastercard", {"customer": customer.id})

    def listed(**params: Any) -> list[str]:
        params["customer"] = customer.id
        wanted: Any = params
        return [found.id for found in methods.list(wanted).data]

    assert listed() == [other.id, visa.id, made.id]
    assert listed(type="sepa_debit") == [made.id]
    assert listed(type="card") == [other.id, visa.id]
    assert listed(type="card", limit=1) == [other.id]
    assert methods.list({"customer": customer.id, "type": "card", "limit": 1}).has_more
    assert listed(type="card", starting_after=other.id) == [visa.id]
    assert listed(type="card", ending_before=made.id) == [other.id, visa.id]
    assert not methods.list({"customer": customer.id, "type": "sepa_debit", "limit": 1}).has_more


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"type": "sepa_debit", "billing_details": HOLDER}, "sepa_debit"),
        (account("DE88370400440532013000"), "sepa_debit[iban]"),
        (account("DE75512108001245126199"), "sepa_debit[iban]"),
        (
            {"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}},
            "billing_details[name]",
        ),
        ({**account("DE89370400440532013000"), "card": {"token": "tok_visa"}}, "card"),
        ({"type": "card", "sepa_debit": {"iban": "DE89370400440532013000"}}, "sepa_debit"),
    ],
)
def test_a_bank_account_that_makes_no_sense_is_refused(
    client: stripe.StripeClient, data: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.create(data)
    assert refused.value.param == param
    assert "0532013000" not in str(refused.value)


def test_automatic_payment_methods_need_a_way_back(client: stripe.StripeClient) -> None:
    fields: Any = {
        "amount": 500,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "automatic_payment_methods": {"enabled": True},
    }
    create = client.v1.payment_intents.create
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(fields)
    assert refused.value.param == "return_url"
    fields["return_url"] = "https://example.com/back"
    assert create(fields).status == "succeeded"
    del fields["return_url"]
    fields["automatic_payment_methods"]["allow_redirects"] = "never"
    assert create(fields).status == "succeeded"


def test_an_account_is_set_up_once_and_debited_without_its_holder(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    fields: Any = {"customer": customer.id, "payment_method_types": ["sepa_debit"], "usage": "off_session"}
    setup = client.v1.setup_intents.create(fields)
    given: Any = {"payment_method_data": account("DE89370400440532013000")}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.confirm(setup.id, given)
    assert (refused.value.code, refused.value.param) == ("setup_intent_mandate_invalid", "mandate_data")
    given |= {"mandate_data": ACCEPTED, "expand": ["latest_attempt", "payment_method"]}
    done = client.v1.setup_intents.confirm(setup.id, given)
    assert (done.status, done.payment_method_types) == ("succeeded", ["sepa_debit"])
    assert violations(done.to_dict(), stripe.SetupIntent) == []
    attempt, method = done.latest_attempt, done.payment_method
    assert isinstance(attempt, stripe.SetupAttempt)
    assert isinstance(method, stripe.PaymentMethod)
    assert attempt.payment_method_details.type == "sepa_debit"
    assert (method.type, method.customer) == ("sepa_debit", customer.id)
    fields = {
        "amount": 700,
        "currency": "eur",
        "customer": customer.id,
        "payment_method": method.id,
        "payment_method_types": ["sepa_debit"],
        "off_session": True,
        "confirm": True,
    }
    paid = wait(client, client.v1.payment_intents.create(fields))
    charge: Any = paid.latest_charge
    assert (paid.status, charge.payment_method_details.sepa_debit.mandate) == ("succeeded", done.mandate)
    assert client.v1.mandates.retrieve(charge.payment_method_details.sepa_debit.mandate).status == "active"


def test_a_card_alone_sets_no_account_up(client: stripe.StripeClient) -> None:
    fields: Any = {
        "payment_method_types": ["card"],
        "payment_method_data": account("DE89370400440532013000"),
        "mandate_data": ACCEPTED,
        "confirm": True,
    }
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.create(fields)
    assert (refused.value.code, refused.value.param) == ("setup_intent_invalid_parameter", "payment_method")
