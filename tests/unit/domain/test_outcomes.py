"""Payments that a processor carries out: in doubt until it says what became of them, and right after that."""

from typing import Any

import msgspec
import pytest

from fastpay.domain import ledger
from fastpay.domain.charging import Terms
from fastpay.domain.funds import DAY_S
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import ClaimAttempt, RecordOutcome, ReviewAttempt
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.payouts import CreatePayout, PayOutBalance
from fastpay.domain.plan import Workspace
from fastpay.domain.processor_objects import Attempt, Result, Route
from tests.support.world import PAY, World, card, of_type

LIVE = Scope("0" * 31 + "1", True)
REFERENCE = "att_" + "1" * 32
OTHER = "att_" + "2" * 32
ROUTE = Route(processor="acquirer", reference=REFERENCE, wait_ms=10_000, inquiry_s=5)
APPROVED = Result(status="approved", amount=1000, currency="usd", is_captured=True, processor_id="theirs")
DECLINED = Result(status="declined", code="card_declined", decline_code="lost_card", message="No.")


def pay(world: World, **fields: object) -> PaymentIntent:
    """Begin a live payment of 10.00."""
    command = msgspec.structs.replace(PAY, terms=Terms(route=ROUTE), fields=fields)
    return of_type(world.do(command), PaymentIntent)


def attempt(world: World, identifier: str = REFERENCE) -> Attempt:
    return of_type(world.objects[identifier].object, Attempt)


def record(world: World, result: Result, **more: Any) -> PaymentIntent:
    world.run(RecordOutcome(id=REFERENCE, result=result, **more))
    world.check()
    return world.intent(attempt(world).payment)


def in_doubt(world: World) -> tuple[int, int]:
    """Return what is held in doubt, and what has ever been posted there."""
    account = world.account("in_doubt")
    return account.credits_pending, account.credits_posted + account.debits_posted


def test_a_payment_is_in_doubt_before_its_processor_is_asked() -> None:
    world = World(scope=LIVE)
    intent = pay(world)
    world.check()
    assert (intent.status, intent.latest_charge) == ("processing", None)
    assert in_doubt(world) == (1000, 0)
    assert world.account("processor").debits_pending == 1000
    begun = attempt(world)
    assert (begun.status, begun.held, begun.processor, begun.amount) == ("open", 1000, "acquirer", 1000)
    assert begun.due_at == world.moment_s + 5
    # None of the attempt: no client sees it.
    assert [event.type for event in world.events] == ["payment_intent.created", "payment_intent.processing"]


def test_the_answer_to_such_a_payment_may_change_while_its_request_waits() -> None:
    world = World(scope=LIVE)
    draft = world.run(msgspec.structs.replace(PAY, terms=Terms(route=ROUTE)))
    assert draft.answer.provisional_until_ms == world.moment_s * 1000 + ROUTE.wait_ms
    test = World()
    assert test.run(PAY).answer.provisional_until_ms is None


def test_an_approval_pays_as_a_test_card_does() -> None:
    world = World(scope=LIVE)
    pay(world)
    paid = record(world, APPROVED)
    assert (paid.status, paid.amount_received) == ("succeeded", 1000)
    assert in_doubt(world) == (0, 0)
    test = World()
    test.pay()
    for code in ("processor", "pending", "fees"):
        assert world.balance(code) == test.balance(code)
    ended = attempt(world)
    assert (ended.status, ended.hold, ended.held, ended.due_at) == ("approved", None, 0, None)
    assert ended.processor_id == "theirs"
    assert [event.type for event in world.events[2:]] == ["charge.succeeded", "payment_intent.succeeded"]


def test_an_outcome_asks_for_whatever_is_not_at_hand() -> None:
    world = World(scope=LIVE)
    intent = pay(world)
    workspace = Workspace(world.book)
    workspace.objects |= world.objects
    command = RecordOutcome(id=REFERENCE, result=APPROVED)
    accounts = set(ledger.account_ids(LIVE, "usd", True))
    assert set(command.needs(workspace)) == accounts
    assert intent.payment_method is not None
    for identifier in (intent.payment_method, intent.id):
        del workspace.objects[identifier]
        assert set(command.needs(workspace)) == {REFERENCE, intent.id, intent.payment_method} | accounts
    del workspace.objects[REFERENCE]
    assert set(command.needs(workspace)) == {REFERENCE}


def test_what_no_processor_is_asked_to_do_yet_is_refused() -> None:
    world = World(scope=LIVE)
    pay(world)
    record(world, APPROVED)
    payout = CreatePayout(amount=1, currency="usd", step_s=0)
    assert world.refused(payout).code == "processor_operation_unsupported"
    moved = world.account("available"), world.account("in_transit")
    # The funds task asks for this, and a simulated payout would send money that is real.
    world.moment_s += 40 * DAY_S
    world.run(PayOutBalance(currencies=("usd",), step_s=0))
    assert (world.account("available"), world.account("in_transit")) == moved


