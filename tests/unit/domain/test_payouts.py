"""Payouts and their life."""

import pytest

from fastpay.domain.funds import DAY_S
from fastpay.domain.payouts import (
    TEST_BANK_ACCOUNTS,
    AdvancePayout,
    CancelPayout,
    CreatePayout,
    Payout,
    PayOutBalance,
    ReversePayout,
    UpdatePayout,
    period_start,
)
from tests.support.world import START_S, World, of_type

STEP_S = 5
USD = ("usd",)


@pytest.fixture
def world() -> World:
    """Return books with 1,000 available."""
    made = World(fee_basis_points=0, fee_fixed=0)
    made.pay(1000, name="bypassPending")
    return made


def pay_out(world: World, amount: int = 700, **fields: object) -> Payout:
    command = CreatePayout(amount=amount, currency="usd", step_s=STEP_S, fields=fields)
    return of_type(world.do(command), Payout)


def advance(world: World, payout: Payout) -> Payout:
    world.moment_s += STEP_S
    return of_type(world.do(AdvancePayout(id=payout.id)), Payout)


def where(world: World) -> tuple[int, int, int]:
    return world.balance("available"), world.balance("in_transit"), world.balance("bank")


def types(world: World, payout: Payout) -> list[str]:
    return [event.type for event in world.events if event.object_id == payout.id]


def test_a_payout_is_sent_and_paid_in_its_time(world: World) -> None:
    payout = pay_out(world)
    assert (payout.status, payout.due_at, payout.arrival_date) == (
        "pending",
        START_S + STEP_S,
        START_S + 2 * STEP_S,
    )
    assert where(world) == (300, 700, 0)
    assert of_type(world.do(AdvancePayout(id=payout.id)), Payout) == payout
    assert advance(world, payout).status == "in_transit"
    assert where(world) == (300, 700, 0)
    paid = advance(world, payout)
    assert (paid.status, paid.due_at) == ("paid", None)
    assert where(world) == (300, 0, 700)
    assert advance(world, payout) == paid
    assert types(world, payout) == ["payout.created", "payout.updated", "payout.paid"]
    world.check()


@pytest.mark.parametrize(
    ("bank", "code"), [(bank, code) for bank, code in TEST_BANK_ACCOUNTS.items() if code]
)
def test_what_a_bank_account_refuses_comes_back(world: World, bank: str, code: str) -> None:
    payout = pay_out(world, destination=bank)
    advance(world, payout)
    failed = advance(world, payout)
    assert (failed.status, failed.failure_code) == ("failed", code)
    assert failed.failure_message
    assert failed.failure_balance_transaction not in {None, failed.balance_transaction}
    assert where(world) == (1000, 0, 0)
    assert types(world, payout)[-1] == "payout.failed"
    world.check()


def test_more_than_is_available_is_not_paid_out(world: World) -> None:
    world.pay(5000)
    command = CreatePayout(amount=1001, currency="usd", step_s=STEP_S)
    error = world.refused(command)
    assert (error.status, error.code, error.param) == (402, "balance_insufficient", "amount")
    assert world.refused(CreatePayout(amount=1, currency="eur", step_s=STEP_S)).status == 402
    pay_out(world, 1000)
    assert world.refused(CreatePayout(amount=1, currency="usd", step_s=STEP_S)).status == 402


def test_a_payout_that_was_not_sent_can_be_canceled(world: World) -> None:
    payout = pay_out(world)
    canceled = of_type(world.do(CancelPayout(id=payout.id)), Payout)
    assert (canceled.status, canceled.due_at) == ("canceled", None)
    assert where(world) == (1000, 0, 0)
    assert advance(world, payout).status == "canceled"
    assert world.refused(CancelPayout(id=payout.id)).code == "payout_not_cancelable"
    sent = advance(world, pay_out(world))
    assert world.refused(CancelPayout(id=sent.id)).code == "payout_not_cancelable"
    world.check()


def test_a_paid_payout_can_be_reversed_once(world: World) -> None:
    payout = pay_out(world)
    command = ReversePayout(id=payout.id, step_s=STEP_S, metadata={"why": "late"})
    assert world.refused(command).code == "payout_reversal_not_allowed"
    advance(world, payout)
    advance(world, payout)
    reversal = of_type(world.do(command), Payout)
    assert (reversal.amount, reversal.original_payout, reversal.metadata) == (
        -700,
        payout.id,
        {"why": "late"},
    )
    assert of_type(world.objects[payout.id].object, Payout).reversed_by == reversal.id
    assert (reversal.balance_transaction, where(world)) == (None, (300, 700, 0))
    assert world.refused(command).code == "payout_reversal_not_allowed"
    assert world.refused(CancelPayout(id=reversal.id)).code == "payout_not_cancelable"
    advance(world, reversal)
    arrived = advance(world, reversal)
    assert (arrived.status, where(world)) == ("paid", (1000, 0, 0))
    assert arrived.balance_transaction is not None
    assert world.refused(ReversePayout(id=reversal.id, step_s=STEP_S)).code == "payout_reversal_not_allowed"
    world.check()


def test_metadata_can_be_changed_at_any_time(world: World) -> None:
    payout = advance(world, advance(world, pay_out(world)))
    changed = of_type(world.do(UpdatePayout(id=payout.id, metadata={"a": "1"})), Payout)
    assert changed.metadata == {"a": "1"}
    assert of_type(world.do(UpdatePayout(id=payout.id, metadata=None)), Payout).metadata == {}


def test_a_payout_that_does_not_exist_is_missing(world: World) -> None:
    missing = "po_" + "0" * 32
    for command in (
        UpdatePayout(id=missing),
        CancelPayout(id=missing),
        ReversePayout(id=missing, step_s=STEP_S),
    ):
        assert world.refused(command).message == f"No such payout: '{missing}'"


def test_the_balance_is_paid_out_once_a_period() -> None:
    world = World(fee_basis_points=0, fee_fixed=0, payout_interval="daily")
    world.pay(1000, name="bypassPending")
    world.pay(400, currency="eur", name="bypassPending")
    command = PayOutBalance(currencies=("usd", "eur"), step_s=STEP_S)
    draft = world.run(command)
    made = [one.object for one in draft.versions if isinstance(one.object, Payout)]
    assert [(one.amount, one.currency, one.automatic) for one in made] == [
        (400, "eur", True),
        (1000, "usd", True),
    ]
    world.pay(10, name="bypassPending")
    assert world.run(command).events == []
    world.moment_s += DAY_S
    (payout,) = [one.object for one in world.run(command).versions if isinstance(one.object, Payout)]
    assert (payout.amount, payout.sequence_after) == (10, made[1].sequence_through)
    world.moment_s += DAY_S
    # Nothing is there, and the period stays open.
    assert world.run(command).events == []
    assert world.refused(CancelPayout(id=payout.id)).code == "payout_not_cancelable"
    advance(world, payout)
    advance(world, payout)
    assert types(world, payout)[-2:] == ["payout.paid", "payout.reconciliation_completed"]
    world.check()


def test_without_a_schedule_nothing_is_paid_out(world: World) -> None:
    assert world.run(PayOutBalance(currencies=USD, step_s=STEP_S)).events == []


@pytest.mark.parametrize(
    ("interval", "first"),
    # The 14th of November 2023, a Tuesday, is day 19,675.
    [("daily", 19_675), ("weekly", 19_674), ("monthly", 19_662), ("manual", None)],
)
def test_periods_begin_with_a_day_a_monday_or_a_month(interval: str, first: int | None) -> None:
    assert period_start(interval, START_S) == first
