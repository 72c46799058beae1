"""Giving money back, and what the balance says of it all."""

import pytest
import stripe

from benchmarks.samples import FEES
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

# 2.9 % and 30.
FEE_2000 = 58 + 30


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    """A tenant that pays fees."""
    return make_tenant(server.database_url, FEES)


def pay(
    client: stripe.StripeClient, amount: int = 2000, *, card: str = "pm_card_visa"
) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": amount, "currency": "usd", "payment_method": card, "confirm": True}
    )


def funds(client: stripe.StripeClient) -> dict[str, tuple[int, int]]:
    """Return available and pending by currency."""
    balance = client.v1.balance.retrieve()
    pending = {line.currency: line.amount for line in balance.pending}
    return {line.currency: (line.amount, pending[line.currency]) for line in balance.available}


def transaction(client: stripe.StripeClient, identifier: object) -> stripe.BalanceTransaction:
    assert isinstance(identifier, str)
    return client.v1.balance_transactions.retrieve(identifier)


def test_a_payment_is_refunded_in_whole(client: stripe.StripeClient) -> None:
    intent = pay(client)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "reason": "requested_by_customer"})
    assert (refund.object, refund.status, refund.amount, refund.currency) == (
        "refund",
        "succeeded",
        2000,
        "usd",
    )
    assert (refund.payment_intent, refund.charge) == (intent.id, intent.latest_charge)
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.refunded, charge.amount_refunded, charge.status) == (True, 2000, "succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"


def test_a_payment_is_refunded_in_parts_and_never_beyond(client: stripe.StripeClient) -> None:
    charge_id = str(pay(client).latest_charge)
    first = client.v1.refunds.create({"charge": charge_id, "amount": 1200})
    charge = client.v1.charges.retrieve(charge_id)
    assert (charge.refunded, charge.amount_refunded) == (False, 1200)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": charge_id, "amount": 801})
    assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount")
    assert client.v1.charges.retrieve(charge_id).amount_refunded == 1200
    second = client.v1.refunds.create({"charge": charge_id})
    assert second.amount == 800
    assert client.v1.charges.retrieve(charge_id).refunded is True
    listed = client.v1.refunds.list({"charge": charge_id}).data
    assert [refund.id for refund in listed] == [second.id, first.id]


def test_a_refund_carries_metadata(client: stripe.StripeClient) -> None:
    refund = client.v1.refunds.create({"payment_intent": pay(client).id, "metadata": {"ticket": "7"}})
    changed = client.v1.refunds.update(refund.id, {"metadata": {"ticket": "", "agent": "Bo"}})
    assert changed.to_dict()["metadata"] == {"agent": "Bo"}
    assert client.v1.refunds.retrieve(refund.id).to_dict() == changed.to_dict()


def test_a_hold_cannot_be_refunded(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_not_captured"
    captured = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1500})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": captured.id, "amount": 1501})
    assert client.v1.refunds.create({"payment_intent": captured.id}).amount == 1500


def test_what_was_never_paid_cannot_be_refunded(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({})
    assert refused.value.code == "parameter_missing"


def test_the_balance_begins_with_nothing(client: stripe.StripeClient) -> None:
    assert funds(client) == {"usd": (0, 0)}


def test_the_balance_counts_fees_refunds_and_captures(client: stripe.StripeClient) -> None:
    intent = pay(client)
    assert funds(client) == {"usd": (0, 2000 - FEE_2000)}
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    assert funds(client) == {"usd": (0, 2000 - FEE_2000 - 500)}
    held = client.v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "eur",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    assert funds(client).get("eur", (0, 0)) == (0, 0)
    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 3000})
    # 2.9 % of 3000 are 87.
    assert funds(client) == {"usd": (0, 1412), "eur": (0, 3000 - 87 - 30)}


def test_some_funds_are_available_at_once(client: stripe.StripeClient) -> None:
    intent = pay(client, card="pm_card_bypassPending")
    assert funds(client) == {"usd": (2000 - FEE_2000, 0)}
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 12})
    assert funds(client) == {"usd": (1900, 0)}


def test_a_fee_is_never_more_than_the_payment(client: stripe.StripeClient) -> None:
    intent = pay(client, 7)
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    moved = transaction(client, charge.balance_transaction)
    assert (moved.amount, moved.fee, moved.net) == (7, 7, 0)
    assert funds(client) == {"usd": (0, 0)}


def test_each_movement_has_its_balance_transaction(client: stripe.StripeClient) -> None:
    intent = pay(client)
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    paid = transaction(client, charge.balance_transaction)
    assert (paid.type, paid.source, paid.currency, paid.status) == ("charge", charge.id, "usd", "pending")
    assert (paid.amount, paid.fee, paid.net) == (2000, FEE_2000, 2000 - FEE_2000)
    assert [(part.type, part.amount) for part in paid.fee_details] == [("stripe_fee", FEE_2000)]
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    back = transaction(client, refund.balance_transaction)
    assert (back.type, back.source, back.amount, back.fee, back.net) == ("refund", refund.id, -500, 0, -500)
    available, pending = funds(client)["usd"]
    assert available + pending == paid.net + back.net


def test_a_tenant_sees_none_of_anothers_funds(
    client: stripe.StripeClient, other: stripe.StripeClient
) -> None:
    pay(client)
    assert funds(other) == {"usd": (0, 0)}
    assert other.v1.charges.list().data == []
