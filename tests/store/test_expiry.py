"""Holds and authorizations end by time, once, whoever else is at it and however many instances there are."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from fastpay.clock import SystemClock
from fastpay.domain.attempts import AUTHORIZATION_VALID_S
from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_transfers import (
    CreateLedgerTransfer,
    ExpireLedgerTransfer,
    PostLedgerTransfer,
    VoidLedgerTransfer,
)
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.plan import Command
from fastpay.engine.expiry import Expirer
from fastpay.engine.identity import IdentifierFactory
from fastpay.errors import ClockSkewed
from fastpay.store.connections import connected
from fastpay.store.housekeeping import PostgresHousekeeping
from tests.support.database_clock import give_clock, move_clock
from tests.support.engine import CLOCK, Engine, engine, make_tenant, read_objects
from tests.support.world import ACCEPTED, account, card


class Later(SystemClock):
    """A clock that is ahead by some seconds."""

    def __init__(self, seconds: int) -> None:
        self._ahead_ms = seconds * 1000

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_ms


@pytest.fixture(autouse=True)
def movable_clock(database_url: str) -> None:
    """Let tests say what time it is for the database."""
    asyncio.run(give_clock(database_url))


def expirer(instance: Engine, seconds: int, *, delay_s: int = 0) -> Expirer:
    """Return what ends things in an instance whose clock is ahead."""
    return Expirer(
        PostgresHousekeeping(instance.pool),
        instance.writer,
        clock=Later(seconds),
        identifiers=IdentifierFactory(Later(seconds)),
        delay_s=delay_s,
    )


async def open_account(instance: Engine, scope: Scope, code: str) -> str:
    command = CreateLedgerAccount(currency="usd", code=code, normal_side="C")
    return (await instance.do(command, scope)).id


async def holds(instance: Engine, scope: Scope, count: int, *, seconds: int) -> list[str]:
    """Make holds that expire in some seconds."""
    source, target = [await open_account(instance, scope, code) for code in ("source", "target")]
    command = CreateLedgerTransfer(
        debit_account=source,
        credit_account=target,
        amount=7,
        is_hold=True,
        expires_at=CLOCK.now_ms() // 1000 + seconds,
    )
    made = await asyncio.gather(*(instance.do(command, scope) for _ in range(count)))
    return [hold.id for hold in made]


async def phases(instance: Engine, scope: Scope, identifiers: list[str]) -> list[str | None]:
    """Return how the holds ended."""
    found: list[Any] = await read_objects(instance.reads, scope, identifiers)
    by_id = {versioned.object.id: versioned.object.ending for versioned in found}
    return [None if by_id[name] is None else by_id[name].phase for name in identifiers]


async def test_what_is_due_expires_and_nothing_else_does(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        due = await holds(instance, scope, 3, seconds=100)
        later = await holds(instance, scope, 2, seconds=300)
        await instance.do(VoidLedgerTransfer(id=due[0]), scope)
        await move_clock(database_url, seconds=50)
        assert await expirer(instance, 50).expire_holds() == 0
        await move_clock(database_url, seconds=200)
        assert await expirer(instance, 200).expire_holds() == 2
        assert await phases(instance, scope, due + later) == ["void", "expire", "expire", None, None]
        assert await expirer(instance, 200).expire_holds() == 0
        assert (await instance.reads.verify(scope)).problems == ()
    async with connected(database_url) as connection:
        kept = await connection.fetch("select sequence from ledger_expiry")
        types = await connection.fetch("select type from event where type like 'ledger.transfer.%'")
    assert len(kept) == len(later)
    assert Counter(row["type"] for row in types) == {
        "ledger.transfer.created": 5,
        "ledger.transfer.voided": 1,
        "ledger.transfer.expired": 2,
    }


async def test_many_that_are_due_expire_a_bounded_number_at_a_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpay.limits.expiry_rows_max", 4)
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        due = await holds(instance, scope, 9, seconds=100)
        await move_clock(database_url, seconds=200)
        assert await expirer(instance, 200).expire_holds() == 9
        assert await phases(instance, scope, due) == ["expire"] * 9


async def test_whatever_races_exactly_one_ends_a_hold(database_url: str) -> None:
    """Posts and voids by clients of two instances, and expiry by both."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        raced = await holds(first, scope, 40, seconds=50)
        attempts: list[Any] = []
        for place, name in enumerate(raced):
            commands: list[Command] = [
                PostLedgerTransfer(id=name, amount=5),
                VoidLedgerTransfer(id=name),
                PostLedgerTransfer(id=name),
            ]
            for turn, command in enumerate(commands):
                instance = (first, second)[(place + turn) % 2]
                attempts.append(instance.submit(command, scope))
        outcomes = asyncio.gather(*attempts)
        # While they are at it, time comes for all of them.
        await move_clock(database_url, seconds=100)
        await asyncio.gather(expirer(second, 100).expire_holds(), expirer(first, 100).expire_holds())
        errors = [outcome.answer.error for outcome in await outcomes]
        await expirer(first, 100).expire_holds()
        ended = Counter(await phases(first, scope, raced))
        assert None not in ended
        won = sum(error is None for error in errors)
        assert won + ended["expire"] == len(raced)
        assert {error.code for error in errors if error is not None} <= {"hold_already_ended", "hold_expired"}
        assert (await first.reads.verify(scope)).problems == ()
    async with connected(database_url) as connection:
        endings = await connection.fetchval("select count(*) from ledger_transfer where phase > 2")
        assert await connection.fetchval("select count(*) from ledger_expiry") == 0
    assert endings == len(raced)


