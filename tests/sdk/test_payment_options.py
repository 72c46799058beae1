"""Options of payments, as the official client sends and shows them."""

from typing import Any

import pytest
import stripe

from tests.support.dialect import violations

FLEXIBLE = dict.fromkeys(("request_multicapture", "request_incremental_authorization"), "if_available")


def pay(client: stripe.StripeClient, card: dict[str, Any] | None = None, **more: Any) -> stripe.PaymentIntent:
    """Confirm a payment of 20.00 with these options for cards; the charge is expanded."""
    fields: Any = {
        "amount": 2000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "expand": ["latest_charge"],
        **more,
    }
    if card is not None:
        fields["payment_method_options"] = {"card": card}
    intent = client.v1.payment_intents.create(fields)
    assert violations(intent.to_dict(), stripe.PaymentIntent) == []
    return intent


def details(intent: stripe.PaymentIntent) -> Any:
    """Return what the expanded charge shows of the card."""
    return charge(intent)["payment_method_details"]["card"]


def charge(intent: stripe.PaymentIntent) -> Any:
    shown = intent.to_dict()["latest_charge"]
    assert violations(shown, stripe.Charge) == []
    return shown


def test_a_payment_is_incremented_and_captured_in_parts(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    first = pay(client, FLEXIBLE, capture_method="manual")
    held = pay(client, FLEXIBLE, capture_method="manual")
    assert [details(held)[name]["status"] for name in ("multicapture", "incremental_authorization")] == [
        "available",
        "available",
    ]
    raised = intents.increment_authorization(held.id, {"amount": 3000, "description": "Two nights"})
    assert (raised.amount, raised.amount_capturable, raised.description) == (3000, 3000, "Two nights")
    partly = intents.capture(held.id, {"amount_to_capture": 1000, "final_capture": False})
    assert (partly.status, partly.amount_capturable, partly.amount_received) == (
        "requires_capture",
        2000,
        1000,
    )
    paid = intents.capture(held.id, {"amount_to_capture": 1500, "expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, charge(paid)["amount_captured"]) == ("succeeded", 2500, 2500)
    listed = client.v1.balance_transactions.list({"source": charge(paid)["id"]}).data
    assert [row.amount for row in listed] == [1500, 1000]
    assert listed[0].id == charge(paid)["balance_transaction"]
    types = [event.type for event in client.v1.events.list({"type": "charge.*"}).data]
    assert types[:4] == ["charge.captured", "charge.captured", "charge.updated", "charge.succeeded"]
    # The other one is released when its authorization ends, or is canceled.
    intents.capture(first.id, {"amount_to_capture": 1, "final_capture": False})
    assert intents.cancel(first.id).status == "succeeded"


def test_a_payment_that_did_not_ask_is_captured_once(client: stripe.StripeClient) -> None:
    held = pay(client, capture_method="manual")
    assert details(held)["multicapture"]["status"] == "unavailable"
    assert details(held)["overcapture"]["status"] == "unavailable"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1, "final_capture": False})
    assert refused.value.param == "final_capture"
    with pytest.raises(stripe.InvalidRequestError) as unavailable:
        client.v1.payment_intents.increment_authorization(held.id, {"amount": 3000})
    assert unavailable.value.code == "payment_intent_unexpected_state"


def test_a_capture_takes_more_than_was_authorized_if_that_was_asked_for(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    asking = {"request_overcapture": "if_available", "request_incremental_authorization": "if_available"}
    held = pay(client, asking, amount=2000, capture_method="manual")
    most = {"maximum_amount_capturable": 2300, "status": "available"}
    assert (held.amount_capturable, details(held)["overcapture"]) == (2000, most)
    intents.increment_authorization(held.id, {"amount": 3000})
    wrong: Any
    for wrong in ({"amount_to_capture": 3451}, {"amount_to_capture": 3450, "final_capture": False}):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            intents.capture(held.id, wrong)
        assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount_to_capture")
    paid = intents.capture(held.id, {"amount_to_capture": 3450, "expand": ["latest_charge"]})
    assert (paid.status, paid.amount, paid.amount_received) == ("succeeded", 3000, 3450)
    assert (charge(paid)["amount"], charge(paid)["amount_captured"]) == (3000, 3450)
    assert client.v1.balance_transactions.retrieve(charge(paid)["balance_transaction"]).amount == 3450
    assert client.v1.refunds.create({"payment_intent": paid.id}).amount == 3450
    other = pay(client, asking, payment_method="pm_card_jcb", capture_method="manual")
    assert details(other)["overcapture"]["status"] == "unavailable"


def test_authentication_of_another_provider_counts_and_is_shown(client: stripe.StripeClient) -> None:
    external = {
        "version": "2.1.0",
        "electronic_commerce_indicator": "05",
        "cryptogram": "jJ81HADVRtXfCBATEp01CJUAAAA=",
        "transaction_id": "f879ea1c-aa2c-4441-806d-e30406466d79",
    }
    asking = {"payment_method": "pm_card_authenticationRequired"}
    paid = pay(client, {"three_d_secure": external}, **asking)
    shown = details(paid)["three_d_secure"]
    assert (paid.status, shown["result"], shown["version"]) == ("succeeded", "authenticated", "2.1.0")
    assert shown["transaction_id"] == external["transaction_id"]
    failed = pay(client, {"three_d_secure": {**external, "ares_trans_status": "N"}}, **asking)
    assert failed.status == "requires_action"


def test_payments_without_the_cardholder_follow_an_earlier_one(client: stripe.StripeClient) -> None:
    first = pay(client)
    network = details(first)["network_transaction_id"]
    assert network
    card = {"mit_exemption": {"network_transaction_id": network}}
    later = pay(client, card, payment_method="pm_card_authenticationRequiredOnSetup", off_session=True)
    assert (later.status, details(later)["network_transaction_id"]) == ("succeeded", network)
    with pytest.raises(stripe.CardError) as declined:
        pay(client, payment_method="pm_card_authenticationRequiredOnSetup", off_session=True)
    assert declined.value.code == "authentication_required"
    order = pay(client, {"moto": True}, payment_method="pm_card_authenticationRequiredOnSetup")
    assert (order.status, details(order)["moto"]) == ("succeeded", True)


def test_what_has_no_effect_is_kept_and_shown(client: stripe.StripeClient) -> None:
    paid = pay(
        client,
        {"network": "visa", "statement_descriptor_suffix_kana": "カナ", "require_cvc_recollection": True},
        amount_details={
            "discount_amount": 100,
            "enforce_arithmetic_validation": True,
            "line_items": [{"product_name": "Room", "quantity": 2, "unit_cost": 1000}],
            "shipping": {"amount": 100, "to_postal_code": "8000"},
        },
        excluded_payment_method_types=["sepa_debit"],
        payment_details={"order_reference": "A-1"},
        radar_options={"session": "rse_1", "skip_rules": ["all"]},
        level3={
            "merchant_reference": "123",
            "shipping_amount": 10,
            "line_items": [{"product_code": "1", "product_description": "A", "quantity": 1, "unit_cost": 50}],
        },
    ).to_dict()
    options = paid["payment_method_options"]["card"]
    assert (options["network"], options["statement_descriptor_suffix_kana"]) == ("visa", "カナ")
    assert paid["amount_details"]["discount_amount"] == 100
    assert paid["amount_details"]["shipping"] == {"amount": 100, "to_postal_code": "8000"}
    assert paid["excluded_payment_method_types"] == ["sepa_debit"]
    assert paid["payment_details"] == {"order_reference": "A-1"}
    shown = paid["latest_charge"]
    assert shown["radar_options"] == {"session": "rse_1", "skip_rules": ["all"]}
    assert shown["level3"]["line_items"][0]["unit_cost"] == 50
    assert shown["payment_method_details"]["card"]["network"] == "visa"


def test_an_amount_that_its_details_do_not_add_up_to_is_refused(client: stripe.StripeClient) -> None:
    items = [{"product_name": "Room", "quantity": 1, "unit_cost": 1999}]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        pay(client, amount_details={"enforce_arithmetic_validation": True, "line_items": items})
    assert refused.value.code == "amount_details_amount_mismatch"


DEBIT: Any = {
    "type": "sepa_debit",
    "sepa_debit": {"iban": "DE89370400440532013000"},
    "billing_details": {"name": "Ada", "email": "ada@example.com"},
}


@pytest.mark.parametrize("intents", ["payment_intents", "setup_intents"])
def test_of_the_types_that_are_allowed_those_are_taken_that_are_served(
    client: stripe.StripeClient, intents: str
) -> None:
    service: Any = getattr(client.v1, intents)
    kind: Any = stripe.PaymentIntent if intents == "payment_intents" else stripe.SetupIntent
    amount = {"amount": 500, "currency": "eur"} if intents == "payment_intents" else {}
    made = service.create({**amount, "allowed_payment_method_types": ["link", "sepa_debit"]})
    assert violations(made.to_dict(), kind) == []
    assert made.allowed_payment_method_types == ["link", "sepa_debit"]
    assert made.payment_method_types == ["sepa_debit"]
    assert list(made.payment_method_options.to_dict()) == ["sepa_debit"]
    with pytest.raises(stripe.InvalidRequestError, match=r"\(card\) is not allowed"):
        service.confirm(made.id, {"payment_method": "pm_card_visa"})
    accepted = {"customer_acceptance": {"type": "offline"}}
    done = service.confirm(made.id, {"payment_method_data": DEBIT, "mandate_data": accepted})
    assert done.status in {"processing", "succeeded"}
    # They can be changed, and given at the confirmation.
    other = service.create({**amount, "allowed_payment_method_types": ["sepa_debit"]})
    changed = service.update(other.id, {"allowed_payment_method_types": ["card"]})
    assert (changed.allowed_payment_method_types, changed.payment_method_types) == (["card"], ["card"])
    assert service.confirm(other.id, {"payment_method": "pm_card_visa"}).status == "succeeded"
    last = service.create(amount)
    given = {"allowed_payment_method_types": ["sepa_debit"], "payment_method": "pm_card_visa"}
    with pytest.raises(stripe.InvalidRequestError, match="is not allowed"):
        service.confirm(last.id, given)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        service.create({**amount, "allowed_payment_method_types": ["link"]})
    assert refused.value.param == "allowed_payment_method_types"
    both = {"allowed_payment_method_types": ["card"], "payment_method_types": ["card"]}
    with pytest.raises(stripe.InvalidRequestError, match="payment_method_types"):
        service.create({**amount, **both})


@pytest.mark.parametrize("intents", ["payment_intents", "setup_intents"])
def test_types_that_are_excluded_are_not_taken(client: stripe.StripeClient, intents: str) -> None:
    service: Any = getattr(client.v1, intents)
    amount = {"amount": 500, "currency": "eur"} if intents == "payment_intents" else {}
    made = service.create({**amount, "excluded_payment_method_types": ["card"]})
    assert made.excluded_payment_method_types == ["card"]
    with pytest.raises(stripe.InvalidRequestError, match=r"\(card\) is not allowed"):
        service.confirm(made.id, {"payment_method": "pm_card_visa"})
    service.update(made.id, {"excluded_payment_method_types": ["sepa_debit"]})
    assert service.confirm(made.id, {"payment_method": "pm_card_visa"}).status == "succeeded"
