"""Live payments that wait for their cardholder: nothing else happens until the processor says something."""

import msgspec
import pytest

from fastpay.domain.actions import AwaitAction
from fastpay.domain.captures import CancelPaymentIntent
from fastpay.domain.charging import Terms
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import ReviewAttempt
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    UpdatePaymentIntent,
)
from fastpay.domain.processor_objects import Result
from tests.support.world import World, card
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

PAGE = "https://processor.example/authenticate"
AWAIT = AwaitAction(id=REFERENCE, page=PAGE, processor_id="theirs")


def waiting() -> tuple[World, PaymentIntent]:
    """Return a payment that waits for its cardholder."""
    world = World(scope=LIVE)
    pay(world)
    world.run(AWAIT)
    world.check()
    return world, world.intent(attempt(world).payment)


def test_a_payment_waits_with_its_hold_and_the_page_of_the_processor() -> None:
    world, intent = waiting()
    assert (intent.status, intent.challenge_url) == ("requires_action", PAGE)
    assert in_doubt(world) == (1000, 0)
    assert (attempt(world).status, attempt(world).processor_id) == ("open", "theirs")
    assert world.events[-1].type == "payment_intent.requires_action"
    # Every inquiry says it again, and it is written once.
    world.refused(AWAIT)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (APPROVED, "succeeded"),
        (DECLINED, "requires_payment_method"),
        (Result(status="not_found"), "requires_payment_method"),
    ],
)
def test_it_goes_on_as_the_processor_says(result: Result, status: str) -> None:
    world, _ = waiting()
    assert record(world, result).status == status
    assert in_doubt(world) == (0, 0)
    world.refused(AWAIT)


def test_nothing_else_is_attempted_while_the_cardholder_may_pay() -> None:
    world, intent = waiting()
    route = Terms(route=msgspec.structs.replace(ROUTE, reference=OTHER))
    written = len(world.versions)
    for command in (
        ConfirmPaymentIntent(id=intent.id, payment_method=card(), terms=route),
        CancelPaymentIntent(id=intent.id),
        AuthenticatePaymentIntent(id=intent.id, succeeds=True),
        UpdatePaymentIntent(id=intent.id, fields={"amount": 5}),
        UpdatePaymentIntent(id=intent.id, payment_method=card()),
    ):
        answered = world.run(command).answer
        assert answered.object_id == intent.id
        is_confirmation = isinstance(command, ConfirmPaymentIntent)
        assert (answered.error is None) == is_confirmation, command
    assert (len(world.versions), world.intent(intent.id)) == (written, intent)
    world.run(UpdatePaymentIntent(id=intent.id, fields={"description": "Order 7"}))
    assert world.intent(intent.id).status == "requires_action"


def test_who_asks_to_go_on_is_shown_the_payment_as_it_is() -> None:
    world, intent = waiting()
    record(world, APPROVED)
    answered = world.run(ConfirmPaymentIntent(id=intent.id, terms=Terms(continues=True))).answer
    assert (answered.object_id, answered.error) == (intent.id, None)


def test_only_an_open_authorization_waits() -> None:
    world = World(scope=LIVE)
    pay(world)
    world.run(ReviewAttempt(id=REFERENCE, reason="silence"))
    world.refused(AWAIT)
    assert world.refused(AwaitAction(id=OTHER, page=PAGE)).status == 404
