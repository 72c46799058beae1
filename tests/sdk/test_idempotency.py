"""The same key again: the same answer, and no second payment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.support.tenants import Tenant

Connect = Callable[[str], stripe.StripeClient]
PARALLEL = 100


def payment(**changes: Any) -> Any:
    """Return what to ask for; other changes than the client's types allow must be possible here."""
    return {"amount": 1999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, **changes}


def response(shown: Any) -> stripe.StripeResponse:
    assert shown.last_response is not None
    found: stripe.StripeResponse = shown.last_response
    return found


def test_the_same_key_gives_the_same_answer(client: stripe.StripeClient) -> None:
    first = response(client.v1.payment_intents.create(payment(), {"idempotency_key": "order 1"}))
    again = response(client.v1.payment_intents.create(payment(), {"idempotency_key": "order 1"}))
    assert again.body == first.body
    assert (first.headers["idempotency-key"], again.headers["idempotency-key"]) == ("order 1", "order 1")
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.request_id
    assert again.request_id != first.request_id
    assert len(client.v1.payment_intents.list().data) == 1


def test_another_request_with_the_key_is_refused(client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create(payment(), {"idempotency_key": "order 2"})
    for changed in (payment(amount=2000), payment(metadata={"a": "1"})):
        with pytest.raises(stripe.IdempotencyError) as refused:
            client.v1.payment_intents.create(changed, {"idempotency_key": "order 2"})
        assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({}, {"idempotency_key": "order 2"})
    assert [intent.id for intent in client.v1.payment_intents.list().data] == [first.id]
    assert client.v1.customers.list().data == []


def test_the_answer_stays_as_it_was_however_the_object_changes(client: stripe.StripeClient) -> None:
    expanded = payment(expand=["latest_charge", "customer"])
    first = client.v1.payment_intents.create(expanded, {"idempotency_key": "order 3"})
    client.v1.refunds.create({"payment_intent": first.id})
    client.v1.payment_intents.update(first.id, {"description": "changed"})
    again = client.v1.payment_intents.create(expanded, {"idempotency_key": "order 3"})
    assert response(again).body == response(first).body


def test_a_decline_is_repeated_and_not_tried_again(client: stripe.StripeClient) -> None:
    declining = payment(payment_method="pm_card_chargeDeclined")
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            client.v1.payment_intents.create(declining, {"idempotency_key": "order 4"})
        bodies.append(declined.value.http_body)
    assert bodies[0] == bodies[1]
    assert len(client.v1.charges.list().data) == 1


def test_a_refused_request_does_not_use_the_key_up(client: stripe.StripeClient) -> None:
    for wrong in (payment(amount=0), payment(currency="zzz"), payment(nothing="1")):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.create(wrong, {"idempotency_key": "order 5"})
    created = client.v1.payment_intents.create(payment(), {"idempotency_key": "order 5"})
    assert created.status == "succeeded"
    assert "idempotent-replayed" not in response(created).headers


def test_a_refund_is_made_once(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(payment())
    refunds = [
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 500}, {"idempotency_key": "refund"})
        for _ in range(3)
    ]
    assert len({refund.id for refund in refunds}) == 1
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 500


def test_keys_of_tenants_and_modes_are_apart(
    client: stripe.StripeClient, other: stripe.StripeClient, tenant: Tenant, connect: Connect
) -> None:
    live = connect(tenant.live_secret)
    made = [who.v1.customers.create({}, {"idempotency_key": "same"}) for who in (client, other, live)]
    assert len({customer.id for customer in made}) == 3
    assert [customer.livemode for customer in made] == [False, False, True]


def test_a_hundred_threads_of_the_client_make_one_payment(
    client: stripe.StripeClient, tenant: Tenant, connect: Connect
) -> None:
    def once(_: int) -> tuple[str, object]:
        # Each thread with its own connections, as a hundred processes would have them.
        intent = connect(tenant.secret).v1.payment_intents.create(payment(), {"idempotency_key": "threads"})
        return response(intent).body, intent.latest_charge

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(once, range(PARALLEL)))
    assert len(set(answers)) == 1
    assert len(client.v1.payment_intents.list().data) == 1
    assert len(client.v1.charges.list().data) == 1
    assert client.v1.balance.retrieve().pending[0].amount == 1999
