"""Tokens of security codes and bank accounts, and setups on behalf of others, by the official client."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.support.dialect import violations
from tests.support.tenants import Tenant

ACCOUNT: Any = {
    "country": "US",
    "account_number": "000123456789",
    "routing_number": "110000000",
    "account_holder_name": "Ada",
    "account_holder_type": "individual",
}
OLD_CARD: Any = {"number": "4242424242424242", "exp_month": 8, "exp_year": 2034}


def checked(charge: Any) -> str | None:
    """Return what the issuer said of the security code."""
    answer: str | None = charge.payment_method_details.card.checks.cvc_check
    return answer


@pytest.mark.parametrize(("number", "expected"), [("4242424242424242", "pass"), ("4000000000000101", "fail")])
def test_a_security_code_is_collected_again_for_a_saved_card(
    client: stripe.StripeClient,
    connect: Callable[[str], stripe.StripeClient],
    tenant: Tenant,
    number: str,
    expected: str,
) -> None:
    card: Any = {**OLD_CARD, "number": number}
    saved = client.v1.payment_methods.create({"type": "card", "card": card})
    browser = connect(tenant.publishable)
    token = browser.v1.tokens.create({"cvc_update": {"cvc": "314"}})
    assert (token.type, token.card, token.bank_account, token.used) == ("cvc_update", None, None, False)
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": saved.id})
    assert intent.client_secret is not None
    confirmed: Any = {
        "client_secret": intent.client_secret,
        "payment_method_options": {"card": {"cvc_token": token.id}},
    }
    assert browser.v1.payment_intents.confirm(intent.id, confirmed).status == "succeeded"
    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert checked(paid.latest_charge) == expected
    assert client.v1.tokens.retrieve(token.id).used
    # What was known of the code is kept with the card, and the token with nothing.
    kept = client.v1.payment_methods.retrieve(saved.id).card
    assert kept is not None
    assert kept.checks is not None
    assert kept.checks.cvc_check == expected
    again = client.v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": saved.id})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.confirm(
            again.id, {"payment_method_options": {"card": {"cvc_token": token.id}}}
        )
    assert refusal.value.code == "token_already_used"
    assert refusal.value.param == "payment_method_options[card][cvc_token]"


def test_a_security_code_holds_through_the_authentication(client: stripe.StripeClient) -> None:
    card: Any = {**OLD_CARD, "number": "4000000000003220"}
    saved = client.v1.payment_methods.create({"type": "card", "card": card})
    token = client.v1.tokens.create({"cvc_update": {"cvc": "314"}})
    options: Any = {"card": {"cvc_token": token.id}}
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method": saved.id, "payment_method_options": options}
    )
    assert client.v1.payment_intents.confirm(intent.id).status == "requires_action"
    assert client.v1.tokens.retrieve(token.id).used
    client.raw_request("post", f"/v1/test_helpers/payment_intents/{intent.id}/authenticate")
    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.status, checked(paid.latest_charge)) == ("succeeded", "pass")


def test_a_security_code_of_another_tenant_is_no_token(
    client: stripe.StripeClient, other: stripe.StripeClient
) -> None:
    theirs = other.v1.tokens.create({"cvc_update": {"cvc": "314"}})
    options: Any = {"card": {"cvc_token": theirs.id}}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.create(
            {
                "amount": 500,
                "currency": "usd",
                "confirm": True,
                "payment_method": "pm_card_visa",
                "payment_method_options": options,
            }
        )
    assert refusal.value.code == "resource_missing"
    assert not other.v1.tokens.retrieve(theirs.id).used


def test_a_bank_account_is_sent_once_and_belongs_to_a_connected_account(
    client: stripe.StripeClient, connect: Callable[[str], stripe.StripeClient], tenant: Tenant
) -> None:
    token = connect(tenant.publishable).v1.tokens.create({"bank_account": ACCOUNT})
    assert (token.type, token.card) == ("bank_account", None)
    assert token.last_response is not None
    assert ACCOUNT["account_number"] not in token.last_response.body
    held = token.bank_account
    assert held is not None
    assert (held.last4, held.routing_number, held.currency) == ("6789", "110000000", "usd")
    seller = client.v1.accounts.create({"country": "US", "external_account": token.id})
    assert seller.external_accounts is not None
    (external,) = seller.external_accounts.data
    assert isinstance(external, stripe.BankAccount)
    assert (external.id, external.account, external.fingerprint) == (held.id, seller.id, held.fingerprint)
    assert client.v1.accounts.retrieve(seller.id) == seller
    assert client.v1.tokens.retrieve(token.id).used
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.accounts.create({"country": "US", "external_account": token.id})
    assert (refusal.value.code, refusal.value.param) == ("token_already_used", "external_account")


def test_an_account_with_an_iban_needs_no_routing_number(client: stripe.StripeClient) -> None:
    iban: Any = {"country": "DE", "account_number": "DE89 3704 0044 0532 0130 00"}
    held = client.v1.tokens.create({"bank_account": iban}).bank_account
    assert held is not None
    assert (held.country, held.currency, held.last4, held.routing_number) == ("DE", "eur", "3000", None)


def test_each_token_is_good_for_its_own_use_alone(client: stripe.StripeClient) -> None:
    card = client.v1.tokens.create(
        {"card": {"number": "4242424242424242", "exp_month": "8", "exp_year": "34"}}
    )
    code = client.v1.tokens.create({"cvc_update": {"cvc": "1234"}})
    account = client.v1.tokens.create({"bank_account": ACCOUNT})
    for token in (code, account):
        with pytest.raises(stripe.InvalidRequestError, match=f"of the type {token.type}"):
            client.v1.payment_methods.create({"type": "card", "card": {"token": token.id}})
    for token in (card, code):
        with pytest.raises(stripe.InvalidRequestError, match="Give one of the type bank_account"):
            client.v1.accounts.create({"external_account": token.id})
    for token in (card, account):
        options: Any = {"card": {"cvc_token": token.id}}
        with pytest.raises(stripe.InvalidRequestError, match="Give one of the type cvc_update"):
            client.v1.payment_intents.create(
                {
                    "amount": 500,
                    "currency": "usd",
                    "confirm": True,
                    "payment_method": "pm_card_visa",
                    "payment_method_options": options,
                }
            )
    assert not any(client.v1.tokens.retrieve(token.id).used for token in (card, code, account))


def test_a_setup_is_shown_on_behalf_of_a_connected_account(client: stripe.StripeClient) -> None:
    seller = client.v1.accounts.create({"country": "US"}).id
    accepted: Any = {"customer_acceptance": {"type": "offline", "offline": {}}}
    made = client.v1.setup_intents.create(
        {
            "confirm": True,
            "payment_method": "pm_card_visa",
            "on_behalf_of": seller,
            "mandate_data": accepted,
            "expand": ["on_behalf_of", "latest_attempt", "mandate"],
        }
    )
    assert isinstance(made.on_behalf_of, stripe.Account)
    assert isinstance(made.latest_attempt, stripe.SetupAttempt)
    assert isinstance(made.mandate, stripe.Mandate)
    named = {made.on_behalf_of.id, made.latest_attempt.on_behalf_of, made.mandate.on_behalf_of}
    assert named == {seller}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.setup_intents.create({"on_behalf_of": "acct_" + "0" * 32})
    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "on_behalf_of")


@pytest.mark.parametrize("intents", ["payment_intents", "setup_intents"])
def test_a_confirmation_token_holds_a_bank_account(client: stripe.StripeClient, intents: str) -> None:
    debited: Any = {
        "type": "sepa_debit",
        "sepa_debit": {"iban": "DE89370400440532013000"},
        "billing_details": {"name": "Ada", "email": "ada@example.com"},
    }
    token = client.v1.test_helpers.confirmation_tokens.create({"payment_method_data": debited})
    assert violations(token.to_dict(), stripe.ConfirmationToken) == []
    preview: Any = token.payment_method_preview
    assert (preview.type, preview.sepa_debit.last4, "card" in preview) == ("sepa_debit", "3000", False)
    fields: Any = {
        "confirm": True,
        "confirmation_token": token.id,
        "payment_method_types": ["sepa_debit"],
        "mandate_data": {"customer_acceptance": {"type": "offline"}},
    }
    if intents == "payment_intents":
        fields |= {"amount": 500, "currency": "eur"}
        paid = client.v1.payment_intents.create(fields)
        assert paid.status == "processing"
        saved = paid.payment_method
    else:
        done = client.v1.setup_intents.create(fields)
        assert done.status == "succeeded"
        saved = done.payment_method
    assert client.v1.payment_methods.retrieve(str(saved)).type == "sepa_debit"


def test_a_confirmation_token_pays_with_a_cash_balance(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    client.v1.test_helpers.customers.fund_cash_balance(customer, {"amount": 500, "currency": "eur"})
    cash: Any = {"type": "customer_balance", "customer_balance": {}}
    token = client.v1.test_helpers.confirmation_tokens.create({"payment_method_data": cash})
    assert violations(token.to_dict(), stripe.ConfirmationToken) == []
    preview: Any = token.payment_method_preview
    assert (preview.type, preview.customer_balance.to_dict()) == ("customer_balance", {})
    fields: Any = {
        "amount": 500,
        "currency": "eur",
        "customer": customer,
        "confirm": True,
        "confirmation_token": token.id,
        "payment_method_types": ["customer_balance"],
    }
    assert client.v1.payment_intents.create(fields).status == "succeeded"
