"""Cards that say no, as the official client sees it."""

import pytest
import stripe

from fastpay.domain.cards import BEHAVIOURS, MAGIC_PAYMENT_METHODS, NUMBERS

# What the dialect's testing documentation says of each, by hand: not read from our own table.
DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_visa_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_visa_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ("pm_card_visa_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("pm_card_visa_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ("pm_card_riskLevelHighest", "card_declined", "fraudulent"),
    ("pm_card_threeDSecureRequiredProcessingError", "card_declined", "generic_decline"),
]
DECLINED_NUMBERS = [
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("4000000000000069", "expired_card", "expired_card"),
    ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
    ("4000000000000119", "processing_error", "processing_error"),
    ("4000000000000341", "card_declined", "generic_decline"),
    ("4100000000000019", "card_declined", "fraudulent"),
]


def check_declined(
    client: stripe.StripeClient, error: stripe.CardError, code: str, decline_code: str
) -> None:
    assert (error.http_status, error.code) == (402, code)
    assert error.error is not None
    assert (error.error.type, error.error.decline_code) == ("card_error", decline_code)
    assert error.user_message
    assert error.request_id
    intent = error.error.payment_intent
    assert intent is not None
    assert intent.status == "requires_payment_method"
    assert intent.payment_method is None
    assert intent.last_payment_error is not None
    assert (intent.last_payment_error.code, intent.last_payment_error.decline_code) == (code, decline_code)
    assert intent.last_payment_error.charge == error.error.charge == intent.latest_charge
    assert intent.last_payment_error.payment_method is not None
    assert error.error.payment_method is not None
    assert intent.last_payment_error.payment_method.id == error.error.payment_method.id
    assert client.v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.status, charge.paid, charge.captured) == ("failed", False, False)
    assert charge.failure_code == code
    assert charge.failure_message == error.user_message


@pytest.mark.parametrize(("payment_method", "code", "decline_code"), DECLINES)
def test_a_magic_card_is_declined(
    client: stripe.StripeClient, payment_method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "payment_method": payment_method, "confirm": True}
        )
    check_declined(client, declined.value, code, decline_code)


@pytest.mark.parametrize(("number", "code", "decline_code"), DECLINED_NUMBERS)
def test_a_card_number_is_declined(
    client: stripe.StripeClient, number: str, code: str, decline_code: str
) -> None:
    method = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}}
    )
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "payment_method": method.id, "confirm": True}
        )
    check_declined(client, declined.value, code, decline_code)
    assert str(declined.value.http_body).count(number) == 0


def test_no_declining_card_was_forgotten_above() -> None:
    # Others are declined after their authentication: tests/unit/domain/test_attempts.py.
    declining = {
        name
        for name, number in MAGIC_PAYMENT_METHODS.items()
        if (behaviour := BEHAVIOURS[NUMBERS[number][3]]).code and not behaviour.needs_authentication
    }
    assert declining == {name for name, _, _ in DECLINES}


def test_another_card_may_be_tried_after_a_decline(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    charges = client.v1.charges.list({"payment_intent": intent.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


def test_a_decline_moves_no_money(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
        )
    assert client.v1.balance.retrieve().pending[0].amount == 0


def test_a_declining_card_is_not_saved(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id})
    assert declined.value.code == "card_declined"
    assert client.v1.customers.payment_methods.list(customer.id).data == []
    saved = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    assert saved.customer == customer.id
