"""Cards: kept, attached, listed, changed and let go through the official client."""

from typing import Any

import pytest
import stripe

CARD: Any = {"number": "4242424242424242", "exp_month": 8, "exp_year": 2034, "cvc": "314"}


def test_a_card_is_kept_and_its_number_forgotten(client: stripe.StripeClient) -> None:
    method = client.v1.payment_methods.create(
        {"type": "card", "card": CARD, "billing_details": {"name": "Ada", "address": {"city": "Bern"}}}
    )
    assert method.id.startswith("pm_")
    assert (method.object, method.type, method.customer) == ("payment_method", "card", None)
    card = method.card
    assert card is not None
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("visa", "4242", 8, 2034)
    assert card.checks is not None
    assert card.checks.cvc_check == "pass"
    assert method.billing_details.name == "Ada"
    assert method.last_response is not None
    assert "4242424242424242" not in method.last_response.body
    assert client.v1.payment_methods.retrieve(method.id).to_dict() == method.to_dict()


def test_the_same_number_has_the_same_fingerprint_with_one_tenant_alone(
    client: stripe.StripeClient, other: stripe.StripeClient
) -> None:
    numbers = ("4242424242424242", "4242 4242 4242 4242", "5555555555554444")

    def fingerprint(who: stripe.StripeClient, number: str) -> object:
        data: Any = {**CARD, "number": number}
        card = who.v1.payment_methods.create({"type": "card", "card": data}).card
        return card and card.fingerprint

    first, spaced, different = (fingerprint(client, number) for number in numbers)
    assert first == spaced
    assert len({first, different, fingerprint(other, numbers[0])}) == 3


@pytest.mark.parametrize(
    ("token", "brand", "last4"), [("tok_visa", "visa", "4242"), ("tok_mastercard", "mastercard", "4444")]
)
def test_a_token_stands_for_a_card(client: stripe.StripeClient, token: str, brand: str, last4: str) -> None:
    card = client.v1.payment_methods.create({"type": "card", "card": {"token": token}}).card
    assert card is not None
    assert (card.brand, card.last4) == (brand, last4)


def test_a_card_is_attached_listed_and_let_go(client: stripe.StripeClient) -> None:
    ada, bo = (client.v1.customers.create({"name": name}) for name in ("Ada", "Bo"))
    method = client.v1.payment_methods.create({"type": "card", "card": CARD})
    attached = client.v1.payment_methods.attach(method.id, {"customer": ada.id})
    assert (attached.id, attached.customer) == (method.id, ada.id)
    magic = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": ada.id})
    assert magic.id not in {"pm_card_mastercard", method.id}
    listed = client.v1.payment_methods.list({"customer": ada.id, "type": "card"})
    assert [found.id for found in listed.data] == [magic.id, method.id]
    owned = client.v1.customers.payment_methods.list(ada.id)
    assert (owned.url, len(owned.data)) == (f"/v1/customers/{ada.id}/payment_methods", 2)
    assert client.v1.customers.payment_methods.retrieve(ada.id, method.id).id == method.id
    assert client.v1.payment_methods.list({"customer": bo.id}).data == []
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.payment_methods.retrieve(bo.id, method.id)
    assert refused.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(method.id, {"customer": bo.id})
    assert client.v1.payment_methods.detach(method.id).customer is None
    assert [found.id for found in client.v1.payment_methods.list({"customer": ada.id}).data] == [magic.id]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.detach(method.id)


def test_an_attached_card_is_changed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    changed = client.v1.payment_methods.update(
        method.id,
        {
            "billing_details": {"name": "Bo", "email": "bo@example.com"},
            "card": {"exp_month": 1, "exp_year": 2040},
            "metadata": {"order": "1"},
        },
    )
    assert changed.card is not None
    assert (changed.card.exp_month, changed.card.exp_year) == (1, 2040)
    assert changed.billing_details.email == "bo@example.com"
    assert changed.to_dict()["metadata"] == {"order": "1"}


def test_billing_details_are_changed_one_by_one(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.create(
        {"type": "card", "card": CARD, "billing_details": {"name": "Ada", "email": "ada@example.com"}}
    )
    client.v1.payment_methods.attach(method.id, {"customer": customer.id})
    changed = client.v1.payment_methods.update(method.id, {"billing_details": {"phone": "+41"}})
    details = changed.billing_details
    assert (details.name, details.email, details.phone) == ("Ada", "ada@example.com", "+41")


def test_a_customers_card_pays_for_that_customer_alone(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "payment_method": method.id, "confirm": True}
        )
    assert refused.value.param == "payment_method"
    intent = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "payment_method": method.id,
            "customer": customer.id,
            "confirm": True,
        }
    )
    assert intent.status == "succeeded"


def test_a_customer_has_a_card_of_choice_while_it_is_attached(client: stripe.StripeClient) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": CARD})
    customer = client.v1.customers.create({"payment_method": method.id})
    assert client.v1.payment_methods.retrieve(method.id).customer == customer.id
    changed = client.v1.customers.update(
        customer.id,
        {
            "invoice_settings": {"default_payment_method": method.id},
            "expand": ["invoice_settings.default_payment_method"],
        },
    )
    assert changed.invoice_settings is not None
    default = changed.invoice_settings.default_payment_method
    assert isinstance(default, stripe.PaymentMethod)
    assert default.id == method.id
    client.v1.payment_methods.detach(method.id)
    after = client.v1.customers.retrieve(customer.id).invoice_settings
    assert after is not None
    assert after.default_payment_method is None


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "card[number]"),
        ({"number": "1234"}, "incorrect_number", "card[number]"),
        ({"exp_month": 13}, "invalid_expiry_month", "card[exp_month]"),
        ({"exp_year": 2020}, "invalid_expiry_year", "card[exp_year]"),
        ({"cvc": "12"}, "invalid_cvc", "card[cvc]"),
    ],
)
def test_a_card_that_is_none_is_refused(
    client: stripe.StripeClient, changes: dict[str, object], code: str, param: str
) -> None:
    card: Any = {**CARD, **changes}
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": card})
    assert (refused.value.code, refused.value.param) == (code, param)
    assert client.v1.payment_methods.list().data == []
