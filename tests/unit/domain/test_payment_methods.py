"""Payment methods: created, attached to one customer, changed, detached."""

import pytest

from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.objects import BillingDetails, InvoiceSettings
from fastpay.domain.payment_methods import (
    AttachPaymentMethod,
    CreatePaymentMethod,
    DetachPaymentMethod,
    UpdatePaymentMethod,
)
from tests.support.world import World, card

NOBODY = "0" * 32


def make_customer(world: World) -> str:
    """Return the identifier of a new customer."""
    return world.do(CreateCustomer(fields={})).id


def attached(world: World, customer: str) -> str:
    """Return the identifier of a card attached to this customer."""
    return world.do(AttachPaymentMethod(payment_method=card(), customer=customer)).id


def test_a_new_payment_method_belongs_to_nobody() -> None:
    world = World()
    plan = world.run(CreatePaymentMethod(card=card()))
    assert world.method(plan.answer.object_id).customer is None
    assert [event.type for event in plan.events] == ["payment_method.created"]


def test_a_card_is_attached_again_to_the_same_customer_alone() -> None:
    world = World()
    customer, other = make_customer(world), make_customer(world)
    method = attached(world, customer)
    world.do(AttachPaymentMethod(payment_method=method, customer=customer))
    refusal = world.refused(AttachPaymentMethod(payment_method=method, customer=other))
    assert refusal.code == "payment_method_unexpected_state"
    assert world.method(method).customer == customer


@pytest.mark.parametrize(
    "name", ["chargeDeclined", "chargeDeclinedIncorrectCvc", "chargeDeclinedExpiredCard"]
)
def test_a_card_that_is_always_declined_cannot_be_attached(name: str) -> None:
    world = World()
    customer = make_customer(world)
    refusal = world.refused(AttachPaymentMethod(payment_method=card(name), customer=customer))
    assert (refusal.status, refusal.type) == (402, "card_error")
    refusal = world.refused(CreateCustomer(fields={}, payment_method=card(name)))
    assert refusal.status == 402


def test_a_card_that_only_fails_when_charged_can_be_attached() -> None:
    world = World()
    customer = make_customer(world)
    world.do(AttachPaymentMethod(payment_method=card("chargeCustomerFail"), customer=customer))


@pytest.mark.parametrize("deleted", [False, True])
def test_a_card_cannot_be_attached_to_a_customer_that_is_not_there(deleted: bool) -> None:
    world = World()
    customer = "cus_" + NOBODY
    if deleted:
        customer = make_customer(world)
        world.do(DeleteCustomer(id=customer))
    refusal = world.refused(AttachPaymentMethod(payment_method=card(), customer=customer))
    assert (refusal.status, refusal.param) == (404, "customer")


def test_a_detached_card_belongs_to_nobody_and_cannot_be_detached_again() -> None:
    world = World()
    method = attached(world, make_customer(world))
    world.do(DetachPaymentMethod(id=method))
    assert world.method(method).customer is None
    assert world.refused(DetachPaymentMethod(id=method)).code == "payment_method_unexpected_state"


def test_a_detached_card_is_no_longer_the_default() -> None:
    world = World()
    customer = make_customer(world)
    method = attached(world, customer)
    settings = {"default_payment_method": method, "footer": "thanks"}
    world.do(UpdateCustomer(id=customer, fields={}, invoice_settings=settings))
    plan = world.run(DetachPaymentMethod(id=method))
    assert world.customer(customer).invoice_settings == InvoiceSettings(footer="thanks")
    assert [event.type for event in plan.events] == ["customer.updated", "payment_method.detached"]


def test_only_an_attached_card_can_be_changed() -> None:
    world = World()
    loose = world.save_card().id
    assert world.refused(UpdatePaymentMethod(id=loose, fields={})).code == "payment_method_unexpected_state"
    method = attached(world, make_customer(world))
    world.do(UpdatePaymentMethod(id=method, fields={}, billing_details={"email": "a@example.com"}))
    command = UpdatePaymentMethod(
        id=method,
        fields={},
        billing_details={"name": "Ada"},
        exp_month=3,
        exp_year=2040,
        metadata={"a": "1"},
    )
    world.do(command)
    changed = world.method(method)
    billing = BillingDetails(name="Ada", email="a@example.com")
    assert (changed.card.exp_month, changed.card.exp_year) == (3, 2040)
    assert (changed.billing_details, changed.metadata) == (billing, {"a": "1"})


@pytest.mark.parametrize(
    "command",
    [
        UpdatePaymentMethod(id="pm_" + NOBODY, fields={}),
        DetachPaymentMethod(id="pm_" + NOBODY),
        AttachPaymentMethod(payment_method="pm_" + NOBODY, customer="cus_" + NOBODY),
        AttachPaymentMethod(payment_method="pm_card_unknown", customer="cus_" + NOBODY),
    ],
)
def test_a_payment_method_that_is_not_there_is_not_found(
    command: UpdatePaymentMethod | DetachPaymentMethod | AttachPaymentMethod,
) -> None:
    refusal = World().refused(command)
    assert (refusal.status, refusal.param) == (404, "payment_method")
