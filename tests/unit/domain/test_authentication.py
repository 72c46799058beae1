"""Cards that ask for their holder, and what comes of the answer."""

import pytest

from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
    UpdatePaymentIntent,
)
from fastpay.domain.payment_methods import AttachPaymentMethod
from tests.support.world import World, card, of_type
from tests.unit.domain.test_payment_intents import arrive


@pytest.mark.parametrize(
    ("name", "terms", "status"),
    [
        ("authenticationRequired", Terms(), "requires_action"),
        ("authenticationRequired", Terms(off_session=True), "requires_payment_method"),
        ("authenticationRequired", Terms(error_on_requires_action=True), "requires_payment_method"),
        ("authenticationRequiredOnSetup", Terms(), "requires_action"),
        ("authenticationRequiredOnSetup", Terms(off_session=True), "requires_payment_method"),
        ("visa", Terms(off_session=True), "succeeded"),
        ("visa", Terms(error_on_requires_action=True), "succeeded"),
    ],
)
def test_a_card_asks_for_its_holder_as_the_terms_allow(name: str, terms: Terms, status: str) -> None:
    world = World()
    intent = arrive(world, "requires_payment_method")
    plan = world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card(name), terms=terms))
    assert world.intent(intent.id).status == status
    if status == "requires_payment_method":
        assert plan.answer.error is not None
        assert (plan.answer.error.status, plan.answer.error.code) == (402, "authentication_required")


def test_a_card_that_was_saved_with_its_holder_needs_the_holder_no_more() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    first = ask(world, "authenticationRequiredOnSetup", customer=customer)
    assert world.method(first.payment_method).customer is None, "saved before it paid"
    world.do(AuthenticatePaymentIntent(id=first.id, succeeds=True))
    assert world.intent(first.id).status == "succeeded"
    assert world.method(first.payment_method).customer == customer
    world.do(
        CreatePaymentIntent(
            amount=500,
            currency="usd",
            secret="s",
            customer=customer,
            payment_method=first.payment_method,
            confirm=True,
            terms=Terms(off_session=True),
        )
    )


def test_a_holder_who_says_no_leaves_the_payment_without_a_card() -> None:
    world = World()
    asked = ask(world, "authenticationRequired")
    world.do(AuthenticatePaymentIntent(id=asked.id, succeeds=False))
    intent = world.intent(asked.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    refused = world.run(AuthenticatePaymentIntent(id=asked.id, succeeds=True)).answer.error
    assert refused is not None
    assert refused.code == "payment_intent_unexpected_state"


def test_a_merchant_who_confirms_by_hand_confirms_after_the_authentication_too() -> None:
    world = World()
    asked = ask(world, "authenticationRequired", confirmation_method="manual")
    world.do(AuthenticatePaymentIntent(id=asked.id, succeeds=True))
    assert world.intent(asked.id).status == "requires_confirmation"
    assert world.transfers == []
    world.do(ConfirmPaymentIntent(id=asked.id))
    paid = world.intent(asked.id)
    assert paid.status == "succeeded"
    extras = world.charge_of(paid).extras
    assert extras is not None
    assert extras.authentication is not None
    assert extras.authentication.flow == "challenge"


@pytest.mark.parametrize("change", ["amount", "card", "method", "other attempt"])
def test_an_authentication_is_good_for_its_amount_and_card_and_for_one_attempt(change: str) -> None:
    world = World()
    name = "authenticationRequiredChargeDeclinedInsufficientFunds"
    asked = ask(world, name, confirmation_method="manual")
    world.do(AuthenticatePaymentIntent(id=asked.id, succeeds=True))
    confirm = ConfirmPaymentIntent(id=asked.id)
    match change:
        case "amount":
            world.do(UpdatePaymentIntent(id=asked.id, fields={"amount": 501}))
        case "card":
            world.do(UpdatePaymentIntent(id=asked.id, payment_method=card(name)))
        case "method":
            confirm = ConfirmPaymentIntent(id=asked.id, payment_method=card(name))
        case _:
            error = world.run(confirm).answer.error
            assert error is not None
            assert error.code == "card_declined"
            confirm = ConfirmPaymentIntent(id=asked.id, payment_method=asked.payment_method)
    world.run(confirm)
    assert world.intent(asked.id).status == "requires_action"


def test_a_deleted_customer_pays_no_more() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    method = world.save_card().id
    world.do(AttachPaymentMethod(payment_method=method, customer=customer))
    intent = world.do(CreatePaymentIntent(amount=500, currency="usd", secret="s", customer=customer))
    world.do(DeleteCustomer(id=customer))
    refusal = world.refused(ConfirmPaymentIntent(id=intent.id, payment_method=method))
    assert (refusal.code, refusal.param) == ("resource_missing", "customer")


def ask(world: World, name: str, *, customer: str | None = None, **more: object) -> PaymentIntent:
    """Return a payment that waits for the cardholder; with a customer, one that is to be repeated."""
    fields: dict[str, object] = {} if customer is None else {"setup_future_usage": "off_session"}
    command = CreatePaymentIntent(
        amount=500,
        currency="usd",
        secret="s",
        customer=customer,
        payment_method=card(name),
        confirm=True,
        fields=fields | more,
    )
    intent = of_type(world.do(command), PaymentIntent)
    assert intent.status == "requires_action"
    return intent
