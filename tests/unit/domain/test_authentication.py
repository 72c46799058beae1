"""Cards that ask for their holder, and what comes of the answer."""

import pytest

from fastpay.domain.charging import Terms
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import (
    AuthenticatePaymentIntent,
    ConfirmPaymentIntent,
    CreatePaymentIntent,
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


def test_a_deleted_customer_pays_no_more() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    method = world.save_card().id
    world.do(AttachPaymentMethod(payment_method=method, customer=customer))
    intent = world.do(CreatePaymentIntent(amount=500, currency="usd", secret="s", customer=customer))
    world.do(DeleteCustomer(id=customer))
    refusal = world.refused(ConfirmPaymentIntent(id=intent.id, payment_method=method))
    assert (refusal.code, refusal.param) == ("resource_missing", "customer")


def ask(world: World, name: str, *, customer: str | None = None) -> PaymentIntent:
    """Return a payment that waits for the cardholder; with a customer, one that is to be repeated."""
    fields: dict[str, object] = {} if customer is None else {"setup_future_usage": "off_session"}
    command = CreatePaymentIntent(
        amount=500,
        currency="usd",
        secret="s",
        customer=customer,
        payment_method=card(name),
        confirm=True,
        fields=fields,
    )
    intent = of_type(world.do(command), PaymentIntent)
    assert intent.status == "requires_action"
    return intent
