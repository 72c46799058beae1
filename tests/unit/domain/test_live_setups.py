"""Live setups: nothing is saved before a processor keeps the card, and no money is ever held."""

import msgspec
import pytest

from fastpay.domain.actions import AwaitAction
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Result
from fastpay.domain.setup_intents import (
    AuthenticateSetupIntent,
    CancelSetupIntent,
    ConfirmSetupIntent,
    CreateSetupIntent,
    UpdateSetupIntent,
)
from fastpay.domain.setup_objects import CustomerAcceptance, SetupAttempt, SetupIntent
from tests.support.world import World, card, of_type
from tests.unit.domain.test_outcomes import DECLINED, LIVE, OTHER, REFERENCE, ROUTE, attempt

PAGE = "https://processor.example/authenticate"
AWAIT = AwaitAction(id=REFERENCE, page=PAGE, processor_id="theirs")
KEPT = Result(status="approved", processor_id="theirs", keeps_card=True)


def begin(**fields: object) -> tuple[World, SetupIntent]:
    """Begin to set up a card for a customer."""
    world = World(scope=LIVE)
    customer = world.do(CreateCustomer(fields={})).id
    command = CreateSetupIntent(
        secret="s", customer=customer, payment_method=card(), confirm=True, route=ROUTE
    )
    intent = of_type(world.do(msgspec.structs.replace(command, **fields)), SetupIntent)
    world.check()
    return world, intent


def found(world: World, intent: SetupIntent) -> tuple[SetupIntent, SetupAttempt]:
    """Return the setup as it is now, and its latest attempt."""
    now = of_type(world.objects[intent.id].object, SetupIntent)
    assert now.latest_attempt is not None
    return now, of_type(world.objects[now.latest_attempt].object, SetupAttempt)


def record(world: World, result: Result, reference: str = REFERENCE) -> None:
    world.run(RecordOutcome(id=reference, result=result))
    world.check()


def method_of(world: World) -> PaymentMethod:
    return of_type(world.objects[attempt(world).payment_method].object, PaymentMethod)


def test_a_setup_is_processing_before_its_processor_is_asked_and_holds_nothing() -> None:
    world, intent = begin()
    begun, made = attempt(world), found(world, intent)[1]
    assert (intent.status, made.status, made.order) == ("processing", "processing", REFERENCE)
    assert (begun.operation, begun.amount, begun.held, begun.hold) == ("setup", 0, 0, None)
    assert (begun.setup_intent, begun.payment_intent, begun.due_at) == (intent.id, None, world.moment_s + 5)
    assert (method_of(world).customer, method_of(world).is_set_up) == (None, False)
    # Nobody begins a second attempt, and nobody ends this one.
    for command in (ConfirmSetupIntent(id=intent.id, route=ROUTE), CancelSetupIntent(id=intent.id)):
        assert world.refused(command).code == "setup_intent_unexpected_state"


def test_a_card_that_the_processor_keeps_is_saved_to_its_customer() -> None:
    world, intent = begin(mandate=MandateData(acceptance=CustomerAcceptance(type="offline")))
    record(world, KEPT)
    now, made = found(world, intent)
    assert (now.status, made.status, attempt(world).status) == ("succeeded", "succeeded", "approved")
    assert now.mandate is not None
    assert (method_of(world).customer, method_of(world).is_set_up) == (intent.customer, True)
    # It is told once, and later ones change nothing.
    for result in (KEPT, DECLINED):
        world.refused(RecordOutcome(id=REFERENCE, result=result))


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (DECLINED, "card_declined"),
        (Result(status="refused"), "processing_error"),
        (Result(status="not_found"), "processing_error"),
        # Whoever keeps a card says what it is called.
        (Result(status="approved"), "processing_error"),
    ],
)
def test_a_card_that_nobody_keeps_is_not_saved(result: Result, code: str) -> None:
    world, intent = begin()
    record(world, result)
    now, made = found(world, intent)
    assert (now.status, made.status) == ("requires_payment_method", "failed")
    assert now.last_setup_error is not None
    assert now.last_setup_error.code == code
    assert (method_of(world).customer, method_of(world).is_set_up) == (None, False)
    assert attempt(world).status != "approved"


@pytest.mark.parametrize(("result", "status"), [(KEPT, "succeeded"), (DECLINED, "requires_payment_method")])
def test_a_setup_waits_for_its_cardholder(result: Result, status: str) -> None:
    world, intent = begin()
    world.run(AWAIT)
    now, made = found(world, intent)
    assert (now.status, now.challenge_url, made.status) == ("requires_action", PAGE, "requires_action")
    # Every inquiry says it again, and it is written once. Nobody authenticates here.
    world.refused(AWAIT)
    world.refused(AuthenticateSetupIntent(id=intent.id, succeeds=True))
    again = ConfirmSetupIntent(id=intent.id, route=msgspec.structs.replace(ROUTE, reference=OTHER))
    assert world.do(again) == now
    assert OTHER not in world.objects
    record(world, result)
    now, made = found(world, intent)
    assert now.status == status
    assert made.three_d_secure == ("authenticated" if status == "succeeded" else "failed")


def test_what_is_said_of_a_setup_that_was_canceled_saves_nothing() -> None:
    world, intent = begin()
    world.run(AWAIT)
    world.run(CancelSetupIntent(id=intent.id))
    record(world, KEPT)
    now, made = found(world, intent)
    assert (now.status, made.status, attempt(world).status) == ("canceled", "abandoned", "approved")
    assert method_of(world).customer is None


def test_what_is_said_of_an_earlier_card_changes_nothing_of_the_next_one() -> None:
    world, intent = begin()
    world.run(AWAIT)
    world.run(UpdateSetupIntent(id=intent.id, payment_method=card()))
    world.run(ConfirmSetupIntent(id=intent.id, route=msgspec.structs.replace(ROUTE, reference=OTHER)))
    record(world, KEPT)
    assert found(world, intent)[0].status == "processing"
    record(world, DECLINED, OTHER)
    assert found(world, intent)[0].status == "requires_payment_method"
    assert (attempt(world).status, attempt(world, OTHER).status) == ("approved", "declined")
