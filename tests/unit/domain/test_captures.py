"""Captures in parts, increments of the authorization, and how such payments end."""

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.attempts import AUTHORIZATION_VALID_S, EXTENDED_AUTHORIZATION_VALID_S
from fastpay.domain.captures import (
    CancelPaymentIntent,
    CapturePaymentIntent,
    ExpirePaymentIntent,
    IncrementAuthorization,
)
from fastpay.domain.cards import overcapture_max
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.refunds import CreateRefund
from tests.support.world import HOLD, World, card, of_type

FLEXIBLE = {
    "card": dict.fromkeys(
        (
            "request_multicapture",
            "request_incremental_authorization",
            "request_extended_authorization",
            "request_overcapture",
        ),
        "if_available",
    )
}


def held(world: World, extras: dict[str, object] | None = None) -> PaymentIntent:
    """Authorize 10.00, by default with all that can be asked for."""
    command = msgspec.structs.replace(HOLD, extras=FLEXIBLE if extras is None else extras)
    return of_type(world.do(command), PaymentIntent)


def test_several_captures_receive_the_sum_and_cost_one_fee() -> None:
    world = World()
    intent = held(world)
    for amount in (200, 300):
        world.do(CapturePaymentIntent(id=intent.id, amount=amount, is_final=False))
    partly = world.intent(intent.id)
    assert (partly.status, partly.amount_capturable, partly.amount_received) == ("requires_capture", 500, 500)
    world.check()
    world.do(CapturePaymentIntent(id=intent.id, amount=100))
    paid, charge = world.intent(intent.id), world.charge_of(intent)
    assert (paid.status, paid.amount_capturable, paid.amount_received) == ("succeeded", 0, 600)
    assert (charge.amount_captured, charge.fee) == (600, 47)
    assert charge.extras is not None
    assert [(one.amount, one.fee) for one in charge.extras.captures] == [(200, 36), (300, 9), (100, 2)]
    assert charge.extras.captures[-1].balance_transaction == charge.balance_transaction
    assert world.balance("pending") == 600 - 47
    # Nothing is held any more.
    assert world.account("processor").debits_pending == 0
    world.check()


def test_the_only_capture_may_take_more_than_was_authorized() -> None:
    world = World()
    intent, parts, plain = held(world), held(world), world.hold()
    raised = IncrementAuthorization(id=intent.id, amount=1001)
    world.do(raised)
    most = 1151
    for command in (
        CapturePaymentIntent(id=intent.id, amount=most + 1),
        CapturePaymentIntent(id=intent.id, amount=most, is_final=False),
        CapturePaymentIntent(id=plain.id, amount=1001),
    ):
        assert world.refused(command).code == "amount_too_large"
    world.do(CapturePaymentIntent(id=intent.id, amount=most))
    paid, charge = world.intent(intent.id), world.charge_of(intent)
    assert (paid.status, paid.amount, paid.amount_received) == ("succeeded", 1001, most)
    assert (charge.amount, charge.amount_captured, charge.hold) == (1001, most, None)
    world.check()
    world.do(CreateRefund(payment_intent=intent.id))
    # A payment that is captured in part ends with what was authorized.
    world.do(CapturePaymentIntent(id=parts.id, amount=100, is_final=False))
    assert world.refused(CapturePaymentIntent(id=parts.id, amount=901)).code == "amount_too_large"
    world.do(CapturePaymentIntent(id=parts.id))
    # Nothing but the payment that did not ask is held any more.
    assert world.account("processor").debits_pending == plain.amount
    world.check()


def test_networks_that_do_not_allow_it_authorize_no_overcapture() -> None:
    for brand, most in (("visa", 1150), ("mastercard", 1200), ("jcb", None)):
        charge_card = msgspec.structs.replace(card().card, brand=brand)
        assert overcapture_max(charge_card, 1000) == most


def test_a_capture_of_all_that_is_left_is_the_final_one() -> None:
    world = World()
    intent = held(world)
    world.do(CapturePaymentIntent(id=intent.id, amount=400, is_final=False))
    world.do(CapturePaymentIntent(id=intent.id, is_final=False))
    assert world.intent(intent.id).status == "succeeded"
    world.check()


def test_several_captures_are_only_for_payments_that_asked_for_them() -> None:
    world = World()
    error = world.refused(CapturePaymentIntent(id=world.hold().id, amount=1, is_final=False))
    assert (error.code, error.param) == ("capture_must_be_final", "final_capture")
    automatic = world.do(msgspec.structs.replace(HOLD, fields={}, extras=FLEXIBLE))
    assert world.charge_of(of_type(automatic, PaymentIntent)).extras is None


def test_a_payment_has_a_bounded_number_of_captures_and_the_last_must_be_final() -> None:
    world = World()
    intent = held(world)
    for _ in range(limits.captures_max - 1):
        world.do(CapturePaymentIntent(id=intent.id, amount=1, is_final=False))
    refused = world.refused(CapturePaymentIntent(id=intent.id, amount=1, is_final=False))
    assert refused.code == "capture_must_be_final"
    world.do(CapturePaymentIntent(id=intent.id, amount=1))
    charge = world.charge_of(intent)
    assert charge.extras is not None
    assert len(charge.extras.captures) == limits.captures_max


