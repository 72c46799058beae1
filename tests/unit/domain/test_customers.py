"""Customers: known, changed, forgotten."""

import pytest

from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.objects import Address, Customer
from fastpay.domain.payment_methods import AttachPaymentMethod
from tests.support.world import World, card, of_type

NOBODY = "cus_" + "0" * 32


def test_a_customer_is_created_with_a_card() -> None:
    world = World()
    plan = world.run(CreateCustomer(fields={"email": "a@example.com"}, payment_method=card()))
    assert [event.type for event in plan.events] == ["payment_method.attached", "customer.created"]
    method = world.method(plan.events[0].object_id)
    assert method.customer == plan.answer.object_id


def test_an_update_changes_what_it_names_and_leaves_the_rest() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={"email": "a@example.com", "name": "Ada"}, metadata={"a": "1"}))
    world.do(UpdateCustomer(id=customer.id, fields={"name": None, "address": Address(city="Bern")}))
    changed = world.customer(customer.id)
    assert (changed.email, changed.name, changed.address) == ("a@example.com", None, Address(city="Bern"))
    assert changed.metadata == {"a": "1"}


def test_metadata_none_clears_all_of_it() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={}, metadata={"a": "1", "b": "2"}))
    world.do(UpdateCustomer(id=customer.id, fields={}, metadata=None))
    assert world.customer(customer.id).metadata == {}


def test_a_default_must_be_attached_to_the_customer() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    other = world.do(CreateCustomer(fields={})).id
    loose = world.save_card().id
    theirs = world.do(AttachPaymentMethod(payment_method=card(), customer=other)).id
    own = world.do(AttachPaymentMethod(payment_method=card(), customer=customer)).id
    for method in (loose, theirs, "pm_" + "0" * 32):
        settings = {"default_payment_method": method}
        refusal = world.refused(UpdateCustomer(id=customer, fields={}, invoice_settings=settings))
        assert refusal.param == "invoice_settings[default_payment_method]"
    settings = {"default_payment_method": own}
    world.do(UpdateCustomer(id=customer, fields={}, invoice_settings=settings))
    assert world.customer(customer).invoice_settings.default_payment_method == own


def test_a_deleted_customer_keeps_nothing_of_the_person() -> None:
    world = World()
    fields = {"email": "a@example.com", "name": "Ada", "phone": "1"}
    customer = of_type(world.do(CreateCustomer(fields=fields, metadata={"a": "1"})), Customer)
    world.do(DeleteCustomer(id=customer.id))
    assert world.customer(customer.id) == Customer(id=customer.id, created=customer.created, deleted=True)


@pytest.mark.parametrize("deletes", [False, True])
def test_a_customer_that_is_not_there_is_not_found(deletes: bool) -> None:
    world = World()
    identifier = NOBODY
    if deletes:
        identifier = world.do(CreateCustomer(fields={})).id
        world.do(DeleteCustomer(id=identifier))
    for command in (UpdateCustomer(id=identifier, fields={}), DeleteCustomer(id=identifier)):
        assert world.refused(command).status == 404


def test_a_default_that_is_not_named_stays_as_it_is() -> None:
    world = World()
    customer = world.do(CreateCustomer(fields={})).id
    own = world.save_card().id
    world.do(AttachPaymentMethod(payment_method=own, customer=customer))
    world.do(UpdateCustomer(id=customer, fields={}, invoice_settings={"default_payment_method": own}))
    world.do(UpdateCustomer(id=customer, fields={}, invoice_settings={"footer": "thanks"}))
    settings = world.customer(customer).invoice_settings
    assert (settings.default_payment_method, settings.footer) == (own, "thanks")
