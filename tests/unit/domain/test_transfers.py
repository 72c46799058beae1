"""Transfers to connected accounts, and their reversals."""

from typing import Any

import msgspec
import pytest

from fastpay.domain.connected_accounts import ConnectedAccount, CreateConnectedAccount
from fastpay.domain.funds import DAY_S
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.transfers import (
    AccountTransfer,
    CreateTransfer,
    ReverseTransfer,
    TransferReversal,
    UpdateTransfer,
    UpdateTransferReversal,
)
from tests.support.world import World, of_type
from tests.unit.domain.test_funds import balances, release


@pytest.fixture
def world() -> World:
    """Return books with 1,000 available."""
    made = World(fee_basis_points=0, fee_fixed=0)
    made.pay(1000, name="bypassPending")
    return made


def connect(world: World) -> str:
    return of_type(world.do(CreateConnectedAccount()), ConnectedAccount).id


def send(world: World, account: str, amount: int | None = 700, **more: Any) -> AccountTransfer:
    command = CreateTransfer(amount=amount, currency="usd", destination=account, **more)
    return of_type(world.do(command), AccountTransfer)


def test_a_transfer_moves_what_is_available_to_the_account(world: World) -> None:
    account = connect(world)
    transfer = send(world, account)
    assert (balances(world), world.balance(account)) == ((0, 300), 700)
    assert transfer.balance_transaction is not None
    assert [event.type for event in world.events[-1:]] == ["transfer.created"]
    error = world.refused(CreateTransfer(amount=301, currency="usd", destination=account))
    assert (error.status, error.code, error.param) == (402, "balance_insufficient", "amount")
    missing = "acct_" + "0" * 32
    assert world.refused(CreateTransfer(amount=1, currency="usd", destination=missing)).param == "destination"
    world.check()


def test_a_transfer_is_reversed_in_parts_and_never_by_more(world: World) -> None:
    account = connect(world)
    transfer = send(world, account)
    first = of_type(world.do(ReverseTransfer(id=transfer.id, amount=200)), TransferReversal)
    assert (balances(world), world.balance(account)) == ((0, 500), 500)
    assert world.refused(ReverseTransfer(id=transfer.id, amount=501)).code == "amount_too_large"
    second = of_type(world.do(ReverseTransfer(id=transfer.id)), TransferReversal)
    assert world.balance(account) == 0
    found = of_type(world.objects[transfer.id].object, AccountTransfer)
    assert (found.amount_reversed, found.reversals) == (700, (second, first))
    assert world.refused(ReverseTransfer(id=transfer.id)).code == "transfer_already_reversed"
    changed = of_type(
        world.do(UpdateTransferReversal(transfer=transfer.id, id=first.id, metadata={"a": "1"})),
        TransferReversal,
    )
    found = of_type(world.objects[transfer.id].object, AccountTransfer)
    assert found.reversals == (second, changed)
    other = send(world, account, 1)
    error = world.refused(UpdateTransferReversal(transfer=other.id, id=first.id))
    assert error.code == "resource_missing"
    world.check()


def test_a_transfer_takes_from_the_pending_money_of_its_charge_and_a_release_leaves_that_out() -> None:
    world = World(fee_basis_points=0, fee_fixed=30)
    account = connect(world)
    paid = world.pay(1000)
    charge = world.charge_of(paid).id
    transfer = send(world, account, 600, source_transaction=charge)
    assert (balances(world), world.balance(account)) == ((370, 0), 600)
    command = CreateTransfer(amount=401, currency="usd", destination=account, source_transaction=charge)
    assert world.refused(command).code == "amount_too_large"
    world.do(ReverseTransfer(id=transfer.id, amount=100))
    world.do(CreateRefund(charge=charge, amount=50))
    assert (balances(world), world.balance(account)) == ((420, 0), 500)
    world.moment_s += 2 * DAY_S
    world.run(release(world, paid))
    assert balances(world) == (0, 420)
    world.do(ReverseTransfer(id=transfer.id, amount=100))
    # By then the money is in the available balance, and more is left of the charge than is there.
    assert world.refused(msgspec.structs.replace(command, amount=None)).code == "balance_insufficient"
    assert send(world, account, 500, source_transaction=charge).amount == 500
    assert (balances(world), world.balance(account)) == ((0, 20), 900)
    world.check()


def test_a_source_must_be_a_captured_charge_in_the_currency(world: World) -> None:
    account = connect(world)
    held = world.charge_of(world.hold(1000)).id
    other = world.charge_of(world.pay(1000, currency="eur")).id
    for source, param in ((held, "source_transaction"), (other, "currency"), ("ch_x", "source_transaction")):
        command = CreateTransfer(amount=1, currency="usd", destination=account, source_transaction=source)
        assert world.refused(command).param == param


def test_what_an_account_gave_away_it_cannot_give_back(world: World) -> None:
    account = connect(world)
    first, second = send(world, account, 600), send(world, account, 400)
    world.do(ReverseTransfer(id=first.id))
    assert world.balance(account) == 400
    assert of_type(world.do(ReverseTransfer(id=second.id)), TransferReversal).amount == 400
    world.check()


def test_the_description_and_the_metadata_of_a_transfer_can_change(world: World) -> None:
    transfer = send(world, connect(world))
    command = UpdateTransfer(id=transfer.id, fields={"description": "May"}, metadata={"a": "1"})
    changed = of_type(world.do(command), AccountTransfer)
    assert (changed.description, changed.metadata) == ("May", {"a": "1"})
    assert world.events[-1].type == "transfer.updated"


def test_the_code_of_a_connected_account_is_reserved(world: World) -> None:
    command = CreateLedgerAccount(currency="usd", code=connect(world), normal_side="C")
    assert world.refused(command).code == "ledger_code_reserved"
