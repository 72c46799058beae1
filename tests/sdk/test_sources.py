"""Tokens, confirmation tokens and customers' sources, as the official client sees them."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.support.tenants import Tenant

CARD: Any = {"number": "4242424242424242", "exp_month": 8, "exp_year": 2034, "cvc": "314", "name": "Ada"}


def test_a_browser_sends_the_card_and_the_server_uses_the_token(
    client: stripe.StripeClient, connect: Callable[[str], stripe.StripeClient], tenant: Tenant
) -> None:
    card: Any = {**CARD, "address_zip": "3000"}
    token = connect(tenant.publishable).v1.tokens.create({"card": card})
    assert (token.type, token.used) == ("card", False)
    assert token.card is not None
    assert (token.card.brand, token.card.last4, token.card.name) == ("Visa", "4242", "Ada")
    assert token.last_response is not None
    assert CARD["number"] not in token.last_response.body
    data: Any = {"type": "card", "card": {"token": token.id}}
    paid = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "confirm": True,
            "payment_method_data": data,
            "expand": ["payment_method"],
        }
    )
    assert paid.status == "succeeded"
    assert isinstance(paid.payment_method, stripe.PaymentMethod)
    address = paid.payment_method.billing_details.address
    assert (paid.payment_method.billing_details.name, address and address.postal_code) == ("Ada", "3000")
    assert client.v1.tokens.retrieve(token.id).used
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_methods.create({"type": "card", "card": {"token": token.id}})
    assert (refusal.value.code, refusal.value.param) == ("token_already_used", "card[token]")
    assert client.v1.tokens.retrieve("tok_visa").card is not None


def test_sources_are_made_changed_listed_and_deleted(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    sources = client.v1.customers.payment_sources
    # What is no card is no source.
    account: Any = {"iban": "AT321904300235473204"}
    debit = client.v1.payment_methods.create(
        {
            "type": "sepa_debit",
            "sepa_debit": account,
            "billing_details": {"name": "Ada", "email": "ada@example.com"},
        }
    )
    client.v1.payment_methods.attach(debit.id, {"customer": customer})
    first = sources.create(customer, {"source": "tok_visa", "metadata": {"a": "1"}})
    second = sources.create(customer, {"source": client.v1.tokens.create({"card": CARD}).id})
    assert isinstance(first, stripe.Card)
    assert (first.brand, first.customer, first.to_dict()["metadata"]) == ("Visa", customer, {"a": "1"})
    assert [one.id for one in sources.list(customer).data] == [second.id, first.id]
    page = sources.list(customer, {"starting_after": second.id, "limit": 1})
    assert ([one.id for one in page.data], page.has_more) == ([first.id], False)
    update: Any = {"name": "Eve", "address_city": "Bern", "exp_year": 2040}
    changed = sources.update(customer, first.id, update)
    assert isinstance(changed, stripe.Card)
    assert (changed.name, changed.address_city, changed.exp_year) == ("Eve", "Bern", 2040)
    assert sources.retrieve(customer, first.id).to_dict() == changed.to_dict()
    shown = client.v1.customers.retrieve(customer, {"expand": ["default_source", "sources"]})
    assert isinstance(shown.default_source, stripe.Card)
    assert shown.default_source.id == first.id
    assert shown.sources is not None
    assert [one.id for one in shown.sources.data] == [second.id, first.id]
    paid = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "customer": customer, "payment_method": second.id, "confirm": True}
    )
    assert isinstance(paid.payment_method, str)
    assert paid.payment_method.removeprefix("pm_") == second.id.removeprefix("card_")
    _check_named_as_a_method(client, customer, second.id)
    gone = sources.delete(customer, first.id)
    assert gone.to_dict() == {"id": first.id, "object": "card", "deleted": True}
    assert client.v1.customers.retrieve(customer).default_source is None
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sources.retrieve(customer, first.id)
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def _check_named_as_a_method(client: stripe.StripeClient, customer: str, source: str) -> None:
    """See that a source is taken wherever a payment method is, and detach it."""
    methods = client.v1.payment_methods
    shown = methods.retrieve(source, {"expand": ["customer"]})
    assert isinstance(shown.customer, stripe.Customer)
    assert (shown.id, shown.customer.id) == (source.replace("card_", "pm_"), customer)
    assert methods.retrieve(source).to_dict() == methods.retrieve(shown.id).to_dict()
    assert methods.update(source, {"metadata": {"b": "2"}}).to_dict()["metadata"] == {"b": "2"}
    changed = client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": source}})
    assert changed.invoice_settings is not None
    assert changed.invoice_settings.default_payment_method == shown.id
    assert methods.detach(source).customer is None
    for nobodys in (f"card_{'0' * 32}", "card_x"):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            methods.retrieve(nobodys)
        assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        methods.retrieve(source, {"expand": ["card"]})


def test_what_was_answered_once_is_answered_again(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    sources = client.v1.customers.payment_sources
    made, again = (
        sources.create(customer, {"source": "tok_visa"}, {"idempotency_key": "make"}) for _ in "ab"
    )
    assert made.to_dict() == again.to_dict()
    expanded: Any = {"metadata": {"a": "1"}, "expand": ["customer"]}
    changed, again = (
        sources.update(customer, made.id, expanded, {"idempotency_key": "change"}) for _ in "ab"
    )
    assert changed.to_dict() == again.to_dict()
    assert isinstance(changed, stripe.Card)
    assert isinstance(changed.customer, stripe.Customer)
    gone = [sources.delete(customer, made.id, options={"idempotency_key": "gone"}) for _ in "ab"]
    assert gone[0].to_dict() == gone[1].to_dict() == {"id": made.id, "object": "card", "deleted": True}


def test_what_happens_to_a_source_is_told_in_its_own_words(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"source": "tok_visa"})
    sources = client.v1.customers.payment_sources
    source = str(customer.default_source)
    sources.update(customer.id, source, {"metadata": {"a": "1"}})
    sources.delete(customer.id, source)
    events = [event.to_dict() for event in client.v1.events.list({"type": "customer.source.*"}).data][::-1]
    assert [event["type"].rpartition(".")[2] for event in events] == ["created", "updated", "deleted"]
    for event in events:
        shown = event["data"]["object"]
        assert (shown["object"], shown["id"], shown["customer"]) == ("card", source, customer.id)
    assert events[1]["data"]["previous_attributes"] == {"metadata": {"a": None}}


def test_a_confirmation_token_is_good_for_one_confirmation(client: stripe.StripeClient) -> None:
    token = client.v1.test_helpers.confirmation_tokens.create(
        {
            "payment_method": "pm_card_visa",
            "return_url": "https://shop.example/back",
            "shipping": {"name": "Ada", "address": {"city": "Bern"}},
        }
    )
    assert token.payment_method_preview is not None
    assert token.payment_method_preview.card is not None
    assert token.payment_method_preview.card.last4 == "4242"
    paid = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "confirm": True, "confirmation_token": token.id}
    )
    assert (paid.status, paid.shipping and paid.shipping.name) == ("succeeded", "Ada")
    assert client.v1.confirmation_tokens.retrieve(token.id).payment_intent == paid.id
    intent = client.v1.setup_intents.create()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.setup_intents.confirm(intent.id, {"confirmation_token": token.id})
    assert refusal.value.param == "confirmation_token"


def test_the_client_of_old_charges_a_customer_by_the_default_source(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"source": "tok_mastercard"}).id
    paid = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "customer": customer, "confirm": True}
    )
    assert paid.status == "succeeded"
