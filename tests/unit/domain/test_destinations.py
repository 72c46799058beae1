"""Payments with a destination, application fees and what takes them back."""

from typing import Any

import msgspec
import pytest

from fastpay.domain.application_fees import (
    ApplicationFee,
    FeeRefund,
    RefundApplicationFee,
    UpdateFeeRefund,
)
from fastpay.domain.captures import CapturePaymentIntent, IncrementAuthorization
from fastpay.domain.charges import CaptureCharge
from fastpay.domain.debits import SettleDebit
from fastpay.domain.destinations import Split
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.funds import DAY_S
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.options import ChargeExtras
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.refunds import CreateRefund, SettleRefund
from fastpay.domain.transfers import AccountTransfer, CreateTransfer, ReverseTransfer, TransferReversal
from tests.support.world import ACCEPTED, HOLD, PAY, World, account, card, of_type
from tests.unit.domain.test_funds import balances, release
from tests.unit.domain.test_transfers import connect

FLEXIBLE = {
    "card": dict.fromkeys(("request_multicapture", "request_incremental_authorization"), "if_available")
}


@pytest.fixture
def world() -> World:
    """Return books in which a payment costs 30."""
    return World(fee_basis_points=0, fee_fixed=30)


def pay(world: World, to: str, command: CreatePaymentIntent = PAY, **extras: Any) -> Charge:
    made = msgspec.structs.replace(command, extras={"destination": to, **command.extras, **extras})
    return world.charge_of(of_type(world.do(made), PaymentIntent))


def extras_of(world: World, charge: Charge) -> ChargeExtras:
    extras = world.charge(charge.id).extras
    assert extras is not None
    return extras


def transfer_of(world: World, charge: Charge) -> AccountTransfer:
    return of_type(world.objects[extras_of(world, charge).transfer or ""].object, AccountTransfer)


def fee_of(world: World, charge: Charge) -> ApplicationFee:
    return of_type(world.objects[extras_of(world, charge).application_fee or ""].object, ApplicationFee)