async def test_a_hold_that_is_not_due_does_not_expire(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        (hold,) = await holds(instance, scope, 1, seconds=100)
        outcome = await instance.submit(ExpireLedgerTransfer(id=hold), scope)
        assert outcome.answer.error is None
        assert await phases(instance, scope, [hold]) == [None]


async def test_nothing_is_due_by_the_clock_of_an_instance_alone(database_url: str) -> None:
    """Days ahead or behind: what is due is for the database to say, and it refuses what was stamped then."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        (hold,) = await holds(instance, scope, 1, seconds=100)
        payment = await authorize(instance, scope)
        for seconds in (200, 8 * 86_400, -90_000):
            assert await expirer(instance, seconds).expire_holds() == 0
            assert await expirer(instance, seconds).expire_payments() == 0
            stamp = IdentifierFactory(Later(seconds)).stamp()
            submission = instance.submission(CapturePaymentIntent(id=payment), scope)
            moved = msgspec.structs.replace(submission, moment_ms=stamp.moment_ms, head=stamp.head)
            with pytest.raises(ClockSkewed):
                await instance.writer.submit(moved)
        assert await phases(instance, scope, [hold]) == [None]
        assert (await instance.do(CapturePaymentIntent(id=payment), scope)).id == payment


async def test_a_batch_decided_under_the_lock_is_held_against_the_clock_too(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        await authorize(first, scope)
        await authorize(second, scope)
        # The first one's books are outdated now: what it decides next is decided again, under the lock.
        await move_clock(database_url, seconds=-60)
        with pytest.raises(ClockSkewed):
            await authorize(first, scope)
        await move_clock(database_url, seconds=0)
        await authorize(first, scope)


async def authorize(instance: Engine, scope: Scope) -> str:
    command = CreatePaymentIntent(
        amount=1000,
        currency="usd",
        secret="s",
        fields={"capture_method": "manual"},
        payment_method=card(),
        confirm=True,
    )
    return (await instance.do(command, scope)).id


async def test_an_authorization_that_nobody_captured_is_given_back(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        forgotten = [await authorize(first, scope) for _ in range(3)]
        captured = await authorize(first, scope)
        await first.do(CapturePaymentIntent(id=captured), scope)
        await move_clock(database_url, seconds=AUTHORIZATION_VALID_S - 60)
        assert await expirer(first, AUTHORIZATION_VALID_S - 60).expire_payments() == 0
        await move_clock(database_url, seconds=AUTHORIZATION_VALID_S + 60)
        both = (expirer(instance, AUTHORIZATION_VALID_S + 60) for instance in (first, second))
        await asyncio.gather(*(one.expire_payments() for one in both))
        found: list[Any] = await read_objects(first.reads, scope, [*forgotten, captured])
        states = {
            versioned.object.id: (versioned.object.status, versioned.object.cancellation_reason)
            for versioned in found
        }
        assert states == dict.fromkeys(forgotten, ("canceled", "automatic")) | {captured: ("succeeded", None)}
        accounts = {account.code: account for account in await first.reads.list_accounts(scope)}
        assert accounts["processor"].debits_pending == accounts["pending"].credits_pending == 0
        assert (await first.reads.verify(scope)).problems == ()
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            "select type from event where type in ('charge.expired', 'payment_intent.canceled')"
        )
    assert Counter(row["type"] for row in rows) == {"charge.expired": 3, "payment_intent.canceled": 3}


async def test_debits_settle_once_whichever_instances_are_at_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpay.limits.expiry_rows_max", 2)
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        debits = [
            (
                await first.do(
                    CreatePaymentIntent(
                        amount=1000,
                        currency="eur",
                        secret="s",
                        payment_method=account(behaviour),
                        confirm=True,
                        terms=ACCEPTED,
                    ),
                    scope,
                )
            ).id
            for behaviour in ("success", "failure", "success", "success_later", "success")
        ]
        await move_clock(database_url, seconds=50)
        early = expirer(first, 50, delay_s=100)
        assert await early.settle() == len(debits)
        await move_clock(database_url, seconds=110)
        both = (expirer(instance, 110, delay_s=100) for instance in (first, second))
        await asyncio.gather(*(one.settle() for one in both))
        found: list[Any] = await read_objects(first.reads, scope, debits)
        by_id = {versioned.object.id: versioned.object.status for versioned in found}
        assert [by_id[identifier] for identifier in debits] == [
            "succeeded",
            "requires_payment_method",
            "succeeded",
            "processing",
            "succeeded",
        ]
        accounts = {one.code: one for one in await first.reads.list_accounts(scope)}
        assert accounts["processor"].debits_pending == accounts["pending"].credits_pending == 1000
        assert (await first.reads.verify(scope)).problems == ()
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            "select type from event where type ~ '^payment_intent.(succ|payment_f)'"
        )
    assert Counter(row["type"] for row in rows) == {
        "payment_intent.succeeded": 3,
        "payment_intent.payment_failed": 1,
    }