@pytest.mark.parametrize(
    ("result", "status", "code", "decline_code"),
    [
        (DECLINED, "declined", "card_declined", "lost_card"),
        (Result(status="declined"), "declined", "card_declined", "generic_decline"),
        (Result(status="refused", reason="bad key"), "refused", "processing_error", "processing_error"),
        (Result(status="not_sent"), "not_sent", "processing_error", "processing_error"),
        (Result(status="not_found"), "not_found", "processing_error", "processing_error"),
    ],
)
def test_a_payment_of_which_nothing_moved_fails(
    result: Result, status: str, code: str, decline_code: str
) -> None:
    world = World(scope=LIVE)
    pay(world)
    failed = record(world, result)
    assert (failed.status, failed.amount_received) == ("requires_payment_method", 0)
    error = failed.last_payment_error
    assert error is not None
    assert (error.code, error.decline_code) == (code, decline_code)
    assert in_doubt(world) == (0, 0)
    assert (world.balance("processor"), world.balance("pending")) == (0, 0)
    assert attempt(world).status == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 999},
        {"amount": 1001},
        {"amount": None},
        {"currency": "eur"},
        {"currency": None},
        {"is_captured": False},
    ],
)
def test_an_approval_of_something_else_moves_nothing_and_waits_for_a_person(wrong: dict[str, Any]) -> None:
    world = World(scope=LIVE)
    pay(world)
    transfers = len(world.transfers)
    left = record(world, msgspec.structs.replace(APPROVED, **wrong))
    assert left.status == "processing"
    assert len(world.transfers) == transfers
    assert in_doubt(world) == (1000, 0)
    noted = attempt(world)
    assert (noted.status, noted.held, noted.due_at) == ("review", 1000, None)
    assert noted.reason.startswith("the processor ")
    # What is said again is noted once, and the right outcome still ends it.
    assert world.refused(RecordOutcome(id=REFERENCE, result=msgspec.structs.replace(APPROVED, **wrong))).code
    assert record(world, APPROVED).status == "succeeded"
    assert in_doubt(world) == (0, 0)


@pytest.mark.parametrize("result", [APPROVED, DECLINED])
def test_an_outcome_is_recorded_once(result: Result) -> None:
    world = World(scope=LIVE)
    pay(world)
    record(world, result)
    assert world.refused(RecordOutcome(id=REFERENCE, result=result)).code


@pytest.mark.parametrize(("first", "then"), [(DECLINED, APPROVED), (APPROVED, DECLINED)])
def test_what_contradicts_an_ended_attempt_is_noted_and_moves_nothing(first: Result, then: Result) -> None:
    world = World(scope=LIVE)
    pay(world)
    before = record(world, first)
    transfers = len(world.transfers)
    assert record(world, then) == before
    assert len(world.transfers) == transfers
    noted = attempt(world)
    assert (noted.status, noted.held) == ("review", 0)
    assert noted.reason == f"it ended as {first.status}, and the processor says {then.status} now"


@pytest.mark.parametrize("status", ["refused", "not_sent"])
def test_a_payment_goes_to_the_next_processor_if_the_first_has_done_nothing(status: Any) -> None:
    world = World(scope=LIVE)
    pay(world)
    following = msgspec.structs.replace(ROUTE, processor="second", reference=OTHER)
    left = record(world, Result(status=status), next_route=following)
    assert left.status == "processing"
    assert in_doubt(world) == (1000, 0)
    assert (attempt(world).status, attempt(world, OTHER).status) == (status, "open")
    assert attempt(world, OTHER).processor == "second"
    world.run(RecordOutcome(id=OTHER, result=APPROVED))
    world.check()
    assert world.intent(left.id).status == "succeeded"
    assert in_doubt(world) == (0, 0)


def test_a_decline_and_an_order_that_never_arrived_go_to_nobody_else() -> None:
    for result in (DECLINED, Result(status="not_found")):
        world = World(scope=LIVE)
        pay(world)
        following = msgspec.structs.replace(ROUTE, reference=OTHER)
        assert record(world, result, next_route=following).status == "requires_payment_method"
        assert OTHER not in world.objects


def test_an_attempt_is_taken_by_one_instance_at_a_time() -> None:
    world = World(scope=LIVE)
    pay(world)
    claim = ClaimAttempt(id=REFERENCE, delays_s=(30, 120))
    assert world.refused(claim).code
    for number, delay_s in enumerate((30, 120, 120), 1):
        world.moment_s = attempt(world).due_at or 0
        world.run(claim)
        taken = attempt(world)
        assert (taken.inquiries, taken.due_at) == (number, world.moment_s + delay_s)
        assert world.refused(claim).code
    world.check()


def test_an_attempt_of_which_nothing_can_be_learned_waits_for_a_person() -> None:
    world = World(scope=LIVE)
    intent = pay(world)
    world.run(ReviewAttempt(id=REFERENCE, reason="silence"))
    world.check()
    assert world.intent(intent.id).status == "processing"
    assert in_doubt(world) == (1000, 0)
    assert attempt(world).status == "review"
    assert world.refused(ReviewAttempt(id=REFERENCE, reason="silence")).code
    # Late truth is still taken.
    assert record(world, DECLINED).status == "requires_payment_method"


def test_without_a_route_a_live_payment_is_refused() -> None:
    world = World(scope=LIVE)
    assert world.refused(PAY).code == "processor_not_configured"


def test_a_payment_that_exists_is_confirmed_by_a_processor() -> None:
    world = World(scope=LIVE)
    intent = of_type(world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s")), PaymentIntent)
    world.do(ConfirmPaymentIntent(id=intent.id, payment_method=card(), terms=Terms(route=ROUTE)))
    assert world.intent(intent.id).status == "processing"
    assert record(world, APPROVED).status == "succeeded"
    again = ConfirmPaymentIntent(id=intent.id, payment_method=card(), terms=Terms(route=ROUTE))
    assert world.refused(again).code == "payment_intent_unexpected_state"
