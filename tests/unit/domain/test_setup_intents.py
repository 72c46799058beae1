"""Setup intents: every command in every state, what attempts leave behind, and what a set-up card allows."""

import pytest

from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import PaymentIntent, PaymentMethod
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod
from fastpay.domain.plan import Command
from fastpay.domain.setup_intents import (
    AuthenticateSetupIntent,
    CancelSetupIntent,
    ConfirmSetupIntent,
    CreateSetupIntent,
    UpdateSetupIntent,
)
from fastpay.domain.setup_objects import CustomerAcceptance, Mandate, SetupAttempt, SetupIntent
from tests.support.world import SCOPE, World, card, of_type

UNEXPECTED = "setup_intent_unexpected_state"
ACCEPTED = MandateData(acceptance=CustomerAcceptance(type="offline"))

# status: what each command leads to; None is refused for the state.
_OPEN: dict[str, str | None] = {
    "update description": "same",
    "update method": "requires_confirmation",
    "clear method": "requires_payment_method",
    "confirm with a good card": "succeeded",
    "confirm with a bad card": "requires_payment_method",
    "confirm with a card that asks": "requires_action",
    "authenticate": None,
    "cancel": "canceled",
}
_OVER = dict.fromkeys(_OPEN) | {"update description": "same", "confirm": None}
TABLE: dict[str, dict[str, str | None]] = {
    "requires_payment_method": _OPEN | {"confirm": None},
    "requires_confirmation": _OPEN | {"confirm": "succeeded"},
    "requires_action": _OPEN | {"confirm": "requires_action", "authenticate": "succeeded"},
    "succeeded": _OVER,
    "canceled": _OVER,
}


def arrive(world: World, status: str, **fields: object) -> SetupIntent:
    """Return a setup intent in this state."""
    customer = fields.pop("customer", None)
    assert customer is None or isinstance(customer, str)
    name = {"requires_action": "authenticationRequired"}.get(status, "visa")
    needs_card = status not in {"requires_payment_method", "canceled"}
    command = CreateSetupIntent(
        secret="s",
        customer=customer,
        fields=fields,
        payment_method=card(name) if needs_card else None,
        confirm=status in {"requires_action", "succeeded"},
    )
    intent = of_type(world.do(command), SetupIntent)
    if status == "canceled":
        world.do(CancelSetupIntent(id=intent.id))
    intent = setup(world, intent.id)
    assert intent.status == status
    return intent


def setup(world: World, identifier: str) -> SetupIntent:
    return of_type(world.objects[identifier].object, SetupIntent)


def attempts(world: World, identifier: str) -> list[SetupAttempt]:
    """Return the attempts of a setup intent, oldest first."""
    found = [one.object for one in world.objects.values() if isinstance(one.object, SetupAttempt)]
    return [one for one in found if one.setup_intent == identifier]


def command_of(name: str, identifier: str) -> Command:
    match name:
        case "update description":
            return UpdateSetupIntent(id=identifier, fields={"description": "x"})
        case "update method":
            return UpdateSetupIntent(id=identifier, payment_method=card())
        case "clear method":
            return UpdateSetupIntent(id=identifier, clears_payment_method=True)
        case "confirm":
            return ConfirmSetupIntent(id=identifier)
        case "confirm with a good card":
            return ConfirmSetupIntent(id=identifier, payment_method=card())
        case "confirm with a bad card":
            return ConfirmSetupIntent(id=identifier, payment_method=card("chargeDeclined"))
        case "confirm with a card that asks":
            return ConfirmSetupIntent(id=identifier, payment_method=card("authenticationRequired"))
        case "authenticate":
            return AuthenticateSetupIntent(id=identifier, succeeds=True)
        case _:
            return CancelSetupIntent(id=identifier)


@pytest.mark.parametrize(("status", "name"), [(status, name) for status in TABLE for name in TABLE[status]])
def test_each_command_leads_where_the_state_allows(status: str, name: str) -> None:
    world = World()
    intent = arrive(world, status)
    expected = TABLE[status][name]
    if expected is None:
        refusal = world.refused(command_of(name, intent.id))
        assert (refusal.status, refusal.code, refusal.setup_intent) == (400, UNEXPECTED, intent.id)
        return
    world.run(command_of(name, intent.id))
    assert setup(world, intent.id).status == (status if expected == "same" else expected)
    waiting = [one for one in attempts(world, intent.id) if one.status == "requires_action"]
    assert len(waiting) == (setup(world, intent.id).status == "requires_action")
    world.check()


