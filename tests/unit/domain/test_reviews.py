"""Attempts that no program can end: what a person may decide, and what follows for the payment."""

from typing import Any

import msgspec
import pytest

from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.charging import Terms
from fastpay.domain.objects import PaymentIntent, Refund
from fastpay.domain.outcomes import RecordOutcome, ReviewAttempt
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.processor_objects import Attempt, Resolution, Result, Review
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.reviews import ResolveAttempt
from tests.support.live_world import LiveWorld, reference, terms
from tests.support.world import World, card, of_type
from tests.unit.domain.test_outcomes import (
    APPROVED,
    DECLINED,
    LIVE,
    OTHER,
    REFERENCE,
    ROUTE,
    attempt,
    in_doubt,
    pay,
    record,
)

NOTE = "Seen in the processor's dashboard."


def reviewed(*results: Result) -> tuple[World, PaymentIntent]:
    """Return a payment whose attempt is in review: after contradicting results, or after silence."""
    world = World(scope=LIVE)
    intent = pay(world)
    for result in results:
        record(world, result)
    if not results:
        world.run(ReviewAttempt(id=REFERENCE, reason="silence"))
    assert attempt(world).status == "review"
    assert world.events[-1].type == "attempt.review_opened"
    return world, world.intent(intent.id)


def decision(intent: PaymentIntent, resolution: Resolution) -> ResolveAttempt:
    return ResolveAttempt(id=REFERENCE, payment_intent=intent.id, resolution=resolution, note=NOTE)


def resolve(world: World, intent: PaymentIntent, resolution: Resolution) -> tuple[PaymentIntent, Attempt]:
    """Decide, and return the payment and the attempt then. The books must be right."""
    draft = world.run(decision(intent, resolution))
    assert (draft.answer.object_id, draft.answer.error) == (REFERENCE, None)
    world.check()
    assert in_doubt(world) == (0, 0)
    assert world.events[-1].type == "attempt.resolved"
    return world.intent(intent.id), attempt(world)


@pytest.mark.parametrize(
    ("resolution", "status", "received"),
    [
        ("approved", "succeeded", 1000),
        ("declined", "requires_payment_method", 0),
        ("not_found", "requires_payment_method", 0),
        ("compensated", "requires_payment_method", 0),
    ],
)
@pytest.mark.parametrize("results", [(), (msgspec.structs.replace(APPROVED, amount=999),)])
def test_who_knows_what_became_of_money_in_doubt_ends_the_payment(
    results: tuple[Result, ...], resolution: Resolution, status: str, received: int
) -> None:
    world, intent = reviewed(*results)
    assert intent.status == "processing"
    left, noted = resolve(world, intent, resolution)
    assert (left.status, left.amount_received) == (status, received)
    assert (noted.status, noted.hold, noted.held) == (resolution, None, 0)
    assert noted.review is not None
    assert (noted.review.resolution, noted.review.note) == (resolution, NOTE)
    assert world.balance("processor") == received


def test_late_approval_of_a_payment_that_failed_may_be_accepted() -> None:
    world, intent = reviewed(DECLINED, APPROVED)
    assert attempt(world).review == Review(
        reason="it ended as declined, and the processor says approved now",
        ended_as="declined",
        proposed="accept",
    )
    paid, noted = resolve(world, intent, "approved")
    assert (paid.status, paid.amount_received, paid.last_payment_error) == ("succeeded", 1000, None)
    assert noted.status == "approved"
    assert world.balance("processor") == 1000


@pytest.mark.parametrize("resolution", ["declined", "not_found", "compensated"])
def test_late_approval_that_is_not_accepted_moves_nothing(resolution: Resolution) -> None:
    world, intent = reviewed(DECLINED, APPROVED)
    transfers = len(world.transfers)
    left, noted = resolve(world, intent, resolution)
    assert (left, noted.status, len(world.transfers)) == (intent, resolution, transfers)


def paid_elsewhere(world: World, intent: PaymentIntent) -> None:
    route = msgspec.structs.replace(ROUTE, reference=OTHER)
    world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card(), terms=Terms(route=route)))
    world.run(RecordOutcome(id=OTHER, result=APPROVED))


def canceled(world: World, intent: PaymentIntent) -> None:
    world.run(CancelPaymentIntent(id=intent.id))


@pytest.mark.parametrize("meanwhile", [paid_elsewhere, canceled])
def test_money_is_never_taken_twice(meanwhile: Any) -> None:
    """Late approval is proposed to be given back, and may not be accepted, once the payment has ended."""
    world = World(scope=LIVE)
    intent = pay(world)
    failed = record(world, DECLINED)
    meanwhile(world, failed)
    world.run(RecordOutcome(id=REFERENCE, result=APPROVED))
    review = attempt(world).review
    assert review is not None
    assert review.proposed == "refund"
    ended = world.intent(intent.id)
    assert world.refused(decision(intent, "approved")).code == "payment_intent_unexpected_state"
    left, noted = resolve(world, intent, "compensated")
    assert (left, noted.status) == (ended, "compensated")


