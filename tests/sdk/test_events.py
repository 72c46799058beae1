"""Events through the SDK: what happened, as it was then, and nothing missing."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

PAYMENT = ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]


@pytest.fixture
def client(server: RunningServer) -> Iterator[stripe.StripeClient]:
    transport = stripe.RequestsClient()
    yield stripe.StripeClient(
        make_tenant(server.database_url).secret, base_addresses={"api": server.url}, http_client=transport
    )
    transport.close()  # type: ignore[no-untyped-call]  # theirs


def pay(client: stripe.StripeClient, **more: Any) -> stripe.PaymentIntent:
    params: Any = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    params |= more
    return client.v1.payment_intents.create(params)


def listed(client: stripe.StripeClient, **params: Any) -> Any:
    wanted: Any = params
    return client.v1.events.list(wanted)


def types(page: Any) -> list[str]:
    return [event.type for event in page.data]


def test_a_payment_has_its_events_newest_first(client: stripe.StripeClient) -> None:
    intent = pay(client)
    page = listed(client)
    assert types(page) == PAYMENT
    succeeded, charged, created = page.data
    assert succeeded.data.object.to_dict() == intent.to_dict()
    assert charged.data.object.id == intent.latest_charge
    assert (created.data.object.id, created.data.object.status) == (intent.id, "requires_payment_method")
    for event in page.data:
        assert client.v1.events.retrieve(event.id).to_dict() == event.to_dict()


def test_types_groups_and_times_choose_events(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError):
        pay(client, payment_method="pm_card_chargeDeclined")
    customer = client.v1.customers.create({"name": "Ada"})
    assert types(listed(client, type="charge.failed")) == ["charge.failed"]
    assert types(listed(client, type="charge.*")) == ["charge.failed"]
    assert types(listed(client, types=["customer.created", "payment_intent.created"])) == [
        "customer.created",
        "payment_intent.created",
    ]
    assert types(listed(client, type="invoice.paid")) == []
    assert len(listed(client, created={"gte": customer.created - 60, "lt": customer.created + 60}).data) == 4
    assert listed(client, created={"lt": customer.created - 60}).data == []
    assert listed(client, created={"gt": customer.created + 60}).data == []
    assert "customer.created" in types(listed(client, created=customer.created))
    assert len(listed(client, delivery_success=True).data) == 4
    assert listed(client, delivery_success=False).data == []


def test_the_pages_of_a_list_follow_each_other_both_ways(client: stripe.StripeClient) -> None:
    for _ in range(3):
        pay(client)
    everything = listed(client, limit=100).data
    assert [event.sequence for event in everything] == list(range(9, 0, -1))
    assert list(listed(client, limit=2).auto_paging_iter()) == everything
    upwards = listed(client, limit=2, ending_before=everything[-1].id).auto_paging_iter()
    assert list(upwards) == everything[-2::-1]
    rare = listed(client, limit=2, type="payment_intent.succeeded")
    assert [event.sequence for event in rare.auto_paging_iter()] == [9, 6, 3]


def test_who_follows_the_sequence_misses_nothing_and_knows_it(client: stripe.StripeClient) -> None:
    pay(client)
    # No type of the dialect tells of these two: each only takes a number.
    client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    client.v1.payment_intents.update(client.v1.payment_intents.create({"amount": 5, "currency": "usd"}).id)
    pay(client)
    after, seen, covered = 0, [], []
    while True:
        page = listed(client, after_sequence=after, limit=2)
        assert page.after_sequence == after
        assert all(after < event.sequence <= page.through_sequence for event in page.data)
        seen += [event.sequence for event in page.data]
        covered += list(range(after + 1, page.through_sequence + 1))
        after = page.through_sequence
        if not page.has_more:
            break
    assert seen == [1, 2, 3, 5, 7, 8, 9]
    assert covered == list(range(1, 10))
    assert [event.sequence for event in listed(client, after_sequence=2, limit=2).auto_paging_iter()] == seen[
        2:
    ]


def test_an_update_tells_what_was_there_before(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada", "metadata": {"a": "1", "b": "2"}})
    client.v1.customers.update(customer.id, {"name": "Eva", "metadata": {"a": "3", "c": "4"}})
    (event,) = listed(client, type="customer.updated").data
    assert event.data.previous_attributes.to_dict() == {"name": "Ada", "metadata": {"a": "1", "c": None}}
    assert (event.data.object.name, event.version) == ("Eva", 2)
    created = listed(client, type="customer.created").data[0]
    assert created.data.object.name == "Ada"
    assert "previous_attributes" not in created.data


def test_a_deletion_shows_what_was_deleted(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    client.v1.customers.delete(customer.id)
    (event,) = listed(client, type="customer.deleted").data
    assert event.data.object.to_dict() == customer.to_dict()


def test_a_decline_shows_the_card_as_it_was(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        pay(client, payment_method="pm_card_chargeDeclined")
    failed = listed(client).data[0]
    assert failed.type == "payment_intent.payment_failed"
    shown = declined.value.json_body["error"]["payment_intent"]  # type: ignore[index]  # it is there
    assert failed.data.object.to_dict() == shown
    assert failed.data.object.last_payment_error.payment_method.object == "payment_method"
