"""Refunds: up to what was captured, from the account that holds it, never twice."""

import pytest

from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.objects import Refund
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent
from fastpay.domain.refunds import CreateRefund, UpdateRefund
from tests.support.world import World, card, of_type

NOBODY = "0" * 32


def test_a_refund_moves_the_money_back() -> None:
    world = World()
    intent = world.pay(1000)
    refund = of_type(world.do(CreateRefund(payment_intent=intent.id, amount=300)), Refund)
    assert (refund.amount, refund.status, refund.charge) == (300, "succeeded", intent.latest_charge)
    assert refund.balance_transaction == "txn_" + world.transfers[-1].id[-32:]
    assert world.charge_of(intent).amount_refunded == 300
    assert (world.balance("processor"), world.balance("pending")) == (700, 641)


def test_a_refund_without_an_amount_takes_what_is_left() -> None:
    world = World()
    intent = world.pay(1000)
    world.do(CreateRefund(charge=intent.latest_charge, amount=300))
    assert of_type(world.do(CreateRefund(charge=intent.latest_charge)), Refund).amount == 700


@pytest.mark.parametrize("amounts", [[1000], [1, 999], [500, 500], [334, 333, 333]])
def test_refunds_end_when_all_is_given_back(amounts: list[int]) -> None:
    world = World()
    intent = world.pay(1000)
    for amount in amounts:
        world.do(CreateRefund(payment_intent=intent.id, amount=amount))
    for again in (CreateRefund(payment_intent=intent.id), CreateRefund(payment_intent=intent.id, amount=1)):
        assert world.refused(again).code == "charge_already_refunded"
    assert world.balance("processor") == 0


def test_a_refund_above_what_is_left_is_refused() -> None:
    world = World()
    intent = world.pay(1000)
    world.do(CreateRefund(payment_intent=intent.id, amount=600))
    refusal = world.refused(CreateRefund(payment_intent=intent.id, amount=401))
    assert (refusal.status, refusal.code, refusal.param) == (400, "amount_too_large", "amount")


def test_a_refund_is_bounded_by_what_was_captured_and_not_by_the_authorization() -> None:
    world = World()
    intent = world.hold(1000)
    world.do(CapturePaymentIntent(id=intent.id, amount=400))
    assert world.refused(CreateRefund(payment_intent=intent.id, amount=401)).code == "amount_too_large"
    world.do(CreateRefund(payment_intent=intent.id, amount=400))


def test_a_hold_cannot_be_refunded() -> None:
    world = World()
    assert world.refused(CreateRefund(payment_intent=world.hold().id)).code == "charge_not_captured"


def test_a_failed_charge_cannot_be_refunded() -> None:
    world = World()
    intent = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    world.run(ConfirmPaymentIntent(id=intent.id, payment_method=card("chargeDeclined")))
    by_intent = CreateRefund(payment_intent=intent.id)
    by_charge = CreateRefund(charge=world.charge_of(world.intent(intent.id)).id)
    for command in (by_intent, by_charge):
        assert world.refused(command).code == "charge_not_refundable"


def test_a_payment_without_a_charge_cannot_be_refunded() -> None:
    world = World()
    intent = world.do(CreatePaymentIntent(amount=1000, currency="usd", secret="s"))
    assert world.refused(CreateRefund(payment_intent=intent.id)).param == "payment_intent"


def test_a_charge_and_a_payment_that_do_not_belong_together_are_refused() -> None:
    world = World()
    command = CreateRefund(charge=world.pay().latest_charge, payment_intent=world.pay().id)
    assert world.refused(command).param == "charge"


@pytest.mark.parametrize(
    ("command", "param"),
    [
        (CreateRefund(charge="ch_" + NOBODY), "charge"),
        (CreateRefund(payment_intent="pi_" + NOBODY), "payment_intent"),
        (CreateRefund(charge="ch_nonsense"), "charge"),
        (UpdateRefund(id="re_" + NOBODY), "id"),
    ],
)
def test_what_is_not_there_cannot_be_refunded(command: CreateRefund | UpdateRefund, param: str) -> None:
    refusal = World().refused(command)
    assert (refusal.status, refusal.param) == (404, param)


def test_a_refund_may_overdraw_where_the_tenant_allows_it() -> None:
    world = World(refunds_may_overdraw=True)
    world.do(CreateRefund(payment_intent=world.pay(1000).id))
    assert world.balance("pending") == -59


def test_a_refund_may_not_overdraw_where_the_tenant_forbids_it() -> None:
    world = World(refunds_may_overdraw=False)
    intent = world.pay(1000)
    refusal = world.refused(CreateRefund(payment_intent=intent.id))
    assert (refusal.status, refusal.code) == (402, "balance_insufficient")
    assert world.refused(CreateRefund(payment_intent=intent.id, amount=942)).code == "balance_insufficient"
    world.do(CreateRefund(payment_intent=intent.id, amount=941))
    assert world.balance("pending") == 0


def test_a_refund_comes_from_where_the_money_is() -> None:
    world = World()
    intent = world.pay(1000, name="bypassPending")
    assert (world.balance("available"), world.balance("pending")) == (941, 0)
    world.do(CreateRefund(payment_intent=intent.id, amount=941))
    assert (world.balance("available"), world.balance("pending")) == (0, 0)


def test_a_refund_takes_reason_and_metadata_and_changes_only_the_latter() -> None:
    world = World()
    command = CreateRefund(payment_intent=world.pay().id, reason="duplicate", metadata={"a": "1", "b": ""})
    refund = world.do(command)
    assert world.refund(refund.id).metadata == {"a": "1"}
    world.do(UpdateRefund(id=refund.id, metadata={"b": "2"}))
    assert (world.refund(refund.id).metadata, world.refund(refund.id).reason) == (
        {"a": "1", "b": "2"},
        "duplicate",
    )
    world.do(UpdateRefund(id=refund.id, metadata=None))
    assert world.refund(refund.id).metadata == {}
