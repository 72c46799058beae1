"""Random orders of all commands that move money, by clients and by the clock: the books stay right."""

import importlib
import inspect
import pkgutil
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from fastpay import domain
from fastpay.domain import bank_payments
from fastpay.domain.captures import CapturePaymentIntent, ExpirePaymentIntent, IncrementAuthorization
from fastpay.domain.cash_balances import ApplyCashBalance, FundCashBalance, UpdateCashBalance
from fastpay.domain.charges import CaptureCharge
from fastpay.domain.debits import SettleDebit
from fastpay.domain.dispute_responses import ExpireDispute
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.funds import DAY_S, Balance, ReleaseFunds, balance_id
from fastpay.domain.identifiers import LOWEST, digits
from fastpay.domain.imports import OPENED, Entry, ImportEntries, opening_of
from fastpay.domain.objects import Charge, PaymentIntent, Refund
from fastpay.domain.payment_intents import AuthenticatePaymentIntent, CreatePaymentIntent
from fastpay.domain.payouts import (
    AdvancePayout,
    CancelPayout,
    CreatePayout,
    Payout,
    PayOutBalance,
    ReversePayout,
)
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CancelRefund, CreateRefund, ExpireRefund, SettleRefund
from tests.support.live_orders import run_all, run_live_order
from tests.support.random_commands import CURRENCIES, Known, make_command
from tests.support.seeds import SEED, size
from tests.support.world import World, card

ORDERS = size(12, soak=400)
COMMANDS = 600
# The rarest command needs about two of them.
MORE_ORDERS = 100
# Accounts of clients have a model of their own (tests/http/test_ledger_races.py), and these move nothing.
OTHERS = frozenset(
    (
        *("ledger_accounts", "ledger_batches", "ledger_transfers"),
        *("confirmation_tokens", "customers", "payment_methods", "setup_intents", "sources", "tokens"),
        "webhook_endpoints",
    )
)
MOVE_NOTHING = frozenset(
    (
        *("CreateConnectedAccount", "CreateFundingInstructions", "UpdateCharge", "UpdateDispute"),
        *("UpdateFeeRefund", "UpdatePayout", "UpdateRefund", "UpdateTransfer", "UpdateTransferReversal"),
    )
)


def money_commands() -> Iterator[str]:
    """Yield the names of all commands that may move money."""
    for module in pkgutil.iter_modules(domain.__path__):
        loaded = importlib.import_module(f"fastpay.domain.{module.name}")
        for name, found in vars(loaded).items():
            if not (inspect.isclass(found) and issubclass(found, msgspec.Struct)):
                continue
            is_own = found.__module__ == loaded.__name__ and {"execute", "needs"} <= set(dir(found))
            if is_own and module.name not in OTHERS and name not in MOVE_NOTHING:
                yield name


