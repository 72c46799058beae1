"""Returns of customers' cash: what they move, what they refuse, and what becomes of money that comes back."""

import pytest

from fastpay.domain.cash_returns import ReturnCash
from fastpay.domain.customers import CreateCustomer, DeleteCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Refund
from fastpay.domain.refunds import CancelRefund, ExpireRefund, SettleRefund
from tests.support.world import World, of_type
from tests.unit.domain.test_bank_payments import Payer


def send_back(payer: Payer, amount: int = 400, *, asks: bool = False, delay_s: int = 0) -> Refund:
    """Return cash to its customer, who is asked for a bank account if it `asks`."""
    email = "ada@example.com" if asks else None
    command = ReturnCash(
        customer=payer.id, amount=amount, currency="usd", instructions_email=email, delay_s=delay_s
    )
    return of_type(payer.world.do(command), Refund)


@pytest.fixture
def payer() -> Payer:
    made = Payer()
    made.fund(1000)
    return made


def test_returned_cash_leaves_the_customer_for_the_bank_and_not_the_merchant(payer: Payer) -> None:
    world = payer.world
    before = len(world.events)
    refund = send_back(payer)
    assert (refund.charge, refund.payment_intent, refund.balance_transaction) == (None, None, None)
    assert (refund.status, refund.customer, refund.destination) == ("pending", payer.id, "us_bank_transfer")
    assert payer.available() == 600
    assert [event.type for event in world.events[before:]] == [
        "customer_cash_balance_transaction.created",
        "refund.created",
        "cash_balance.updated",
    ]
    codes = {account.id: account.code for account in world.accounts.values()}
    moved = world.transfers[-1]
    assert (moved.kind, codes[moved.debit_account_id], codes[moved.credit_account_id], moved.amount) == (
        "cash_returned",
        payer.id,
        "processor",
        400,
    )
    world.check()


def test_it_succeeds_when_it_is_due_and_not_before(payer: Payer) -> None:
    refund = send_back(payer, delay_s=5)
    settle = SettleRefund(id=refund.id)
    assert of_type(payer.world.do(settle), Refund).status == "pending"
    payer.world.moment_s += 5
    before = len(payer.world.events)
    assert of_type(payer.world.do(settle), Refund).status == "succeeded"
    # The older type is for refunds of charges.
    assert [event.type for event in payer.world.events[before:]] == ["refund.updated"]
    assert payer.available() == 600
    payer.world.check()


@pytest.mark.parametrize(
    ("end", "status", "types"),
    [
        (CancelRefund, "canceled", ["refund.updated"]),
        (ExpireRefund, "failed", ["refund.updated", "refund.failed"]),
    ],
)
def test_what_waits_for_the_customer_comes_back(
    payer: Payer, end: type[CancelRefund] | type[ExpireRefund], status: str, types: list[str]
) -> None:
    refund = send_back(payer, asks=True)
    assert (refund.status, refund.changes_at) == ("requires_action", None)
    ended = of_type(payer.world.do(end(id=refund.id)), Refund)
    assert (ended.status, ended.failure_balance_transaction) == (status, None)
    assert payer.available() == 1000
    assert [event.type for event in payer.world.events][-len(types) :] == types
    assert payer.world.transfers[-1].kind == "cash_return_canceled"
    assert payer.world.refused(end(id=refund.id)).status == 400
    payer.world.check()


def test_what_comes_back_pays_what_waits_for_money(payer: Payer) -> None:
    refund = send_back(payer, 1000, asks=True)
    intent = payer.pay(900)
    assert payer.remaining(intent) == 900
    payer.world.do(CancelRefund(id=refund.id))
    assert payer.world.intent(intent.id).status == "succeeded"
    assert payer.available() == 100
    payer.world.check()


def test_no_more_is_returned_than_is_there(payer: Payer) -> None:
    refusal = payer.world.refused(ReturnCash(customer=payer.id, amount=1001, currency="usd"))
    assert (refusal.status, refusal.code, refusal.param) == (402, "balance_insufficient", "amount")
    refusal = payer.world.refused(ReturnCash(customer=payer.id, amount=1, currency="eur"))
    assert refusal.code == "balance_insufficient"
    refusal = payer.world.refused(ReturnCash(customer=payer.id, amount=1, currency="chf"))
    assert refusal.param == "currency"
    refusal = payer.world.refused(ReturnCash(customer="cus_" + "0" * 32, amount=1, currency="usd"))
    assert refusal.code == "resource_missing"


def test_a_customer_whose_cash_is_on_its_way_is_not_deleted(payer: Payer) -> None:
    send_back(payer, 1000, asks=True)
    assert payer.world.refused(DeleteCustomer(id=payer.id)).status == 400


def test_live_mode_has_no_bank_to_send_it() -> None:
    world = World(scope=Scope("0" * 31 + "1", True))
    customer = world.do(CreateCustomer(fields={})).id
    refusal = world.refused(ReturnCash(customer=customer, amount=1, currency="usd"))
    assert refusal.code == "processor_not_configured"
