"""Tokens, and the sources of customers."""

import pytest

from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.objects import Address, BillingDetails, Customer
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.payment_methods import (
    AttachPaymentMethod,
    CreatePaymentMethod,
    DetachPaymentMethod,
    TokenCard,
    UpdatePaymentMethod,
)
from fastpay.domain.sources import CreateSource, DeleteSource, UpdateSource, method_id, source_id
from fastpay.domain.tokens import CreateToken, Token
from tests.support.world import World, card, of_type

ADDRESS = Address(city="Bern", line1="Gasse 1")


def token(world: World, name: str = "visa") -> TokenCard:
    """Return a new token, as a request would name it."""
    made = world.do(CreateToken(card=card(name).card, name="Ada", address=ADDRESS))
    return TokenCard(token=made.id, token_param="source")


def customer(world: World) -> str:
    return world.do(CreateCustomer(fields={})).id


def default_source(world: World, identifier: str) -> str | None:
    return of_type(world.objects[identifier].object, Customer).default_source


def test_a_token_becomes_one_payment_method() -> None:
    world = World()
    found = token(world)
    method = world.method(world.do(CreatePaymentMethod(card=found)).id)
    assert method.billing_details == BillingDetails(name="Ada", address=ADDRESS)
    assert of_type(world.objects[found.token].object, Token).used
    refusal = world.refused(CreatePaymentMethod(card=found))
    assert (refusal.code, refusal.param) == ("token_already_used", "source")


def test_a_token_that_led_to_nothing_can_be_used_again() -> None:
    world = World()
    owner, found = customer(world), token(world, "chargeDeclined")
    assert world.refused(CreateSource(customer=owner, card=found)).code == "card_declined"
    assert not of_type(world.objects[found.token].object, Token).used
    declined = CreatePaymentIntent(amount=500, currency="usd", secret="s", payment_method=found, confirm=True)
    assert world.run(declined).answer.error is not None
    assert of_type(world.objects[found.token].object, Token).used, "it was charged"


def test_billing_details_of_the_request_go_before_those_of_the_token() -> None:
    world = World()
    found = token(world)
    own = TokenCard(token=found.token, token_param="x", billing_details=BillingDetails(name="Eve"))
    assert world.method(world.do(CreatePaymentMethod(card=own)).id).billing_details.name == "Eve"


def test_a_token_that_does_not_exist_is_refused() -> None:
    world = World()
    refusal = world.refused(CreatePaymentMethod(card=TokenCard(token="tok_" + "0" * 32, token_param="card")))
    assert (refusal.status, refusal.code, refusal.param) == (400, "resource_missing", "card")


def test_a_token_of_an_expired_card_is_not_made() -> None:
    world = World()
    world.moment_s = 3_000_000_000
    assert world.refused(CreateToken(card=card().card)).code == "invalid_expiry_year"


def test_the_first_source_becomes_the_default() -> None:
    world = World()
    owner = customer(world)
    plan = world.run(CreateSource(customer=owner, card=token(world)))
    method = plan.answer.object_id or ""
    assert [event.type for event in plan.events] == [
        "payment_method.attached",
        "customer.source.created",
        "customer.updated",
    ]
    assert world.method(method).customer == owner
    assert default_source(world, owner) == source_id(method)
    world.do(CreateSource(customer=owner, card=card()))
    assert default_source(world, owner) == source_id(method)
    world.check()


def test_a_source_is_changed_as_its_payment_method() -> None:
    world = World()
    owner = customer(world)
    method = world.do(CreateSource(customer=owner, card=token(world))).id
    plan = world.run(
        UpdateSource(
            customer=owner,
            change=UpdatePaymentMethod(id=method, fields={}, billing_details={"name": "Eve"}, exp_year=2035),
            address={"city": None, "postal_code": "3000"},
        )
    )
    changed = world.method(method)
    assert changed.billing_details == BillingDetails(
        name="Eve", address=Address(line1="Gasse 1", postal_code="3000")
    )
    assert changed.card.exp_year == 2035
    assert [event.type for event in plan.events] == ["payment_method.updated", "customer.source.updated"]


@pytest.mark.parametrize("way", ["source", "payment method"])
def test_a_source_that_is_taken_away_is_no_default(way: str) -> None:
    world = World()
    owner = customer(world)
    method = world.do(CreateSource(customer=owner, card=card())).id
    if way == "source":
        plan = world.run(DeleteSource(customer=owner, method=method))
        assert [event.type for event in plan.events][-1] == "customer.source.deleted"
    else:
        world.do(DetachPaymentMethod(id=method))
    assert default_source(world, owner) is None
    assert world.method(method).customer is None
    refusal = world.refused(DeleteSource(customer=owner, method=method))
    assert (refusal.status, refusal.code) == (404, "resource_missing")


def test_a_source_of_another_customer_is_missing() -> None:
    world = World()
    owner, other = customer(world), customer(world)
    method = world.do(CreateSource(customer=owner, card=card())).id
    change = UpdatePaymentMethod(id=method, fields={})
    assert world.refused(UpdateSource(customer=other, change=change)).status == 404
    assert world.refused(DeleteSource(customer=other, method=method)).status == 404
    world.do(DeleteCustomer(id=owner))
    assert world.refused(DeleteSource(customer=owner, method=method)).status == 404
    assert world.refused(CreateSource(customer=owner, card=card())).status == 404


def test_a_customer_is_made_and_changed_with_a_source() -> None:
    world = World()
    plan = world.run(CreateCustomer(fields={}, source=token(world)))
    owner = plan.answer.object_id or ""
    first = default_source(world, owner)
    assert first is not None
    assert world.method(method_id(first)).customer == owner
    assert [event.type for event in plan.events] == [
        "payment_method.attached",
        "customer.source.created",
        "customer.created",
    ]
    world.do(UpdateCustomer(id=owner, fields={}, source=card()))
    assert default_source(world, owner) not in {None, first}
    world.do(UpdateCustomer(id=owner, fields={"default_source": first}))
    assert default_source(world, owner) == first
    loose = source_id(world.save_card().id)
    refusal = world.refused(UpdateCustomer(id=owner, fields={"default_source": loose}))
    assert (refusal.code, refusal.param) == ("resource_missing", "default_source")


def test_a_payment_without_a_method_takes_the_default_source() -> None:
    world = World()
    owner = customer(world)
    method = world.do(CreateSource(customer=owner, card=card())).id
    bare = CreatePaymentIntent(amount=500, currency="usd", secret="s", customer=owner)
    for intent in (
        world.do(CreatePaymentIntent(amount=500, currency="usd", secret="s", customer=owner, confirm=True)),
        world.do(ConfirmPaymentIntent(id=world.do(bare).id)),
    ):
        paid = world.intent(intent.id)
        assert (paid.status, paid.payment_method) == ("succeeded", method)
    assert world.intent(world.do(bare).id).payment_method is None
    other = customer(world)
    world.do(AttachPaymentMethod(payment_method=card(), customer=other))
    refused = CreatePaymentIntent(amount=500, currency="usd", secret="s", customer=other, confirm=True)
    assert world.refused(refused).param == "payment_method"
