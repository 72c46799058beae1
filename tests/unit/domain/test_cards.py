"""Test cards: what each number does when it is charged."""

from typing import get_args

import pytest

from fastpay.domain import cards
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.processor_objects import Attempt
from tests.support.world import World, card

# Source: the dialect's testing documentation. name: (code, decline_code)
DECLINES = {
    "chargeDeclined": ("card_declined", "generic_decline"),
    "visa_chargeDeclined": ("card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "visa_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "visa_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "visa_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "visa_chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "chargeCustomerFail": ("card_declined", "generic_decline"),
    "threeDSecureRequiredProcessingError": ("card_declined", "generic_decline"),
    "radarBlock": ("card_declined", "fraudulent"),
    "riskLevelHighest": ("card_declined", "fraudulent"),
}
ASKING = {
    "authenticationRequired",
    "authenticationRequiredChargeDeclinedInsufficientFunds",
    "authenticationRequiredOnSetup",
    "authenticationRequiredSetupForOffSession",
    "threeDSecure2Required",
    "threeDSecureRequired",
    "threeDSecureRequiredChargeDeclined",
}
UNSURE = {f"answer{fault.capitalize()}": fault for fault in get_args(cards.AnswerFault)}
NAMES = {name.removeprefix("pm_card_") for name in cards.MAGIC_PAYMENT_METHODS}


@pytest.mark.parametrize("name", sorted(DECLINES))
def test_a_declining_card_leaves_a_failed_charge_and_an_open_payment(name: str) -> None:
    code, decline_code = DECLINES[name]
    world = World()
    intent = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    plan = world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card(name)))
    error, failed = plan.answer.error, world.intent(intent.id)
    assert error is not None
    assert (error.status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code, error.payment_intent) == (code, decline_code, intent.id)
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    assert failed.last_payment_error is not None
    assert (failed.last_payment_error.code, failed.last_payment_error.charge) == (code, error.charge)
    charge = world.charge(error.charge)
    assert (charge.status, charge.failure_code, charge.captured) == ("failed", code, False)
    assert charge.outcome_type == ("blocked" if decline_code == "fraudulent" else "issuer_declined")
    assert world.transfers == []
    assert world.method(error.payment_method).customer is None


@pytest.mark.parametrize("name", sorted(NAMES - set(DECLINES) - ASKING - UNSURE.keys()))
def test_every_other_card_pays(name: str) -> None:
    world = World()
    intent = world.pay(1000, name=name)
    assert intent.status == "succeeded"
    assert world.charge_of(intent).card.brand in ("visa", "mastercard", "amex", "discover", "diners", "jcb",
                                                  "unionpay")  # fmt: skip


@pytest.mark.parametrize("name", UNSURE)
def test_a_card_whose_answer_fails_is_in_doubt_at_its_own_processor(name: str) -> None:
    world = World()
    intent = world.pay(1000, name=name)
    assert intent.status == "processing"
    written = (one.object for one in world.objects.values())
    (attempt,) = [one for one in written if isinstance(one, Attempt)]
    assert (attempt.processor, attempt.held) == (f"test:{UNSURE[name]}", 1000)
    assert attempt.payment_intent == intent.id


@pytest.mark.parametrize("name", sorted(ASKING))
def test_an_asking_card_waits_for_its_holder(name: str) -> None:
    world = World()
    assert world.pay(name=name).status == "requires_action"
    assert world.transfers == []


def test_a_payment_succeeds_with_another_card_after_a_decline() -> None:
    world = World()
    intent = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card("chargeDeclined")))
    world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card("visa")))
    paid = world.intent(intent.id)
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert world.charge_of(paid).status == "succeeded"


def test_a_bypassing_card_makes_the_net_available_at_once() -> None:
    world = World()
    charge = world.charge_of(world.pay(1000, name="bypassPending"))
    assert charge.funds_available
    assert [(transfer.kind, transfer.amount) for transfer in world.transfers] == [
        ("capture", 1000),
        ("fee", 59),
        ("available", 941),
    ]


def test_a_bypassing_card_moves_nothing_where_the_fee_takes_all() -> None:
    world = World()
    world.pay(30, name="bypassPending")
    assert [transfer.kind for transfer in world.transfers] == ["capture", "fee"]
    assert (world.balance("available"), world.balance("pending"), world.balance("fees")) == (0, 0, 30)


def test_every_number_is_well_formed_and_says_nothing_of_itself() -> None:
    for number, (_, _, _, behaviour) in cards.NUMBERS.items():
        assert cards.passes_luhn(number)
        assert behaviour in cards.BEHAVIOURS
        known = cards.test_card(number, exp_month=1, exp_year=2030, cvc_given=False, fingerprint_key=b"k")
        assert number not in repr(known)
        assert (known.last4, known.cvc_check) == (number[-4:], None)


def test_a_number_with_one_digit_changed_is_not_well_formed() -> None:
    assert not any(cards.passes_luhn(f"424242424242424{digit}") for digit in "013456789")


def test_a_fingerprint_is_equal_for_equal_numbers_of_one_tenant_alone() -> None:
    number = "4242424242424242"
    assert cards.fingerprint(number, b"a") == cards.fingerprint(number, b"a")
    assert cards.fingerprint(number, b"a") != cards.fingerprint(number, b"b")
    assert cards.fingerprint(number, b"a") != cards.fingerprint("4000056655665556", b"a")
    assert len(cards.fingerprint(number, b"a")) == 16
