"""Charges by themselves through the official SDK."""

import pytest
import stripe


def hold(client: stripe.StripeClient, **more: object) -> stripe.PaymentIntent:
    """Authorize a payment that is to be captured."""
    params = {
        "amount": 3000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "capture_method": "manual",
        **more,
    }
    return client.v1.payment_intents.create(params)  # type: ignore[arg-type]


def test_a_charge_is_changed(client: stripe.StripeClient) -> None:
    charge_id = str(hold(client, metadata={"a": "1"}).latest_charge)
    charge = client.v1.charges.update(
        charge_id,
        {
            "description": "Tea",
            "metadata": {"a": "", "b": "2"},
            "receipt_email": "ada@example.com",
            "transfer_group": "g",
            "fraud_details": {"user_report": "safe"},
            "shipping": {"name": "Ada", "address": {"line1": "1 Row"}},
        },
    )
    assert (charge.description, charge.receipt_email, charge.transfer_group) == (
        "Tea",
        "ada@example.com",
        "g",
    )
    shown = client.v1.charges.retrieve(charge_id).to_dict()
    assert shown == charge.to_dict()
    assert (shown["metadata"], shown["fraud_details"]) == ({"b": "2"}, {"user_report": "safe"})
    assert shown["shipping"]["address"]["line1"] == "1 Row"
    undone = client.v1.charges.update(charge_id, {"fraud_details": {"user_report": ""}, "description": ""})
    assert (undone.to_dict()["fraud_details"], undone.description) == ({}, None)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.charges.update(charge_id, {"amount": 5})  # type: ignore[arg-type]
    assert refused.value.param == "amount"


def test_a_charge_is_captured_in_part_and_once(client: stripe.StripeClient) -> None:
    intent = hold(client)
    charge_id = str(intent.latest_charge)
    charge = client.v1.charges.capture(charge_id, {"amount": 2000}, {"idempotency_key": "capture"})
    again = client.v1.charges.capture(charge_id, {"amount": 2000}, {"idempotency_key": "capture"})
    assert charge.to_dict() == again.to_dict()
    assert (charge.captured, charge.amount_captured) == (True, 2000)
    paid = client.v1.payment_intents.retrieve(intent.id)
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", 2000, 0)
    for change in ({"amount": 1}, {}):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.charges.capture(charge_id, change)  # type: ignore[arg-type]
        assert refused.value.code == "charge_already_captured"
    other = hold(client)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.charges.capture(str(other.latest_charge), {"amount": 3001})
    assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount")


def test_a_refund_that_is_done_cannot_be_canceled(client: stripe.StripeClient) -> None:
    paid = hold(client, capture_method="automatic")
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.cancel(refund.id)
    assert refused.value.http_status == 400


def test_filters_of_a_list_are_combined(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create().id
    paid = hold(client, capture_method="automatic", customer=customer)
    hold(client)
    charge = str(paid.latest_charge)
    refunds = [client.v1.refunds.create({"charge": charge, "amount": 100}).id for _ in range(3)]
    found = client.v1.charges.list(
        {
            "customer": customer,
            "payment_intent": paid.id,
            "created": {"gte": paid.created, "lt": paid.created + 600},
        }
    )
    assert [one.id for one in found.data] == [charge]
    pages = client.v1.refunds.list({"charge": charge, "payment_intent": paid.id, "limit": 2})
    assert [one.id for one in pages.auto_paging_iter()] == refunds[::-1]
    other = client.v1.customers.create().id
    assert client.v1.charges.list({"customer": other, "payment_intent": paid.id}).data == []