class InWorld(Known):
    """What exists in a world."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._chance = chance
        self._identifiers = sorted(world.objects)


def release(world: World) -> ReleaseFunds:
    """Return what the funds task sends next."""
    found = world.objects.get(balance_id(world.book.scope))
    balance = None if found is None else found.object
    after = balance.released_through if isinstance(balance, Balance) else LOWEST
    captures = sorted(
        (digits(transfer.id), transfer.source_id)
        for transfer in world.transfers
        if transfer.kind == "capture" and transfer.phase in {"posted", "post"} and digits(transfer.id) > after
    )[:20]
    return ReleaseFunds(
        after=after,
        through=captures[-1][0] if captures else after,
        captures=tuple(capture for capture, _ in captures),
        charges=tuple(charge for _, charge in captures),
        currencies=CURRENCIES,
    )


def next_command(world: World, chance: random.Random) -> Command:
    """Return a command of any kind: most often one that clients send."""
    known = InWorld(world, chance)
    asked = card("authenticationRequired")
    by_the_clock: Sequence[Callable[[], Command]] = (
        lambda: release(world),
        lambda: PayOutBalance(currencies=CURRENCIES, step_s=0),
        lambda: ExpirePaymentIntent(id=known.one("pi")),
        lambda: ExpireDispute(id=known.one("du")),
        lambda: CaptureCharge(id=known.one("ch")),
        lambda: CreatePaymentIntent(
            amount=chance.randint(1, 2000), currency="usd", secret="s", payment_method=asked, confirm=True
        ),
        lambda: AuthenticatePaymentIntent(id=known.one("pi"), succeeds=chance.random() < 0.7),
        lambda: opening(chance),
    )
    draw = chance.random()
    if draw < 0.1:
        return by_hand(world, chance) or make_command(known, chance)
    if draw < 0.6:
        return fitting(world, chance) or make_command(known, chance)
    return chance.choice(by_the_clock)() if draw < 0.8 else make_command(known, chance)


def opening(chance: random.Random) -> Command:
    """Return an import of an opening balance."""
    account, amount = chance.choice(OPENED), chance.choice((-40, 50))
    moved = opening_of(account, chance.choice(CURRENCIES), amount)
    theirs = f"{account} {chance.random()}"
    return ImportEntries(
        entries=(Entry(theirs=theirs, type="opening_balance", digest="said", opening=moved),)
    )


def fitting(world: World, chance: random.Random) -> Command | None:
    """Return a command on some object that its state allows, perhaps."""
    kind = chance.choice((PaymentIntent, Charge, Payout, Refund))
    found = [one.object for one in world.objects.values() if isinstance(one.object, kind)]
    if not found:
        return None
    one = chance.choice(found)
    some = chance.choice((None, chance.randint(1, 50)))
    makers: Sequence[Callable[[], Command]]
    match one:
        case PaymentIntent():
            makers = (
                lambda: CapturePaymentIntent(id=one.id, amount=some),
                lambda: IncrementAuthorization(id=one.id, amount=one.amount + 5),
                lambda: ExpirePaymentIntent(id=one.id),
                lambda: SettleDebit(id=one.id, delay_s=0),
            )
        case Charge():
            makers = (
                lambda: CreateRefund(charge=one.id, amount=some),
                lambda: CreateDispute(charge=one.id, amount=some),
                lambda: CreatePayout(amount=some or 5, currency=one.currency, step_s=0),
            )
        case Payout():
            makers = (
                lambda: AdvancePayout(id=one.id),
                lambda: CancelPayout(id=one.id),
                lambda: ReversePayout(id=one.id, step_s=0),
            )
        case _:
            makers = (
                lambda: SettleRefund(id=one.id),
                lambda: CancelRefund(id=one.id),
                lambda: ExpireRefund(id=one.id),
            )
    return chance.choice(makers)()


def by_hand(world: World, chance: random.Random) -> Command | None:
    """Return a command on what waits for a customer's cash, which the merchant applies."""
    waiting = [
        found.object
        for found in world.objects.values()
        if isinstance(found.object, PaymentIntent) and bank_payments.awaited_by(found.object) is not None
    ]
    if not waiting:
        return None
    intent = chance.choice(waiting)
    customer = intent.customer or ""
    makers: Sequence[Callable[[], Command]] = (
        lambda: UpdateCashBalance(customer=customer, reconciliation_mode="manual"),
        lambda: FundCashBalance(customer=customer, amount=chance.randint(1, 50), currency=intent.currency),
        lambda: ApplyCashBalance(id=intent.id, amount=chance.choice((None, 1))),
    )
    return chance.choice(makers)()


def run_order(seed: str) -> Counter[str]:
    """Run commands, hold the books again and again, and return how often each command changed something."""
    chance = random.Random(seed)
    world = World(
        fee_basis_points=chance.choice((0, 290, 10_000)),
        fee_fixed=chance.choice((0, 30)),
        refunds_may_overdraw=chance.random() < 0.5,
        dispute_fee=chance.choice((0, 15)),
        funds_delay_days=chance.choice((0, 2)),
        payout_interval=chance.choice(("manual", "daily", "weekly")),
    )

    def commands() -> Iterator[Command]:
        for _ in range(COMMANDS):
            late = 40 * DAY_S if chance.random() < 0.02 else 1
            world.moment_s += chance.choice((0, 1, 60, DAY_S // 4, late))
            yield next_command(world, chance)

    done = run_all(world, commands())
    totals: Counter[str] = Counter()
    for account in world.accounts.values():
        totals[account.currency] += account.debits_posted - account.credits_posted
    assert set(totals.values()) <= {0}
    return done


def test_the_books_stay_right_in_any_order_and_no_command_that_moves_money_is_left_out() -> None:
    done: Counter[str] = Counter()
    for number in range(ORDERS):
        done += run_order(f"{SEED} {number}")
        done += run_live_order(f"{SEED} {number}")
    missing = set(money_commands()) - done.keys()
    for number in range(MORE_ORDERS):
        if not missing:
            return
        missing -= run_order(f"{SEED} more {number}").keys()
        missing -= run_live_order(f"{SEED} more {number}").keys()
    assert missing == set()
