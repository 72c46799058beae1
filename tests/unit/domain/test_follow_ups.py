"""Captures, voids and refunds of live payments: in doubt until their processor says what became of them."""

from typing import Any

import msgspec
import pytest

from fastpay.domain.captures import (
    CancelPaymentIntent,
    CapturePaymentIntent,
    ExpirePaymentIntent,
    IncrementAuthorization,
)
from fastpay.domain.charges import CaptureCharge
from fastpay.domain.funds import DAY_S
from fastpay.domain.objects import Charge, Refund
from fastpay.domain.outcomes import RecordOutcome, ReviewAttempt
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import Resolution, Result
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.reviews import ResolveAttempt
from tests.support.live_world import AUTHORIZATION, ROUTE, LiveWorld, reference, terms
from tests.support.world import World, of_type

NOT_DONE = ("declined", "refused", "not_sent", "not_found")
APPROVED = Result(status="approved", amount=1000, currency="usd", is_captured=True)
VOIDED = Result(status="approved")
REFUSED = Result(status="refused")


def capture(intent: str, number: int = 2, **more: Any) -> CapturePaymentIntent:
    return CapturePaymentIntent(id=intent, terms=terms(number), **more)


def cancel(intent: str, number: int = 2) -> CancelPaymentIntent:
    return CancelPaymentIntent(id=intent, terms=terms(number), reason="duplicate")


def refund(intent: str, number: int = 2, **more: Any) -> CreateRefund:
    return CreateRefund(payment_intent=intent, terms=terms(number), **more)


def charge_of(world: World, intent: str) -> Charge:
    return of_type(world.objects[world.intent(intent).latest_charge or ""].object, Charge)


def refunded(world: LiveWorld, number: int = 2) -> Refund:
    return of_type(world.objects[world.attempt(number).refund or ""].object, Refund)


def told(authorization: Result, **follow_ups: Result) -> RecordOutcome:
    """Return what a webhook about the authorization says."""
    return RecordOutcome(id=AUTHORIZATION, result=authorization, follow_ups=follow_ups)  # type: ignore[arg-type]


CANCELED = told(Result(status="declined"), void=VOIDED, capture=REFUSED)
SUCCEEDED = told(APPROVED, void=REFUSED, capture=APPROVED)


def test_a_payment_is_authorized_as_long_as_its_processor_says() -> None:
    world = LiveWorld()
    intent = world.authorized()
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    charge = charge_of(world, intent.id)
    assert (charge.captured, charge.capture_before) == (False, None)
    assert world.in_doubt() == (0, 0)
    assert world.account("processor").debits_pending == 1000
    world.moment_s += 400 * DAY_S
    world.run(ExpirePaymentIntent(id=intent.id))
    assert world.intent(intent.id) == intent


@pytest.mark.parametrize(("command", "operation", "amount"), [
    (capture, "capture", 1000), (cancel, "void", 1000),
    (lambda intent: capture(intent, amount=300), "capture", 300),
])  # fmt: skip
def test_nothing_else_is_done_to_a_payment_while_its_processor_is_asked(
    command: Any, operation: str, amount: int
) -> None:
    world = LiveWorld()
    intent = world.authorized()
    draft = world.run(command(intent.id))
    world.check()
    assert draft.answer.provisional_until_ms == world.moment_s * 1000 + 10_000
    asked = world.intent(intent.id)
    assert (asked.status, asked.amount_capturable, asked.amount_received) == ("processing", 0, 0)
    assert world.in_doubt() == (amount, 0)
    begun = world.attempt(2)
    assert (begun.operation, begun.amount, begun.held, begun.status) == (operation, amount, amount, "open")
    assert (begun.authorization, begun.authorization_id) == (AUTHORIZATION, "theirs_1")
    assert (begun.processor, begun.due_at) == ("acquirer", world.moment_s + 5)
    charge = charge_of(world, intent.id)
    others: list[Command] = [
        capture(intent.id, 3),
        cancel(intent.id, 3),
        CaptureCharge(id=charge.id, terms=terms(3)),
    ]
    for other in others:
        assert world.refused(other).code == "payment_intent_unexpected_state"
    assert world.refused(refund(intent.id, 3)).code == "charge_not_captured"


@pytest.mark.parametrize("amount", [None, 300])
@pytest.mark.parametrize("is_told", [False, True])
def test_a_capture_moves_what_one_in_test_mode_does(amount: int | None, is_told: bool) -> None:
    world, test = LiveWorld(), World()
    intent = world.authorized()
    world.run(capture(intent.id, amount=amount))
    if is_told:
        said = Result(status="approved", amount=amount or 1000, currency="usd", is_captured=True)
        world.end(told(said, capture=said, void=REFUSED))
    else:
        world.record(2)
    captured = world.intent(intent.id)
    assert (captured.status, captured.amount_received) == ("succeeded", amount or 1000)
    assert world.in_doubt() == (0, 0)
    twin = test.pay(capture_method="manual")
    test.do(CapturePaymentIntent(id=twin.id, amount=amount))
    for code in ("processor", "pending", "fees"):
        assert world.account(code).balance == test.account(code).balance
        assert world.account(code).debits_pending == test.account(code).debits_pending == 0
    assert (world.attempt(2).status, world.attempt(2).hold) == ("approved", None)
    assert world.refused(SUCCEEDED).code


