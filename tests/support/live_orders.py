"""Random orders of live payments: every outcome, true or false, early, late and again."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from fastpay.domain.actions import AwaitAction
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.charging import Terms
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import ClaimAttempt, RecordOutcome, ReviewAttempt
from fastpay.domain.payment_intents import ConfirmPaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import Attempt, Result, Route
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.reviews import ResolveAttempt
from fastpay.domain.settlements import (
    AcceptDifference,
    BeginMatching,
    CloseSettlement,
    RecordMatching,
    Settlement,
    Sums,
)
from fastpay.errors import FastpayError
from tests.support.world import PAY, World, card

COMMANDS = 300
_LIVE = Scope("0" * 31 + "1", True)


def run_live_order(seed: str) -> Counter[str]:
    """Run commands on live payments, and return how often each one changed something."""
    chance, world = random.Random(seed), World(scope=_LIVE)

    def commands() -> Iterator[Command]:
        for number in range(COMMANDS):
            world.moment_s += chance.choice((0, 1, 60))
            yield _next_command(world, chance, number)

    return run_all(world, commands())


def run_all(world: World, commands: Iterable[Command]) -> Counter[str]:
    """Run each command once it is made, whether or not it is refused, and hold the books again and again.

    Return how often each kind of command changed something.
    """
    done: Counter[str] = Counter()
    for number, command in enumerate(commands):
        try:
            draft = world.run(command)
        except FastpayError:
            continue
        done[type(command).__name__] += bool(draft.versions)
        if number % 40 == 0:
            world.check()
    world.check()
    return done


def _next_command(world: World, chance: random.Random, number: int) -> Command:
    attempts = [one.object for one in world.objects.values() if isinstance(one.object, Attempt)]
    intents = [one.object.id for one in world.objects.values() if isinstance(one.object, PaymentIntent)]
    terms = Terms(route=_route(number))
    begin = msgspec.structs.replace(
        PAY, terms=terms, fields={"capture_method": chance.choice(("automatic", "manual"))}
    )
    if not attempts or chance.random() < 0.2:
        return begin
    if chance.random() < 0.2:
        return _settle(world, chance, number)
    attempt, intent = chance.choice(attempts), chance.choice(intents)
    following = _route(number) if chance.random() < 0.5 else None
    makers: tuple[Callable[[], Command], ...] = (
        lambda: RecordOutcome(id=attempt.id, result=_result(attempt, chance), next_route=following),
        lambda: RecordOutcome(id=attempt.id, result=_result(attempt, chance), next_route=following),
        lambda: _notice(attempt, chance),
        lambda: ClaimAttempt(id=attempt.id, delays_s=(1, 30)),
        lambda: ReviewAttempt(id=attempt.id, reason="silence"),
        lambda: AwaitAction(id=attempt.id, page=f"https://processor.example/{number}"),
        lambda: ResolveAttempt(
            id=attempt.id,
            payment_intent=attempt.payment,
            resolution=chance.choice(("approved", "declined", "not_found", "compensated")),
            note="seen",
        ),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=card(), terms=terms),
        lambda: CancelPaymentIntent(id=intent, terms=_route(number)),
        lambda: CapturePaymentIntent(id=intent, amount=chance.choice((None, 500)), terms=_route(number)),
        lambda: CreateRefund(payment_intent=intent, amount=chance.choice((None, 5)), terms=_route(number)),
    )
    return chance.choice(makers)()


def _notice(attempt: Attempt, chance: random.Random) -> Command:
    """Return what a webhook says of a payment that was captured or canceled, whoever asked for that."""
    captured = chance.random() < 0.5
    amount = chance.choice((attempt.amount, 500))
    done = Result(status="approved", amount=amount, currency=attempt.currency, is_captured=captured)
    refused = Result(status="refused")
    return RecordOutcome(
        id=attempt.id,
        result=done if captured else Result(status="declined"),
        follow_ups={"capture": done if captured else refused, "void": refused if captured else done},
    )


def _result(attempt: Attempt, chance: random.Random) -> Result:
    status = chance.choice(("approved", "approved", "declined", "refused", "not_sent", "not_found"))
    wrong = chance.random() < 0.2
    return msgspec.convert(
        {
            "status": status,
            "amount": attempt.amount + wrong,
            "currency": attempt.currency,
            "is_captured": attempt.captures,
        },
        Result,
    )


def _settle(world: World, chance: random.Random, number: int) -> Command:
    """Return the next command on a settlement, or one that comes too early or too late."""
    found = [one.object for one in world.objects.values() if isinstance(one.object, Settlement)]
    begun = f"stl_{number:032x}"
    if not found or chance.random() < 0.2:
        return BeginMatching(id=begun, processor="acquirer", currency="usd", file="0" * 64)
    one = chance.choice(found)
    gross, fee, amount = chance.randint(-50, 50), chance.randint(0, 5), chance.choice((-5, 0, 5))
    sums = Sums(
        rows=3, gross=gross, fee=fee, net=gross - fee, ours=gross - amount, differences=int(amount != 0)
    )
    makers: tuple[Callable[[], Command], ...] = (
        lambda: BeginMatching(id=one.id, processor="acquirer", currency="usd", file=one.file),
        lambda: RecordMatching(id=one.id, revision=one.revision, sums=sums),
        lambda: AcceptDifference(
            id=one.id,
            position=chance.randint(1, 3),
            status="missing_here",
            amount=one.gross - one.ours - one.accepted,
            revision=one.revision,
            by="Ada",
            reason="told",
        ),
        lambda: CloseSettlement(id=one.id),
    )
    return chance.choice(makers)()


def _route(number: int) -> Route:
    return Route(processor="acquirer", reference=f"att_{number:032x}", wait_ms=1, inquiry_s=5)