def test_late_approval_of_another_amount_is_to_be_given_back() -> None:
    world, _ = reviewed(DECLINED, msgspec.structs.replace(APPROVED, amount=999))
    review = attempt(world).review
    assert review is not None
    assert review.proposed == "refund"


def test_a_payment_that_has_succeeded_stays_so() -> None:
    world, intent = reviewed(APPROVED, DECLINED)
    review = attempt(world).review
    assert review is not None
    assert (review.ended_as, review.proposed) == ("approved", None)
    for resolution in ("declined", "not_found", "compensated"):
        world.refused(decision(intent, resolution))
    left, noted = resolve(world, intent, "approved")
    assert (left, noted.status) == (intent, "approved")


def test_what_was_given_back_opens_no_review_again() -> None:
    world, intent = reviewed(DECLINED, APPROVED)
    resolve(world, intent, "compensated")
    for result in (DECLINED, APPROVED):
        world.refused(RecordOutcome(id=REFERENCE, result=result))


def test_a_decision_is_made_once_about_an_attempt_of_that_payment_in_review() -> None:
    world, intent = reviewed()
    begun = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    other = of_type(begun, PaymentIntent)
    for absent in (other, msgspec.structs.replace(intent, id="pi_" + "9" * 32)):
        assert world.refused(decision(absent, "approved")).status == 404
    resolve(world, intent, "approved")
    world.refused(decision(intent, "approved"))
    assert in_doubt(world) == (0, 0)


@pytest.mark.parametrize(
    ("resolution", "status"), [("approved", "succeeded"), ("declined", "requires_capture")]
)
@pytest.mark.parametrize("is_late", [False, True])
def test_a_capture_in_review_was_done_or_not(is_late: bool, resolution: Resolution, status: str) -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.run(CapturePaymentIntent(id=intent.id, terms=terms(2)))
    if is_late:
        world.record(2, "refused")
        world.record(2)
        review = world.attempt(2).review
        assert review is not None
        assert review.proposed == "accept"
    else:
        world.run(ReviewAttempt(id=reference(2), reason="silence"))
    decide = ResolveAttempt(id=reference(2), payment_intent=intent.id, resolution=resolution, note=NOTE)
    world.refused(msgspec.structs.replace(decide, resolution="compensated"))
    world.run(decide)
    world.check()
    assert (world.intent(intent.id).status, world.attempt(2).status) == (status, resolution)
    assert world.in_doubt() == (0, 0)
    assert world.balance("processor") == (1000 if resolution == "approved" else 0)


def late_refund(amount: int) -> tuple[LiveWorld, ResolveAttempt]:
    """Return a refund that failed, and was approved after that, with the decision to accept it."""
    world = LiveWorld()
    intent = world.paid()
    world.run(CreateRefund(payment_intent=intent.id, amount=amount, terms=terms(2)))
    for status in ("declined", "approved"):
        world.record(2, status)
    return world, ResolveAttempt(id=reference(2), payment_intent=intent.id, resolution="approved", note=NOTE)


def test_a_refund_that_came_back_and_was_done_after_all_is_booked_by_another_one() -> None:
    world, decide = late_refund(1000)
    review = world.attempt(2).review
    assert review is not None
    assert (review.ended_as, review.proposed) == ("declined", "accept")
    assert world.balance("processor") == 1000
    failed = world.attempt(2).refund
    world.run(decide)
    world.check()
    assert (world.attempt(2).status, world.balance("processor")) == ("approved", 0)
    assert failed is not None
    done = world.attempt(2).refund
    assert done is not None
    found = {one: of_type(world.objects[one].object, Refund) for one in (failed, done)}
    assert (found[failed].status, found[done].status, found[done].amount) == ("failed", "succeeded", 1000)
    # Nothing is left to refund, and a decision is made once.
    world.refused(CreateRefund(payment_intent=decide.payment_intent, terms=terms(3)))
    world.refused(decide)


def test_a_refund_is_not_booked_where_its_charge_was_refunded_otherwise() -> None:
    world, decide = late_refund(600)
    world.run(CreateRefund(payment_intent=decide.payment_intent, amount=600, terms=terms(3)))
    assert world.refused(decide).code == "payment_intent_unexpected_state"
    world.run(msgspec.structs.replace(decide, resolution="declined"))
    world.check()
    assert world.attempt(2).status == "declined"