def test_a_charge_is_captured_and_is_the_answer() -> None:
    world = LiveWorld()
    charge = charge_of(world, world.authorized().id)
    world.run(CaptureCharge(id=charge.id, terms=terms(2)))
    approved = Result(status="approved", amount=1000, currency="usd")
    draft = world.run(RecordOutcome(id=reference(2), result=approved, shown=charge.id))
    assert draft.answer.object_id == charge.id
    assert charge_of(world, charge.payment_intent).captured


@pytest.mark.parametrize("is_told", [False, True])
def test_a_void_cancels_the_payment(is_told: bool) -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.run(cancel(intent.id))
    if is_told:
        world.end(CANCELED)
    else:
        world.record(2, amount=None, currency=None)
    canceled = world.intent(intent.id)
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "duplicate")
    assert charge_of(world, intent.id).released
    assert world.in_doubt() == (0, 0)
    assert world.account("processor").debits_pending == 0
    # What the processor's own webhook says of it later is no news.
    assert world.refused(CANCELED).code


@pytest.mark.parametrize("status", NOT_DONE)
@pytest.mark.parametrize("command", [capture, cancel])
def test_what_was_not_done_leaves_the_payment_authorized(command: Any, status: str) -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.run(command(intent.id))
    error = world.record(2, status)
    assert (error.status, error.code, error.payment_intent) == (402, "processing_error", intent.id)
    assert world.intent(intent.id) == intent
    assert world.in_doubt() == (0, 0)
    assert world.account("processor").debits_pending == 1000
    world.run(capture(intent.id, 3))
    world.record(3)
    assert world.intent(intent.id).status == "succeeded"
    # Late truth about the first one moves nothing, and waits for a person.
    before = world.intent(intent.id)
    world.record(2)
    assert world.attempt(2).status == "review"
    assert world.intent(intent.id) == before


@pytest.mark.parametrize("command", [capture, cancel, refund])
def test_no_other_processor_is_asked(command: Any) -> None:
    world = LiveWorld()
    intent = world.paid() if command is refund else world.authorized()
    world.run(command(intent.id))
    route = msgspec.structs.replace(ROUTE, processor="second", reference=reference(3))
    world.end(RecordOutcome(id=reference(2), result=Result(status="not_sent"), next_route=route))
    assert reference(3) not in world.objects
    assert world.in_doubt() == (0, 0)


def test_a_decline_of_a_capture_says_what_the_processor_said() -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.run(capture(intent.id))
    error = world.record(2, "declined", code="card_declined", decline_code="lost_card", message="No.")
    assert (error.code, error.decline_code, error.message) == ("card_declined", "lost_card", "No.")


@pytest.mark.parametrize("wrong", [{"amount": 999}, {"amount": None}, {"currency": "eur"}])
@pytest.mark.parametrize("command", [capture, refund])
def test_an_approval_of_something_else_moves_nothing(command: Any, wrong: dict[str, Any]) -> None:
    world = LiveWorld()
    intent = world.authorized() if command is capture else world.paid()
    world.run(command(intent.id))
    before, transfers = world.intent(intent.id), len(world.transfers)
    world.record(2, **wrong)
    assert (world.attempt(2).status, world.attempt(2).held) == ("review", 1000)
    assert (world.intent(intent.id), len(world.transfers)) == (before, transfers)
    assert world.in_doubt() == (1000, 0)


def test_refunds_are_pending_and_count_until_known_otherwise() -> None:
    world = LiveWorld()
    intent = world.paid()
    before = world.balance("pending")
    draft = world.run(refund(intent.id, 2, amount=600))
    assert draft.answer.provisional_until_ms is not None
    assert (refunded(world).status, refunded(world).changes_at) == ("pending", None)
    assert (world.attempt(2).authorization, world.attempt(2).authorization_id) == (AUTHORIZATION, "theirs_1")
    assert charge_of(world, intent.id).amount_refunded == 600
    assert (world.in_doubt(), world.balance("pending")) == ((600, 0), before - 600)
    assert world.refused(refund(intent.id, 3, amount=401)).code == "amount_too_large"
    world.run(refund(intent.id, 3, amount=400))
    world.check()
    assert world.in_doubt() == (1000, 0)
    assert world.refused(refund(intent.id, 4, amount=1)).code == "charge_already_refunded"
    world.record(2)
    world.record(3)
    assert {refunded(world, number).status for number in (2, 3)} == {"succeeded"}
    assert (world.in_doubt(), world.balance("processor")) == ((0, 0), 0)
    assert world.balance("pending") == before - 1000