@pytest.mark.parametrize(
    "ending",
    [CancelPaymentIntent(id=""), CapturePaymentIntent(id="", amount=0), ExpirePaymentIntent(id="")],
    ids=["cancel", "capture nothing more", "expire"],
)
def test_a_payment_captured_in_part_succeeds_with_what_it_received(ending: CancelPaymentIntent) -> None:
    world = World()
    intent = held(world)
    world.do(CapturePaymentIntent(id=intent.id, amount=400, is_final=False))
    world.moment_s += EXTENDED_AUTHORIZATION_VALID_S + 1
    world.do(msgspec.structs.replace(ending, id=intent.id))
    paid = world.intent(intent.id)
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", 400, 0)
    assert (paid.canceled_at, world.charge_of(intent).released) == (None, False)
    assert [event.type for event in world.events[-2:]] == ["charge.updated", "payment_intent.succeeded"]
    assert world.account("processor").debits_pending == 0
    world.check()


def test_nothing_cannot_be_the_only_capture() -> None:
    world = World()
    refused = world.refused(CapturePaymentIntent(id=held(world).id, amount=0))
    assert (refused.code, refused.param) == ("amount_too_small", "amount_to_capture")


def test_a_part_that_was_captured_can_be_refunded_before_the_rest() -> None:
    world = World()
    intent = held(world)
    world.do(CapturePaymentIntent(id=intent.id, amount=400, is_final=False))
    assert world.refused(CreateRefund(payment_intent=intent.id, amount=401)).code == "amount_too_large"
    world.do(CreateRefund(payment_intent=intent.id, amount=400))
    world.do(CapturePaymentIntent(id=intent.id, amount=600))
    charge = world.charge_of(intent)
    assert (charge.amount_captured, charge.amount_refunded) == (1000, 400)
    world.check()


def test_an_increment_raises_what_is_held_and_can_be_captured() -> None:
    world = World()
    intent = held(world)
    raised = of_type(world.do(IncrementAuthorization(id=intent.id, amount=1500)), PaymentIntent)
    assert (raised.amount, raised.amount_capturable, raised.status) == (1500, 1500, "requires_capture")
    assert world.charge_of(intent).amount == 1500
    assert world.account("processor").debits_pending == 1500
    events = ["charge.updated", "payment_intent.amount_capturable_updated"]
    assert [event.type for event in world.events[-2:]] == events
    world.do(CapturePaymentIntent(id=intent.id, amount=1400))
    assert world.intent(intent.id).amount_received == 1400
    world.check()


@pytest.mark.parametrize("amount", [1, 1000])
def test_an_increment_is_above_what_is_authorized(amount: int) -> None:
    world = World()
    refused = world.refused(IncrementAuthorization(id=held(world).id, amount=amount))
    assert (refused.code, refused.param) == ("amount_too_small", "amount")


def test_increments_need_a_payment_that_asked_for_them_and_is_not_captured() -> None:
    world = World()
    for intent in (world.hold(), world.pay()):
        refused = world.refused(IncrementAuthorization(id=intent.id, amount=2000))
        assert refused.code == "payment_intent_unexpected_state"
    partly = held(world)
    world.do(CapturePaymentIntent(id=partly.id, amount=1, is_final=False))
    refused = world.refused(IncrementAuthorization(id=partly.id, amount=2000))
    assert "captured" in refused.message


def test_a_payment_has_a_bounded_number_of_increments() -> None:
    world = World()
    intent = held(world)
    for number in range(1, limits.increments_max + 1):
        world.do(IncrementAuthorization(id=intent.id, amount=1000 + number))
    refused = world.refused(IncrementAuthorization(id=intent.id, amount=5000))
    assert refused.code == "payment_intent_unexpected_state"
    world.check()


def test_an_expired_authorization_is_not_incremented() -> None:
    world = World()
    intent = held(world)
    world.moment_s += EXTENDED_AUTHORIZATION_VALID_S + 1
    refused = world.refused(IncrementAuthorization(id=intent.id, amount=2000))
    assert refused.code == "charge_expired_for_capture"


def test_an_extended_authorization_lives_longer() -> None:
    world = World()
    extended, plain = held(world), world.hold()
    world.moment_s += AUTHORIZATION_VALID_S + 1
    for intent in (extended, plain):
        world.do(ExpirePaymentIntent(id=intent.id))
    assert (world.intent(extended.id).status, world.intent(plain.id).status) == (
        "requires_capture",
        "canceled",
    )
    world.moment_s += EXTENDED_AUTHORIZATION_VALID_S
    world.do(ExpirePaymentIntent(id=extended.id))
    assert world.intent(extended.id).status == "canceled"
