"""Charges by themselves: what is noted of them, and capturing one."""

import pytest

from fastpay.domain.captures import CancelPaymentIntent
from fastpay.domain.charges import CaptureCharge, UpdateCharge
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.refunds import CancelRefund, CreateRefund
from tests.support.world import World, card


@pytest.fixture
def world() -> World:
    return World(fee_basis_points=0, fee_fixed=0)


def test_what_is_noted_of_a_charge_changes_and_nothing_else(world: World) -> None:
    charge = world.charge_of(world.pay(1000, metadata={"a": "1", "b": "2"}))
    changed = UpdateCharge(
        id=charge.id, fields={"description": "d", "fraud_report": "safe"}, metadata={"a": "", "c": "3"}
    )
    plan = world.run(changed)
    after = world.charge(charge.id)
    assert [event.type for event in plan.events] == ["charge.updated"]
    assert (after.description, after.fraud_report, after.metadata) == ("d", "safe", {"b": "2", "c": "3"})
    assert (after.amount, after.status, after.captured) == (charge.amount, charge.status, charge.captured)
    assert plan.transfers == []
    world.check()


def test_a_charge_that_is_missing_is_refused(world: World) -> None:
    for command in (UpdateCharge(id="ch_" + "0" * 32), CaptureCharge(id="ch_" + "0" * 32)):
        error = world.refused(command)
        assert (error.status, error.param) == (404, "id")


@pytest.mark.parametrize("amount", [None, 600])
def test_capturing_a_charge_is_capturing_its_payment(world: World, amount: int | None) -> None:
    intent = world.hold(1000)
    charge = world.charge_of(intent)
    plan = world.run(CaptureCharge(id=charge.id, amount=amount, fields={"receipt_email": "a@example.com"}))
    assert plan.answer.object_id == charge.id
    assert [event.type for event in plan.events] == ["charge.captured", "payment_intent.succeeded"]
    taken = amount or 1000
    after = world.charge(charge.id)
    assert (after.captured, after.amount_captured, after.receipt_email) == (True, taken, "a@example.com")
    paid = world.intent(intent.id)
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", taken, 0)
    assert world.balance("processor") == taken
    world.check()


def test_what_cannot_be_captured_is_refused(world: World) -> None:
    paid = world.charge_of(world.pay(1000))
    held = world.hold(1000)
    released = world.hold(1000)
    world.do(CancelPaymentIntent(id=released.id))
    cases: list[tuple[CaptureCharge, str, str | None]] = [
        (CaptureCharge(id=paid.id), "charge_already_captured", None),
        (CaptureCharge(id=world.charge_of(released).id), "charge_already_refunded", None),
        (CaptureCharge(id=world.charge_of(held).id, amount=1001), "amount_too_large", "amount"),
    ]
    for command, code, param in cases:
        error = world.refused(command)
        assert (error.status, error.code, error.param) == (400, code, param)
    world.moment_s += 8 * 24 * 3600
    error = world.refused(CaptureCharge(id=world.charge_of(held).id))
    assert error.code == "charge_expired_for_capture"
    world.check()


def test_a_failed_charge_cannot_be_captured(world: World) -> None:
    pay = CreatePaymentIntent(
        amount=500, currency="usd", secret="s", payment_method=card("chargeDeclined"), confirm=True
    )
    world.run(pay)
    (charge,) = [stored for name, stored in world.objects.items() if name.startswith("ch_")]
    error = world.refused(CaptureCharge(id=charge.object.id))
    assert (error.status, error.code) == (400, None)


def test_a_refund_that_is_done_cannot_be_canceled(world: World) -> None:
    refund = world.do(CreateRefund(payment_intent=world.pay(1000).id))
    error = world.refused(CancelRefund(id=refund.id))
    assert error.status == 400
    assert "succeeded" in error.message
    assert world.refused(CancelRefund(id="re_" + "0" * 32)).status == 404