@pytest.mark.parametrize(("status", "said", "reason"), [
    ("declined", "insufficient_funds", "insufficient_funds"), ("declined", "lost_card", "declined"),
    ("declined", None, "declined"), ("refused", None, "unknown"), ("not_sent", None, "unknown"),
    ("not_found", None, "unknown"),
])  # fmt: skip
@pytest.mark.parametrize("succeeds_first", [False, True])
def test_a_refund_that_fails_gives_the_money_back(
    status: str, said: str | None, reason: str, succeeds_first: bool
) -> None:
    world = LiveWorld()
    intent = world.paid()
    before = world.balance("pending")
    world.run(refund(intent.id))
    if succeeds_first:
        world.record(2)
    world.record(2, status, decline_code=said)
    if succeeds_first and status != "declined":
        # Only what the processor says of the refund itself takes it back.
        assert (refunded(world).status, world.attempt(2).status) == ("succeeded", "review")
        return
    failed = refunded(world)
    assert (failed.status, failed.failure_reason) == ("failed", reason)
    assert failed.failure_balance_transaction is not None
    assert charge_of(world, intent.id).amount_refunded == 0
    assert (world.in_doubt(), world.balance("pending")) == ((0, 0), before)
    assert world.refused(RecordOutcome(id=reference(2), result=Result(status="declined"))).code
    world.run(refund(intent.id, 3))
    world.record(3)
    assert refunded(world, 3).status == "succeeded"


@pytest.mark.parametrize(("command", "approved", "not_found"), [
    (capture, "succeeded", "requires_capture"), (cancel, "canceled", "requires_capture"),
    (refund, "succeeded", "failed"),
])  # fmt: skip
@pytest.mark.parametrize("is_late", [False, True])
def test_a_person_ends_what_the_processor_does_not(
    command: Any, approved: str, not_found: str, is_late: bool
) -> None:
    decisions: list[tuple[Resolution, str]] = [("approved", approved), ("not_found", not_found)]
    for resolution, status in decisions:
        world = LiveWorld()
        intent = world.paid() if command is refund else world.authorized()
        world.run(command(intent.id))
        if is_late:
            world.record(2, "declined")
            world.record(2)
        else:
            world.end(ReviewAttempt(id=reference(2), reason="silence"))
        resolve = ResolveAttempt(
            id=reference(2), payment_intent=intent.id, resolution=resolution, note="seen"
        )
        world.end(resolve)
        shown = refunded(world) if command is refund else world.intent(intent.id)
        assert (shown.status, world.in_doubt()) == (status, (0, 0))


def test_an_authorization_that_ends_at_the_processor_ends_here() -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.end(CANCELED)
    expired = world.intent(intent.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")
    assert world.events[-2].type == "charge.expired"
    assert world.account("processor").debits_pending == 0
    assert world.refused(CANCELED).code


def test_a_capture_that_nobody_asked_for_waits_for_a_person() -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.end(SUCCEEDED)
    assert world.intent(intent.id) == intent
    assert (world.attempt(1).status, world.attempt(1).held) == ("review", 0)


def test_a_webhook_that_says_nothing_of_what_is_asked_changes_nothing() -> None:
    world = LiveWorld()
    intent = world.authorized()
    world.run(cancel(intent.id))
    assert world.refused(told(APPROVED, capture=APPROVED)).code
    assert world.intent(intent.id).status == "processing"


def test_what_no_processor_does_yet_is_not_available() -> None:
    world = LiveWorld()
    names = ("extended_authorization", "incremental_authorization", "multicapture", "overcapture")
    asked = {f"request_{name}": "if_available" for name in names}
    intent = world.paid(extras={"card": asked}, capture_method="manual")
    assert world.refused(capture(intent.id, is_final=False, amount=1)).code == "capture_must_be_final"
    assert world.refused(IncrementAuthorization(id=intent.id, amount=2000)).code
    assert world.refused(capture(intent.id, amount=1001)).code == "amount_too_large"


@pytest.mark.parametrize("command", [
    CancelPaymentIntent(id=""), CapturePaymentIntent(id=""), CreateRefund(payment_intent="")
])  # fmt: skip
def test_without_terms_nothing_is_asked_and_nothing_is_done(command: Any) -> None:
    world = LiveWorld()
    is_refund = isinstance(command, CreateRefund)
    intent = world.paid() if is_refund else world.authorized()
    name = "payment_intent" if is_refund else "id"
    assert (
        world.refused(msgspec.structs.replace(command, **{name: intent.id})).code
        == "processor_operation_unsupported"
    )


def test_a_payment_that_no_processor_knows_is_canceled_at_once() -> None:
    world = LiveWorld()
    intent = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    draft = world.run(cancel(intent.id))
    assert draft.answer.provisional_until_ms is None
    assert world.intent(intent.id).status == "canceled"