def test_a_setup_saves_the_card_to_its_customer() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    plan = world.run(CreateSetupIntent(secret="s", customer=customer, payment_method=card(), confirm=True))
    intent = setup(world, plan.answer.object_id or "")
    method = world.method(intent.payment_method)
    assert (method.customer, method.is_set_up) == (customer, True)
    assert [event.type for event in plan.events] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    (made,) = attempts(world, intent.id)
    assert (made.id, made.status, made.payment_method) == (intent.latest_attempt, "succeeded", method.id)
    assert (made.customer, made.usage) == (customer, "off_session")


def test_a_declined_setup_leaves_an_attempt_and_no_card() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    plan = world.run(
        CreateSetupIntent(secret="s", customer=customer, payment_method=card("chargeDeclined"), confirm=True)
    )
    assert plan.answer.error is not None
    intent = setup(world, plan.answer.error.setup_intent or "")
    assert (plan.answer.error.status, plan.answer.error.decline_code) == (402, "generic_decline")
    assert [event.type for event in plan.events] == ["setup_intent.created", "setup_intent.setup_failed"]
    assert intent.last_setup_error is not None
    assert (intent.payment_method, intent.last_setup_error.code) == (None, "card_declined")
    method = world.method(intent.last_setup_error.payment_method)
    assert (method.customer, method.is_set_up) == (None, False)
    (made,) = attempts(world, intent.id)
    assert (made.status, made.setup_error) == ("failed", intent.last_setup_error)
    again = world.do(ConfirmSetupIntent(id=intent.id, payment_method=card()))
    assert of_type(again, SetupIntent).last_setup_error is None
    assert [one.status for one in attempts(world, intent.id)] == ["failed", "succeeded"]


def test_a_card_that_only_fails_when_charged_can_be_set_up() -> None:
    world = World()
    world.do(CreateSetupIntent(secret="s", payment_method=card("chargeCustomerFail"), confirm=True))


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_cardholders_answer_ends_the_attempt(succeeds: bool) -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    intent = arrive(world, "requires_action", customer=customer)
    method = intent.payment_method
    assert world.method(method).customer is None, "saved before the cardholder agreed"
    plan = world.run(AuthenticateSetupIntent(id=intent.id, succeeds=succeeds))
    (made,) = attempts(world, intent.id)
    if succeeds:
        assert (setup(world, intent.id).status, made.status) == ("succeeded", "succeeded")
        assert made.three_d_secure == "authenticated"
        assert world.method(method).customer == customer
        assert [event.type for event in plan.events] == ["payment_method.attached", "setup_intent.succeeded"]
        return
    error = setup(world, intent.id).last_setup_error
    assert error is not None
    assert (error.code, error.payment_method) == ("setup_intent_authentication_failure", method)
    assert (made.status, made.three_d_secure, made.setup_error) == ("failed", "failed", error)
    assert world.method(method).customer is None
    assert [event.type for event in plan.events] == ["setup_intent.setup_failed"]


def test_another_attempt_abandons_the_one_that_waits() -> None:
    world = World()
    intent = arrive(world, "requires_action")
    world.do(ConfirmSetupIntent(id=intent.id, payment_method=card()))
    assert [one.status for one in attempts(world, intent.id)] == ["abandoned", "succeeded"]
    waiting = arrive(world, "requires_action")
    world.do(CancelSetupIntent(id=waiting.id))
    assert [one.status for one in attempts(world, waiting.id)] == ["abandoned"]


@pytest.mark.parametrize("amount", [None, 500])
def test_a_mandate_is_kept_with_the_card(amount: int | None) -> None:
    world = World()
    data = MandateData(
        acceptance=ACCEPTED.acceptance, amount=amount, currency=None if amount is None else "usd"
    )
    intent = of_type(
        world.do(CreateSetupIntent(secret="s", payment_method=card(), confirm=True, mandate=data)),
        SetupIntent,
    )
    names = (intent.mandate, intent.single_use_mandate)
    (identifier,) = filter(None, names)
    assert names.index(identifier) == (amount is not None)
    mandate = of_type(world.objects[identifier].object, Mandate)
    assert (mandate.payment_method, mandate.amount) == (intent.payment_method, amount)
    assert mandate.acceptance.accepted_at == world.moment_s