def test_a_payment_goes_on_to_its_destination_and_the_fee_comes_back(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    assert (balances(world), world.balance(seller), world.balance("fees")) == ((70, 0), 900, 30)
    transfer, fee = transfer_of(world, charge), fee_of(world, charge)
    assert (transfer.amount, transfer.source_transaction, transfer.destination) == (1000, charge.id, seller)
    assert (fee.amount, fee.charge, fee.account) == (100, charge.id, seller)
    intent = world.intent(charge.payment_intent)
    assert intent.transfer_group == charge.transfer_group == transfer.transfer_group == f"group_{intent.id}"
    assert [event.type for event in world.events[-5:]] == [
        "payment_intent.created",
        "transfer.created",
        "application_fee.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    world.check()
    world.moment_s += 2 * DAY_S
    world.run(release(world, intent))
    assert balances(world) == (0, 70)
    world.check()


def test_a_part_of_a_payment_goes_on(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, transfer_amount=600)
    assert (balances(world), world.balance(seller)) == ((370, 0), 600)
    assert extras_of(world, charge).application_fee is None
    nothing = pay(world, seller, transfer_amount=0)
    assert (world.balance(seller), extras_of(world, nothing).transfer) == (600, None)
    world.check()


def test_what_is_available_at_once_goes_on_from_there(world: World) -> None:
    seller = connect(world)
    pay(world, seller, msgspec.structs.replace(PAY, payment_method=card("bypassPending")))
    assert (balances(world), world.balance(seller)) == ((0, -30), 1000)
    world.check()


@pytest.mark.parametrize(
    ("extras", "param", "code"),
    [
        ({"application_fee_amount": 1}, "application_fee_amount", None),
        ({"transfer_amount": 1}, "transfer_data[amount]", None),
        (
            {"destination": "own", "application_fee_amount": 1001},
            "application_fee_amount",
            "amount_too_large",
        ),
        ({"destination": "own", "transfer_amount": 1001}, "transfer_data[amount]", "amount_too_large"),
        (
            {"destination": "own", "application_fee_amount": 1, "transfer_amount": 1},
            "transfer_data[amount]",
            None,
        ),
        ({"destination": "acct_" + "0" * 32}, "transfer_data[destination]", "resource_missing"),
        ({"on_behalf_of": "acct_" + "0" * 32}, "on_behalf_of", "resource_missing"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(
    world: World, extras: dict[str, Any], param: str, code: str | None
) -> None:
    seller = connect(world)
    named = {name: seller if value == "own" else value for name, value in extras.items()}
    error = world.refused(msgspec.structs.replace(PAY, extras=named))
    assert (error.status, error.param, error.code) == (
        400 if code != "resource_missing" else 404,
        param,
        code,
    )


def test_a_capture_says_how_it_is_split_and_the_fee_is_at_most_what_is_captured(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, HOLD, application_fee_amount=500)
    assert world.balance(seller) == 0
    world.do(CapturePaymentIntent(id=charge.payment_intent, amount=400))
    assert (world.balance(seller), fee_of(world, charge).amount) == (0, 400)
    other = pay(world, seller, HOLD, application_fee_amount=500)
    split = Split(application_fee_amount=50)
    world.do(CaptureCharge(id=other.id, amount=400, split=split))
    assert (world.balance(seller), extras_of(world, other).application_fee_amount) == (350, 50)
    plain = world.charge_of(world.hold())
    error = world.refused(CaptureCharge(id=plain.id, split=split))
    assert error.param == "application_fee_amount"
    world.check()


def test_several_captures_share_what_was_agreed(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, HOLD, application_fee_amount=500, **FLEXIBLE)
    intent = charge.payment_intent
    world.do(IncrementAuthorization(id=intent, amount=2000, extras={"application_fee_amount": 600}))
    world.do(CapturePaymentIntent(id=intent, amount=200, is_final=False))
    assert (world.balance(seller), balances(world)) == (0, (170, 0))
    world.do(
        CapturePaymentIntent(id=intent, amount=300, is_final=False, split=Split(application_fee_amount=10))
    )
    assert extras_of(world, charge).application_fee_amount == 210
    world.do(CapturePaymentIntent(id=intent, amount=1000))
    assert [one.application_fee_amount for one in extras_of(world, charge).captures] == [200, 10, 0]
    assert (world.balance(seller), balances(world)) == (1290, (180, 0))
    world.check()
    world.moment_s += 2 * DAY_S
    made = [digits(one.balance_transaction) for one in extras_of(world, charge).captures]
    parts = msgspec.structs.replace(
        release(world, world.intent(intent)), captures=tuple(made), charges=(charge.id,) * len(made)
    )
    world.run(parts)
    assert balances(world) == (0, 180)
    world.check()
    # Only a refund of all of it knows which transfers to reverse.
    partial = CreateRefund(charge=charge.id, amount=5, reverse_transfer=True)
    assert world.refused(partial).param == "reverse_transfer"
    whole = CreateRefund(charge=charge.id, reverse_transfer=True, refund_application_fee=True)
    world.do(whole)
    assert (world.balance(seller), extras_of(world, charge).transferred) == (0, 0)
    world.check()


def test_refunds_take_back_their_shares_and_together_the_whole(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    command = CreateRefund(charge=charge.id, amount=333, reverse_transfer=True, refund_application_fee=True)
    first = world.refund(world.do(command).id)
    reversal = of_type(world.objects[first.transfer_reversal or ""].object, TransferReversal)
    assert (reversal.amount, reversal.source_refund) == (333, first.id)
    assert fee_of(world, charge).amount_refunded == 33
    world.do(command)
    world.do(msgspec.structs.replace(command, amount=None))
    assert (world.balance(seller), balances(world)) == (0, (-30, 0))
    assert (transfer_of(world, charge).amount_reversed, fee_of(world, charge).amount_refunded) == (1000, 100)
    assert [one.amount for one in fee_of(world, charge).refunds] == [34, 33, 33]
    world.check()


def test_a_refund_takes_nothing_back_by_itself_and_no_more_than_is_there(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    world.do(CreateRefund(charge=charge.id, amount=500))
    assert (world.balance(seller), balances(world)) == (900, (-430, 0))
    whole = CreateRefund(charge=charge.id, reverse_transfer=True)
    world.do(ReverseTransfer(id=transfer_of(world, charge).id, amount=450))
    # The seller has 450. The share of this refund is 500, of which the fee's share is 50.
    error = world.refused(whole)
    assert (error.status, error.code) == (402, "balance_insufficient")
    world.do(msgspec.structs.replace(whole, refund_application_fee=True))
    assert world.balance(seller) == 0
    world.check()
    plain = world.charge_of(world.pay())
    assert world.refused(CreateRefund(charge=plain.id, reverse_transfer=True)).param == "reverse_transfer"


def test_what_was_taken_back_cannot_be_taken_back_again(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    world.do(ReverseTransfer(id=transfer_of(world, charge).id, refund_application_fee=True))
    assert (world.balance(seller), balances(world), fee_of(world, charge).amount_refunded) == (
        0,
        (970, 0),
        100,
    )
    command = CreateRefund(charge=charge.id, reverse_transfer=True)
    assert world.refused(command).code == "transfer_already_reversed"
    command = msgspec.structs.replace(command, refund_application_fee=True)
    assert world.refused(command).code == "application_fee_already_refunded"
    assert world.refused(RefundApplicationFee(id=fee_of(world, charge).id)).code == (
        "application_fee_already_refunded"
    )
    manual = of_type(
        world.do(CreateTransfer(amount=5, currency="usd", destination=seller, source_transaction=charge.id)),
        AccountTransfer,
    )
    error = world.refused(ReverseTransfer(id=manual.id, refund_application_fee=True))
    assert error.param == "refund_application_fee"
    world.check()


def test_a_fee_is_refunded_in_parts_and_its_refund_described() -> None:
    world = World(fee_basis_points=0, fee_fixed=0, refunds_may_overdraw=False)
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    fee = fee_of(world, charge)
    first = of_type(world.do(RefundApplicationFee(id=fee.id, amount=30)), FeeRefund)
    assert (world.balance(seller), balances(world)) == (930, (70, 0))
    assert world.refused(RefundApplicationFee(id=fee.id, amount=71)).code == "amount_too_large"
    changed = of_type(world.do(UpdateFeeRefund(fee=fee.id, id=first.id, metadata={"a": "1"})), FeeRefund)
    assert fee_of(world, charge).refunds == (changed,)
    assert [event.type for event in world.events[-3:]] == [
        "application_fee.refunded",
        "charge.transferred",
        "application_fee.refund.updated",
    ]
    other = fee_of(world, pay(world, seller, application_fee_amount=1))
    assert world.refused(UpdateFeeRefund(fee=other.id, id=first.id)).code == "resource_missing"
    world.do(CreateTransfer(currency="usd", destination=seller, source_transaction=charge.id))
    world.do(RefundApplicationFee(id=other.id))
    error = world.refused(RefundApplicationFee(id=fee.id))
    assert (error.status, error.code) == (402, "balance_insufficient")
    world.check()


def test_a_dispute_debits_the_platform_alone_and_a_failed_refund_sends_nothing_on_again(world: World) -> None:
    seller = connect(world)
    charge = pay(world, seller, application_fee_amount=100)
    world.do(CreateDispute(charge=charge.id))
    assert (world.balance(seller), balances(world)) == (900, (70, -1000))
    failing = pay(world, seller, msgspec.structs.replace(PAY, payment_method=card("refundFail")))
    refund = world.do(CreateRefund(charge=failing.id, reverse_transfer=True))
    world.moment_s += 1
    world.do(SettleRefund(id=refund.id))
    assert (world.refund(refund.id).status, world.balance(seller)) == ("failed", 900)
    world.check()


def test_disputed_cards_and_debits_go_on_too(world: World) -> None:
    seller = connect(world)
    pay(world, seller, msgspec.structs.replace(PAY, payment_method=card("createDispute")))
    assert (world.balance(seller), world.balance("disputes")) == (1000, 1000)
    debit = msgspec.structs.replace(PAY, currency="eur", payment_method=account(), terms=ACCEPTED)
    charge = pay(world, seller, debit, application_fee_amount=7)
    assert world.balance(seller, "eur") == 0
    world.do(SettleDebit(id=charge.payment_intent, delay_s=0))
    assert world.balance(seller, "eur") == 993
    world.check()


def test_a_split_can_change_until_the_payment_is_confirmed(world: World) -> None:
    seller = connect(world)
    command = msgspec.structs.replace(
        PAY, confirm=False, extras={"destination": seller, "application_fee_amount": 100}
    )
    intent = of_type(world.do(command), PaymentIntent)
    assert world.refused(UpdatePaymentIntent(id=intent.id, fields={"amount": 99})).code == "amount_too_large"
    world.do(
        UpdatePaymentIntent(
            id=intent.id,
            fields={"currency": "eur"},
            extras={"application_fee_amount": None, "transfer_amount": 300},
        )
    )
    world.do(ConfirmPaymentIntent(id=intent.id))
    assert world.balance(seller, "eur") == 300
    error = world.refused(UpdatePaymentIntent(id=intent.id, extras={"application_fee_amount": 1}))
    assert error.code == "payment_intent_unexpected_state"
    world.check()
