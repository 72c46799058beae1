"""What options of a payment mean for an attempt: who authenticates, and what the charge shows of it."""

import msgspec
import pytest

from fastpay.domain.charging import Terms
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.options import AttemptOptions, Authentication, ChargeExtras
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
)
from fastpay.domain.plan import ErrorRecord
from tests.support.world import PAY, World, card, of_type

DONE = Authentication(result="authenticated", electronic_commerce_indicator="05", transaction_id="t")
FAILED = msgspec.structs.replace(DONE, result="failed")
AGREED = AttemptOptions(has_agreement=True, network_transaction_id="1098510912210968")
MOTO = AttemptOptions(moto=True)
ABSENT = Terms(off_session=True)
# The card, the options of the attempt, whether the cardholder is absent, and what comes of it.
CASES = [
    ("authenticationRequired", None, False, "requires_action"),
    ("authenticationRequired", AttemptOptions(authentication=DONE), False, "succeeded"),
    ("authenticationRequired", AttemptOptions(authentication=FAILED), False, "requires_action"),
    ("authenticationRequired", MOTO, False, "authentication_required"),
    ("authenticationRequired", AGREED, True, "authentication_required"),
    ("authenticationRequiredOnSetup", None, False, "requires_action"),
    ("authenticationRequiredOnSetup", None, True, "authentication_required"),
    ("authenticationRequiredOnSetup", MOTO, False, "succeeded"),
    ("authenticationRequiredOnSetup", AGREED, False, "requires_action"),
    ("authenticationRequiredOnSetup", AGREED, True, "succeeded"),
    ("authenticationRequiredSetupForOffSession", None, False, "requires_action"),
    ("authenticationRequiredSetupForOffSession", None, True, "succeeded"),
    ("authenticationRequiredSetupForOffSession", AttemptOptions(is_absent=True), False, "succeeded"),
    ("authenticationRequiredChargeDeclinedInsufficientFunds", None, False, "requires_action"),
    (
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        AttemptOptions(authentication=DONE),
        False,
        "card_declined",
    ),
    ("threeDSecureRequiredProcessingError", None, False, "card_declined"),
]


def attempt(
    world: World, name: str, once: AttemptOptions | None, *, is_absent: bool = False, **extras: object
) -> PaymentIntent | ErrorRecord:
    """Pay, and return the payment or the error."""
    if once is not None:
        extras["next_attempt"] = once
    terms = ABSENT if is_absent else Terms()
    draft = world.run(
        msgspec.structs.replace(PAY, payment_method=card(name), extras=extras, terms=terms),
    )
    return draft.answer.error or world.intent(str(draft.answer.object_id))


def extras_of(charge: Charge) -> ChargeExtras:
    assert charge.extras is not None
    return charge.extras


@pytest.mark.parametrize(("name", "once", "is_absent", "outcome"), CASES)
def test_options_decide_who_authenticates(
    name: str, once: AttemptOptions | None, is_absent: bool, outcome: str
) -> None:
    found = attempt(World(), name, once, is_absent=is_absent)
    assert (found.status if isinstance(found, PaymentIntent) else found.code) == outcome


@pytest.mark.parametrize("wish", ["any", "challenge"])
def test_an_enrolled_card_authenticates_if_the_merchant_asks_for_it(wish: str) -> None:
    options = {"request_three_d_secure": wish}
    world = World()
    asked = attempt(world, "threeDSecureOptional", None, card=options)
    assert of_type(asked, PaymentIntent).status == "requires_action"
    assert of_type(attempt(world, "threeDSecureOptional", None), PaymentIntent).status == "succeeded"
    # One that is not enrolled cannot, and pays; nor can a cardholder who is not there.
    tried = of_type(attempt(world, "visa", None, card=options), PaymentIntent)
    shown = extras_of(world.charge_of(tried)).authentication
    assert shown is not None
    assert (tried.status, shown.result) == ("succeeded", "attempt_acknowledged")
    absent = attempt(world, "threeDSecureOptional", None, is_absent=True, card=options)
    assert of_type(absent, PaymentIntent).status == "succeeded"


def test_the_charge_of_a_challenge_shows_it() -> None:
    world = World()
    waiting = world.pay(name="authenticationRequired")
    world.do(AuthenticatePaymentIntent(id=waiting.id, succeeds=True))
    shown = extras_of(world.charge_of(waiting)).authentication
    assert shown is not None
    assert (shown.result, shown.flow) == ("authenticated", "challenge")


def test_a_card_may_decline_after_the_challenge() -> None:
    world = World()
    waiting = world.pay(name="threeDSecureRequiredChargeDeclined")
    error = world.run(AuthenticatePaymentIntent(id=waiting.id, succeeds=True)).answer.error
    assert error is not None
    assert (error.code, world.intent(waiting.id).status) == ("card_declined", "requires_payment_method")


def test_what_was_meant_for_one_attempt_does_not_hold_for_the_next() -> None:
    world = World()
    intent = world.do(
        CreatePaymentIntent(
            amount=1000,
            currency="usd",
            secret="s",
            extras={"next_attempt": AttemptOptions(authentication=DONE, moto=True)},
        )
    )
    world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card("chargeDeclined")))
    world.do(ConfirmPaymentIntent(id=intent.id, payment_method=card("authenticationRequired")))
    assert world.intent(intent.id).status == "requires_action"


def test_options_for_cards_go_before_those_of_the_payment() -> None:
    world = World()
    held = attempt(world, "visa", None, card={"capture_method": "manual", "network": "visa"})
    assert of_type(held, PaymentIntent).status == "requires_capture"
    assert of_type(held, PaymentIntent).capture_method == "automatic"


def test_changes_of_options_leave_the_others_as_they_are() -> None:
    world = World()
    intent = world.do(
        CreatePaymentIntent(
            amount=1000, currency="usd", secret="s", extras={"card": {"network": "visa"}, "level3": "{}"}
        )
    )
    confirm = ConfirmPaymentIntent(
        id=intent.id, payment_method=card(), extras={"card": {"request_three_d_secure": "any"}}
    )
    extras = of_type(world.do(confirm), PaymentIntent).extras
    assert extras is not None
    assert extras.card is not None
    assert (extras.card.network, extras.card.request_three_d_secure) == ("visa", "any")
    assert extras_of(world.charge_of(world.intent(intent.id))).level3 == "{}"


def test_a_payment_without_options_has_none_in_its_charge() -> None:
    world = World()
    assert world.charge_of(world.pay()).extras is None
    assert world.pay().extras is None
