"""Cards that are set up and charged later, as the official client sees them."""

from collections.abc import Callable

import pytest
import stripe

from tests.support.tenants import Tenant


def set_up(client: stripe.StripeClient, card: str, customer: str) -> stripe.SetupIntent:
    """Set a card up for a customer, with the cardholder's agreement where the card asks for it."""
    made = client.v1.setup_intents.create(
        {"customer": customer, "payment_method": card, "confirm": True, "expand": ["latest_attempt"]}
    )
    if made.status == "requires_action":
        path = f"/v1/test_helpers/setup_intents/{made.id}/authenticate"
        client.raw_request("post", path)
    return client.v1.setup_intents.retrieve(made.id)


def test_a_card_is_set_up_and_pays_without_its_holder(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    intent = set_up(client, "pm_card_authenticationRequiredOnSetup", customer)
    assert (intent.status, intent.usage) == ("succeeded", "off_session")
    assert isinstance(intent.payment_method, str)
    (attempt,) = client.v1.setup_attempts.list({"setup_intent": intent.id}).data
    assert (attempt.id, attempt.status) == (intent.latest_attempt, "succeeded")
    assert client.v1.payment_methods.retrieve(intent.payment_method).customer == customer
    paid = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": customer,
            "payment_method": intent.payment_method,
            "off_session": True,
            "confirm": True,
        }
    )
    assert paid.status == "succeeded"
    listed = client.v1.setup_intents.list({"payment_method": intent.payment_method, "customer": customer})
    assert [one.id for one in listed.data] == [intent.id]
    assert client.v1.setup_intents.list({"customer": client.v1.customers.create().id}).data == []


def test_a_card_that_was_only_attached_needs_its_holder(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    method = client.v1.payment_methods.attach("pm_card_authenticationRequiredOnSetup", {"customer": customer})
    with pytest.raises(stripe.CardError) as refusal:
        client.v1.payment_intents.create(
            {
                "amount": 500,
                "currency": "usd",
                "customer": customer,
                "payment_method": method.id,
                "off_session": True,
                "confirm": True,
            }
        )
    assert refusal.value.code == "authentication_required"
    error = refusal.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (error.payment_intent.status, error.payment_method and error.payment_method.id) == (
        "requires_payment_method",
        method.id,
    )


def test_a_declined_setup_shows_the_intent_in_its_error(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        client.v1.setup_intents.create({"payment_method": "pm_card_chargeDeclined", "confirm": True})
    error = refusal.value.error
    assert error is not None
    assert (refusal.value.http_status, error.code, error.decline_code) == (
        402,
        "card_declined",
        "generic_decline",
    )
    intent = error.setup_intent
    assert intent is not None
    assert intent.last_setup_error is not None
    assert intent.last_setup_error.payment_method is not None
    assert intent.to_dict() == client.v1.setup_intents.retrieve(intent.id).to_dict()


def test_the_state_is_in_the_error_of_what_it_does_not_allow(client: stripe.StripeClient) -> None:
    intent = client.v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True})
    for refused in (client.v1.setup_intents.cancel, client.v1.setup_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            refused(intent.id)
        assert refusal.value.code == "setup_intent_unexpected_state"
        error = refusal.value.error
        assert error is not None
        assert error.setup_intent is not None
        assert error.setup_intent.status == "succeeded"


def test_an_intent_is_changed_and_canceled(client: stripe.StripeClient) -> None:
    intent = client.v1.setup_intents.create({"usage": "on_session", "metadata": {"a": "1", "b": "2"}})
    changed = client.v1.setup_intents.update(
        intent.id, {"description": "Card", "metadata": {"a": "", "c": "3"}, "payment_method": "pm_card_visa"}
    )
    assert (changed.description, changed.status) == ("Card", "requires_confirmation")
    assert changed.to_dict()["metadata"] == {"b": "2", "c": "3"}
    canceled = client.v1.setup_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")


def test_the_same_key_makes_one_setup(client: stripe.StripeClient) -> None:
    options: stripe.RequestOptions = {"idempotency_key": "once"}
    first, again = (
        client.v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True}, options)
        for _ in "ab"
    )
    assert first.to_dict() == again.to_dict()
    assert len(client.v1.setup_attempts.list({"setup_intent": first.id}).data) == 1
    refused = [decline(client, {"idempotency_key": "declined"}) for _ in "ab"]
    assert refused[0] == refused[1]


def decline(client: stripe.StripeClient, options: stripe.RequestOptions) -> object:
    """Return the body of a declined setup."""
    with pytest.raises(stripe.CardError) as refusal:
        client.v1.setup_intents.create({"payment_method": "pm_card_chargeDeclined", "confirm": True}, options)
    return refusal.value.http_body


def test_a_browser_confirms_with_the_client_secret_alone(
    client: stripe.StripeClient, connect: Callable[[str], stripe.StripeClient], tenant: Tenant
) -> None:
    customer = client.v1.customers.create().id
    intent = client.v1.setup_intents.create({"customer": customer, "metadata": {"order": "1"}})
    browser = connect(tenant.publishable)
    secret = intent.client_secret or ""
    with pytest.raises(stripe.InvalidRequestError):
        browser.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    confirmed = browser.raw_request(
        "post",
        f"/v1/setup_intents/{intent.id}/confirm",
        client_secret=secret,
        payment_method_data={
            "type": "card",
            "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"},
        },
        mandate_data={"customer_acceptance": {"type": "online", "online": {"infer_from_client": True}}},
    )
    shown = browser.deserialize(confirmed, api_mode="V1")
    assert isinstance(shown, stripe.SetupIntent)
    assert shown.status == "succeeded"
    assert not {"customer", "latest_attempt", "mandate", "metadata"} & shown.to_dict().keys()
    stored = client.v1.setup_intents.retrieve(intent.id)
    assert isinstance(stored.payment_method, str)
    assert client.v1.payment_methods.retrieve(stored.payment_method).customer == customer
    assert isinstance(stored.mandate, str)
    assert client.v1.mandates.retrieve(stored.mandate).payment_method == stored.payment_method