def test_a_mandate_of_a_declined_card_is_not_kept() -> None:
    world = World()
    command = CreateSetupIntent(
        secret="s", payment_method=card("chargeDeclined"), confirm=True, mandate=ACCEPTED
    )
    world.run(command)
    assert not [one for one in world.objects.values() if isinstance(one.object, Mandate)]


def test_a_card_of_another_customer_is_refused() -> None:
    world = World()
    owner, other = (world.do(CreateCustomer(fields={})).id for _ in "ab")
    method = world.save_card().id
    world.do(AttachPaymentMethod(payment_method=method, customer=owner))
    for customer in (other, None):
        refusal = world.refused(
            CreateSetupIntent(secret="s", customer=customer, payment_method=method, confirm=True)
        )
        assert refusal.code == "payment_method_unexpected_state"


def test_a_deleted_customer_saves_nothing() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    intents = [
        arrive(world, status, customer=customer) for status in ("requires_action", "requires_confirmation")
    ]
    world.do(DeleteCustomer(id=customer))
    for command in (
        AuthenticateSetupIntent(id=intents[0].id, succeeds=True),
        ConfirmSetupIntent(id=intents[1].id),
        CreateSetupIntent(secret="s", customer=customer),
    ):
        refusal = world.refused(command)
        assert (refusal.code, refusal.param) == ("resource_missing", "customer")


def test_nothing_is_set_up_in_live_mode() -> None:
    world = World(scope=Scope(SCOPE.tenant_id, True))
    refusal = world.refused(CreateSetupIntent(secret="s", payment_method=card(), confirm=True))
    assert refusal.code == "processor_not_configured"


@pytest.mark.parametrize(
    "way", ["attached", "on_session", "off_session", "paid on_session", "paid off_session"]
)
def test_only_a_card_that_was_set_up_for_it_pays_without_its_holder(way: str) -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    name = "authenticationRequiredOnSetup"
    method = world.save_card(name).id
    match way.split():
        case ["attached"]:
            world.do(AttachPaymentMethod(payment_method=method, customer=customer))
        case [usage]:
            intent = world.do(
                CreateSetupIntent(
                    secret="s",
                    customer=customer,
                    payment_method=method,
                    confirm=True,
                    fields={"usage": usage},
                )
            )
            world.do(AuthenticateSetupIntent(id=intent.id, succeeds=True))
        case [_, usage]:
            pay(world, customer, method, Terms(authenticated=True), setup_future_usage=usage)
    assert world.method(method).customer == customer
    paid = pay(world, customer, method, Terms(off_session=True))
    if way.endswith("off_session"):
        assert paid.status == "succeeded"
        return
    assert paid.status == "requires_payment_method"
    assert paid.last_payment_error is not None
    assert paid.last_payment_error.code == "authentication_required"
    assert paid.last_payment_error.payment_method == method


def test_a_card_that_always_asks_declines_without_its_holder_even_if_it_was_set_up() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    intent = arrive(world, "requires_action", customer=customer)
    world.do(AuthenticateSetupIntent(id=intent.id, succeeds=True))
    paid = pay(world, customer, intent.payment_method or "", Terms(off_session=True))
    assert paid.status == "requires_payment_method"


def test_a_saved_card_that_was_set_up_is_not_written_again() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    intent = of_type(
        world.do(CreateSetupIntent(secret="s", customer=customer, payment_method=card(), confirm=True)),
        SetupIntent,
    )
    before = len([one for one in world.versions if isinstance(one.object, PaymentMethod)])
    pay(world, customer, intent.payment_method or "", Terms(), setup_future_usage="off_session")
    assert len([one for one in world.versions if isinstance(one.object, PaymentMethod)]) == before


def pay(world: World, customer: str, method: str, terms: Terms, **fields: object) -> PaymentIntent:
    """Confirm a payment with a saved card, and return what came of it."""
    plan = world.run(
        CreatePaymentIntent(
            amount=500,
            currency="usd",
            secret="s",
            customer=customer,
            payment_method=method,
            confirm=True,
            fields=fields,
            terms=terms,
        )
    )
    error = plan.answer.error
    return world.intent((plan.answer.object_id if error is None else error.payment_intent) or "")
