"""The life of a payment, as the official client leads it."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.support.tenants import Tenant

Connect = Callable[[str], stripe.StripeClient]


def pay(client: stripe.StripeClient, amount: int = 2000) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": amount, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )


def authorize(client: stripe.StripeClient, amount: int = 2000) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )


def metadata(shown: stripe.StripeObject) -> object:
    return shown.to_dict()["metadata"]


def charge_of(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> stripe.Charge:
    assert isinstance(intent.latest_charge, str)
    return client.v1.charges.retrieve(intent.latest_charge)


def test_a_payment_confirmed_at_once_succeeds(client: stripe.StripeClient) -> None:
    intent = pay(client)
    assert (intent.object, intent.status, intent.livemode) == ("payment_intent", "succeeded", False)
    assert (intent.amount, intent.amount_received, intent.amount_capturable) == (2000, 2000, 0)
    assert intent.id.startswith("pi_")
    charge = charge_of(client, intent)
    assert (charge.status, charge.paid, charge.captured, charge.refunded) == ("succeeded", True, True, False)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (2000, 2000, 0)
    assert (charge.payment_intent, charge.payment_method) == (intent.id, intent.payment_method)
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()
    assert intent.last_response is not None
    assert str(intent.last_response.request_id).startswith("req_")


def test_a_payment_goes_from_state_to_state(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    intent = intents.create({"amount": 700, "currency": "EUR"})
    assert (intent.status, intent.currency, intent.latest_charge) == ("requires_payment_method", "eur", None)
    intent = intents.update(intent.id, {"payment_method": "pm_card_mastercard"})
    assert intent.status == "requires_confirmation"
    intent = intents.confirm(intent.id)
    assert intent.status == "succeeded"
    card = client.v1.payment_methods.retrieve(str(intent.payment_method)).card
    assert card is not None
    assert (card.brand, card.last4) == ("mastercard", "4444")


def test_the_card_may_come_with_the_payment(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "confirm": True,
            "payment_method_data": {
                "type": "card",
                "card": {  # type: ignore[typeddict-unknown-key]
                    "number": "5555555555554444",
                    "exp_month": 12,
                    "exp_year": 2034,
                    "cvc": "123",
                },
                "billing_details": {"name": "Ada", "email": "ada@example.com"},
            },
            "expand": ["latest_charge"],
        }
    )
    assert intent.status == "succeeded"
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.billing_details.name == "Ada"


def test_a_payment_is_changed_before_it_is_made(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    intent = intents.create(
        {"amount": 700, "currency": "usd", "description": "first", "metadata": {"a": "1"}}
    )
    intent = intents.update(intent.id, {"amount": 800, "description": "", "receipt_email": "a@example.com"})
    assert (intent.amount, intent.description, intent.receipt_email) == (800, None, "a@example.com")
    assert metadata(intent) == {"a": "1"}
    assert intents.retrieve(intent.id).to_dict() == intent.to_dict()


def test_what_was_paid_cannot_become_another_amount(client: stripe.StripeClient) -> None:
    intent = pay(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent.id, {"amount": 1})
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.param == "amount"
    changed = client.v1.payment_intents.update(intent.id, {"description": "later"})
    assert (changed.amount, changed.description, changed.status) == (2000, "later", "succeeded")


def test_metadata_is_set_merged_and_cleared(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    intent = intents.create({"amount": 5, "currency": "usd", "metadata": {"a": "1", "b": "2"}})
    assert metadata(intent) == {"a": "1", "b": "2"}
    merged = intents.update(intent.id, {"metadata": {"b": "3", "c": "ü €"}})
    assert metadata(merged) == {"a": "1", "b": "3", "c": "ü €"}
    assert metadata(intents.update(intent.id, {"metadata": {"a": ""}})) == {"b": "3", "c": "ü €"}
    assert metadata(intents.update(intent.id, {"metadata": ""})) == {}
    assert metadata(intents.retrieve(intent.id)) == {}


def test_a_hold_is_captured_in_whole(client: stripe.StripeClient) -> None:
    intent = authorize(client)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2000, 0)
    held = charge_of(client, intent)
    assert (held.captured, held.amount_captured, held.balance_transaction) == (False, 0, None)
    intent = client.v1.payment_intents.capture(intent.id)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 2000)
    assert charge_of(client, intent).captured is True


def test_a_hold_is_captured_in_part_and_the_rest_released(client: stripe.StripeClient) -> None:
    intent = authorize(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2001})
    assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount_to_capture")
    intent = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1500})
    assert (intent.status, intent.amount, intent.amount_received) == ("succeeded", 2000, 1500)
    charge = charge_of(client, intent)
    assert (charge.amount, charge.amount_captured, charge.captured) == (2000, 1500, True)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 500})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_a_payment_is_canceled_before_it_is_made(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 700, "currency": "usd"})
    intent = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    assert intent.canceled_at is not None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.error is not None
    assert refused.value.error.payment_intent is not None
    assert refused.value.error.payment_intent.status == "canceled"


def test_canceling_releases_the_hold(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.cancel(authorize(client).id)
    assert (intent.status, intent.amount_capturable) == ("canceled", 0)
    charge = charge_of(client, intent)
    assert (charge.captured, charge.refunded, charge.amount_captured) == (False, True, 0)
    assert client.v1.balance.retrieve().pending[0].amount == 0


def test_what_succeeded_cannot_be_canceled(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.cancel(pay(client).id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_a_card_may_ask_for_its_holder(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://shop.example/back",
        }
    )
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.type == "redirect_to_url"
    assert intent.latest_charge is None
    assert client.v1.payment_intents.cancel(intent.id).status == "canceled"


def test_without_its_holder_such_a_card_is_declined(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(
            {
                "amount": 700,
                "currency": "usd",
                "payment_method": "pm_card_authenticationRequired",
                "confirm": True,
                "off_session": True,
            }
        )
    assert declined.value.code == "authentication_required"


def test_a_card_is_kept_for_the_next_payment(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    intent = client.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "setup_future_usage": "off_session",
            "confirm": True,
        }
    )
    assert intent.setup_future_usage == "off_session"
    method = client.v1.payment_methods.retrieve(str(intent.payment_method))
    assert method.customer == customer.id
    again = client.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": method.id,
            "off_session": True,
            "confirm": True,
        }
    )
    assert (again.status, again.payment_method) == ("succeeded", method.id)


def test_a_publishable_key_reaches_what_its_secret_opens(
    client: stripe.StripeClient, tenant: Tenant, connect: Connect
) -> None:
    browser = connect(tenant.publishable)
    intent = client.v1.payment_intents.create({"amount": 700, "currency": "usd", "metadata": {"note": "own"}})
    assert intent.client_secret is not None
    shown = browser.v1.payment_intents.retrieve(intent.id, {"client_secret": intent.client_secret})
    assert (shown.id, shown.amount) == (intent.id, 700)
    assert "metadata" not in shown.to_dict()
    # The client's own types are for servers, which have no use for the secret.
    with_secret: Any = {"client_secret": intent.client_secret, "payment_method": "pm_card_visa"}
    paid = browser.v1.payment_intents.confirm(intent.id, with_secret)
    assert paid.status == "succeeded"
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_publishable_key_reaches_nothing_else(
    client: stripe.StripeClient, tenant: Tenant, connect: Connect
) -> None:
    browser = connect(tenant.publishable)
    intent = client.v1.payment_intents.create({"amount": 700, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        browser.v1.payment_intents.retrieve(intent.id, {"client_secret": f"{intent.id}_secret_wrong"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        browser.v1.payment_intents.retrieve(intent.id)
    assert refused.value.param == "client_secret"
    for forbidden in (
        browser.v1.payment_intents.list,
        browser.v1.balance.retrieve,
        browser.v1.customers.list,
    ):
        with pytest.raises(stripe.PermissionError) as closed:
            forbidden()
        assert closed.value.http_status == 403


def test_a_server_that_confirms_by_hand_confirms_again_after_the_authentication(
    client: stripe.StripeClient,
) -> None:
    asked = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirmation_method": "manual",
            "confirm": True,
        }
    )
    assert asked.status == "requires_action"
    helper = f"/v1/test_helpers/payment_intents/{asked.id}/authenticate"
    client.raw_request("post", helper, outcome="succeeded")
    assert client.v1.payment_intents.retrieve(asked.id).status == "requires_confirmation"
    assert client.v1.payment_intents.confirm(asked.id).status == "succeeded"
