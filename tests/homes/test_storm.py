"""Three instances whose connections to each other are held up and cut all the time, and that disagree."""

import asyncio
import itertools
import random
import sys
from collections import Counter

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Outcome
from tests.support.engine import check_books, make_tenant
from tests.support.homes import Instance, instance, introduce
from tests.support.seeds import SEED, size
from tests.support.servers import fetch
from tests.support.world import PAY

CLIENTS = 9
PAYMENTS = size(8, soak=200)


async def charge_of(asked: Instance, scope: Scope, payment_id: str) -> Charge:
    """Return the charge of a payment, as an instance shows it."""
    intent = await asked.engine.reader.get(scope, payment_id)
    assert intent is not None
    assert isinstance(intent.object, PaymentIntent)
    assert intent.object.latest_charge is not None
    charge = await asked.engine.reader.get(scope, intent.object.latest_charge)
    assert charge is not None
    assert isinstance(charge.object, Charge)
    return charge.object


async def disturb(chance: random.Random, instances: tuple[Instance, ...]) -> None:
    """Cut, hold up and contradict, one instance after another."""
    while True:
        one = chance.choice(instances)
        cable = chance.choice(one.network.cables)
        match chance.randrange(6):
            case 0:
                cable.wire.abort()
            case 1:
                cable.holds_questions = True
            case 2:
                cable.holds_answers = True
            case 3:
                one.homes._see((), 1)
            case 4:
                one.homes._home_count = chance.randint(1, len(instances))
                one.homes._choose_anew()
            case _:
                await one.membership.leave()
                one.membership._own = one.homes._own
                one.membership._seen = (), 1
                await one.membership.read_moment()
        await asyncio.sleep(chance.uniform(0, 0.05))
        for held in [held for other in instances for held in other.network.cables]:
            if chance.random() < 0.5:
                held.release()


async def test_whatever_happens_between_instances_each_command_is_carried_out_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    for name, value in {"home_check_ms": 5, "home_silence_ms": 30, "home_backoff_ms": 5}.items():
        monkeypatch.setattr(limits, name, value)
    chance = random.Random(SEED)
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(2)]
    answered: Counter[Scope] = Counter()

    async def live(client: int, instances: tuple[Instance, ...]) -> None:
        scope = scopes[client % len(scopes)]
        for number in itertools.count():
            # Until at least one command had to be asked for.
            if number >= PAYMENTS and any(one.count("asked_again") for one in instances):
                break
            key = f"{client} {number}" if chance.random() < 0.5 else None
            paid = await chance.choice(instances).submit(PAY, scope, key=key)
            assert (paid.answer.error, paid.original_request_id) == (None, None)
            assert paid.answer.object_id is not None
            refund = CreateRefund(payment_intent=paid.answer.object_id)
            asked = chance.sample(instances, 2)
            charges = [await charge_of(other, scope, paid.answer.object_id) for other in asked]
            assert [charge.amount_refunded for charge in charges] == [0, 0]
            refunds = await asyncio.gather(*(other.submit(refund, scope) for other in asked))
            assert sorted(outcome.answer.error is None for outcome in refunds) == [False, True]
            # An instance shows what it has answered, whoever committed it.
            for other, outcome in zip(asked, refunds, strict=True):
                if outcome.answer.error is None:
                    charge = await charge_of(other, scope, paid.answer.object_id)
                    assert charge.amount_refunded == charge.amount
            answered[scope] += 1
            if key is not None:
                again: Outcome = await chance.choice(instances).submit(PAY, scope, key=key)
                assert again.answer == paid.answer
                assert again.original_request_id is not None

    async with instance(database_url) as one, instance(database_url) as two, instance(database_url) as three:
        instances = (one, two, three)
        await introduce(*instances)
        disturbing = asyncio.create_task(disturb(chance, instances))
        try:
            await asyncio.gather(*(live(client, instances) for client in range(CLIENTS)))
        finally:
            disturbing.cancel()
            await asyncio.gather(disturbing, return_exceptions=True)
        for cable in [cable for other in instances for cable in other.network.cables]:
            cable.release()
        counts: Counter[str] = Counter()
        for other in instances:
            counts.update(other.homes.counts())
    assert counts["homes_forwarded"] > 0
    assert counts["homes_asked_again"] > 0
    for scope in scopes:
        await check_books(database_url, scope)
    made = await asyncio.to_thread(fetch, database_url, "select tenant_id from payment_intent")
    assert Counter(Scope(row["tenant_id"].hex, livemode=False) for row in made) == answered
