"""When money becomes available."""

import msgspec
import pytest

from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.funds import DAY_S, Balance, ReleaseFunds, account_of, balance_id
from fastpay.domain.identifiers import LOWEST, digits
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.options import CardOptions, PaymentExtras
from fastpay.domain.refunds import CreateRefund
from tests.support.world import World, of_type


def release(world: World, *intents: PaymentIntent, after: str | None = None) -> ReleaseFunds:
    """Return the command that releases these payments, with the watermark as it stands."""
    charges = [world.charge_of(intent) for intent in intents]
    captures = tuple(digits(charge.balance_transaction or "") for charge in charges)
    if after is None:
        found = world.objects.get(balance_id(world.book.scope))
        after = of_type(found.object, Balance).released_through if found else LOWEST
    return ReleaseFunds(
        after=after,
        through=captures[-1],
        captures=captures,
        charges=tuple(charge.id for charge in charges),
        currencies=tuple({charge.currency for charge in charges}),
    )


def balances(world: World, currency: str = "usd") -> tuple[int, int]:
    return world.balance("pending", currency), world.balance("available", currency)


def test_a_capture_is_released_once_its_delay_has_passed() -> None:
    world = World(fee_basis_points=0, fee_fixed=30)
    command = release(world, world.pay(1000))
    world.moment_s += 2 * DAY_S - 1
    draft = world.run(command)
    assert (draft.events, balances(world)) == ([], (970, 0))
    world.moment_s += 1
    draft = world.run(command)
    assert [event.type for event in draft.events] == ["balance.available"]
    balance = of_type(world.objects[balance_id(world.book.scope)].object, Balance)
    assert (balance.available, balance.pending) == ({"usd": 970}, {"usd": 0})
    assert (balance.released_through, balance.credited) == (command.through, 970)
    assert balances(world) == (0, 970)
    world.check()


def test_a_capture_is_released_once_however_often_it_is_asked_for() -> None:
    world = World(fee_basis_points=0, fee_fixed=0)
    command = release(world, world.pay(1000))
    world.moment_s += 2 * DAY_S
    world.run(command)
    assert world.run(command).events == []
    assert balances(world) == (0, 1000)


def test_each_currency_is_released_by_one_transfer() -> None:
    world = World(fee_basis_points=0, fee_fixed=0)
    paid = [world.pay(1000), world.pay(500, currency="eur"), world.pay(1)]
    world.moment_s += 2 * DAY_S
    draft = world.run(release(world, *paid))
    assert [(moved.kind, moved.currency, moved.amount) for moved in draft.transfers] == [
        ("release", "eur", 500),
        ("release", "usd", 1001),
    ]
    world.check()


def test_the_release_ends_at_the_first_capture_that_is_not_due() -> None:
    world = World(fee_basis_points=0, fee_fixed=0)
    early = world.pay(1000)
    world.moment_s += DAY_S
    world.book = msgspec.structs.replace(
        world.book, rules=msgspec.structs.replace(world.book.rules, funds_delay_days=7)
    )
    late = world.pay(500)
    world.moment_s += DAY_S
    command = release(world, early, late)
    world.run(command)
    assert balances(world) == (500, 1000)
    assert (
        of_type(world.objects[balance_id(world.book.scope)].object, Balance).released_through
        == (command.captures[0])
    )
    world.check()


def test_a_refund_before_the_release_takes_from_what_is_released() -> None:
    world = World(fee_basis_points=0, fee_fixed=30)
    paid = world.pay(1000)
    world.do(CreateRefund(payment_intent=paid.id, amount=400))
    assert balances(world) == (570, 0)
    world.moment_s += 2 * DAY_S
    world.run(release(world, paid))
    assert balances(world) == (0, 570)
    world.do(CreateRefund(payment_intent=paid.id, amount=100))
    assert balances(world) == (0, 470)
    world.check()


def test_what_a_refund_left_below_zero_is_taken_from_the_available_balance() -> None:
    world = World(fee_basis_points=0, fee_fixed=30)
    paid = world.pay(1000)
    world.do(CreateRefund(payment_intent=paid.id))
    world.moment_s += 2 * DAY_S
    draft = world.run(release(world, paid))
    # Nothing became available: clients hear of nothing.
    assert [event.type for event in draft.events] == ["ledger.balance.updated"]
    assert balances(world) == (0, -30)
    world.check()


def test_what_was_available_at_once_is_told_once_and_not_released_again() -> None:
    world = World(fee_basis_points=0, fee_fixed=0)
    paid = world.pay(1000, name="bypassPending")
    tell = ReleaseFunds(after=LOWEST, through=LOWEST, currencies=("usd",))
    assert [event.type for event in world.run(tell).events] == ["balance.available"]
    assert world.run(tell).events == []
    world.moment_s += 2 * DAY_S
    world.run(release(world, paid))
    assert balances(world) == (0, 1000)
    world.check()


@pytest.mark.parametrize(("name", "code"), [("visa", "pending"), ("bypassPending", "available")])
def test_the_account_of_a_charge_is_where_its_money_is(name: str, code: str) -> None:
    world = World()
    charge = world.charge_of(world.pay(1000, name=name))
    workspace = world.load(CreateRefund(charge=charge.id))
    assert account_of(workspace, charge) == code


def test_a_charge_that_is_captured_in_parts_is_released_part_by_part() -> None:
    world = World(fee_basis_points=0, fee_fixed=30)
    held = world.pay(
        1000,
        capture_method="manual",
        extras=PaymentExtras(card=CardOptions(request_multicapture="if_available")),
    )
    captures = []
    for amount, is_final in ((400, False), (100, True)):
        world.do(CapturePaymentIntent(id=held.id, amount=amount, is_final=is_final))
        charge = world.charge_of(held)
        captures.append(digits(charge.balance_transaction or ""))
        world.moment_s += DAY_S
    world.do(CreateRefund(payment_intent=held.id, amount=50))
    assert balances(world) == (470, -50)
    watermark = LOWEST
    for through, left in ((captures[0], (100, 320)), (captures[1], (0, 420))):
        command = ReleaseFunds(
            after=watermark,
            through=through,
            captures=(through,),
            charges=(charge.id,),
            currencies=("usd",),
        )
        world.run(command)
        assert balances(world) == left
        watermark = through
        world.moment_s += DAY_S
    world.check()
