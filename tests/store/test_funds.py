"""Money becomes available and leaves by the database's time, once, however many instances there are."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.funds import DAY_S, balance_id
from fastpay.domain.identifiers import Scope
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.payouts import CreatePayout
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.funds import FundsMover
from fastpay.engine.identity import IdentifierFactory
from fastpay.store.connections import connected
from fastpay.store.housekeeping import PostgresHousekeeping
from tests.store.test_expiry import Later, expirer
from tests.support.books import check_database
from tests.support.database_clock import give_clock, move_clock
from tests.support.engine import Engine, engine, make_tenant, read_objects
from tests.support.world import card

STEP_S = 60


@pytest.fixture(autouse=True)
def movable_clock(database_url: str) -> None:
    """Let tests say what time it is for the database."""
    asyncio.run(give_clock(database_url))


def mover(instance: Engine, seconds: int) -> FundsMover:
    """Return what moves funds in an instance whose clock is ahead."""
    return FundsMover(
        PostgresHousekeeping(instance.pool),
        instance.writer,
        clock=Later(seconds),
        identifiers=IdentifierFactory(Later(seconds)),
        step_s=STEP_S,
    )


async def pay(instance: Engine, scope: Scope, amount: int = 1000, *, name: str = "visa") -> str:
    command = CreatePaymentIntent(
        amount=amount, currency="usd", secret="s", payment_method=card(name), confirm=True
    )
    return (await instance.do(command, scope)).id


async def balances(instance: Engine, scope: Scope) -> Counter[str]:
    return Counter({account.code: account.balance for account in await instance.reads.list_accounts(scope)})


async def types(database_url: str, pattern: str) -> Counter[str]:
    async with connected(database_url) as connection:
        rows = await connection.fetch("select type from event where type like $1", pattern)
    return Counter(row["type"] for row in rows)


async def set_rule(database_url: str, scope: Scope, assignment: str) -> None:
    async with connected(database_url) as connection:
        await connection.execute(f"update book set {assignment} where tenant_id = $1", scope.tenant_id)


async def test_captures_are_released_after_their_delay_by_one_of_two_instances(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        paid = [await pay(first, scope) for _ in range(3)]
        await first.do(CreateRefund(payment_intent=paid[0], amount=400), scope)
        before = await balances(first, scope)
        for seconds, released in ((2 * DAY_S - 60, 0), (2 * DAY_S + 60, before["pending"])):
            await move_clock(database_url, seconds=seconds)
            movers = [mover(instance, seconds) for instance in (first, second)]
            await asyncio.gather(*(one.move_funds() for one in movers for _ in range(2)))
            after = await balances(first, scope)
            assert (after["pending"], after["available"]) == (before["pending"] - released, released)
        assert (await first.reads.verify(scope)).problems == ()
        await move_clock(database_url)
        await first.do(CreateRefund(payment_intent=paid[1], amount=100), scope)
        assert (await balances(first, scope))["available"] == before["pending"] - 100
        assert (await first.reads.verify(scope)).problems == ()
    assert await types(database_url, "balance.%") == {"balance.available": 1}
    await check_database(database_url)


async def test_many_captures_are_released_a_bounded_number_at_a_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpay.limits.funds_transfers_max", 4)
    monkeypatch.setattr("fastpay.limits.funds_books_max", 2)
    scopes = [await make_tenant(database_url, name) for name in ("one", "two", "three")]
    async with engine(database_url) as instance:
        for scope in scopes:
            await asyncio.gather(*(pay(instance, scope) for _ in range(7)))
        await move_clock(database_url, seconds=3 * DAY_S)
        one = mover(instance, 3 * DAY_S)
        # A tenant has a book in each mode. The last round finds the end, and the next one begins again.
        examined = [await one.move_funds() for _ in range(4)]
        assert examined == [2, 2, 2, 0]
        for scope in scopes:
            assert (await balances(instance, scope))["pending"] == 0
            assert (await instance.reads.verify(scope)).problems == ()
    await check_database(database_url)


async def test_what_is_available_at_once_is_told_soon(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        await pay(instance, scope, name="bypassPending")
        for _ in range(2):
            await mover(instance, 0).move_funds()
        (balance,) = await read_objects(instance.reads, scope, [balance_id(scope)])
        stored: Any = balance.object
        assert stored.available == {"usd": (await balances(instance, scope))["available"]}
    assert await types(database_url, "balance.%") == {"balance.available": 1}


async def test_the_longer_delay_applies_after_a_change(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        await pay(instance, scope)
        for days, ahead in ((7, 3), (1, 1)):
            await set_rule(database_url, scope, f"funds_delay_days = {days}")
            await move_clock(database_url, seconds=ahead * DAY_S + 60)
            await mover(instance, ahead * DAY_S + 60).move_funds()
            assert (await balances(instance, scope))["available"] == 0
        await move_clock(database_url, seconds=2 * DAY_S + 60)
        await mover(instance, 2 * DAY_S + 60).move_funds()
        assert (await balances(instance, scope))["pending"] == 0


async def test_payouts_take_their_steps_once_by_whichever_instance(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as first, engine(database_url) as second:
        await pay(first, scope, 100_000, name="bypassPending")
        fields = [{}, {"destination": "ba_noAccount"}, {}]
        commands = [CreatePayout(amount=100, currency="usd", step_s=STEP_S, fields=one) for one in fields]
        made = [(await first.do(command, scope)).id for command in commands]
        for steps, statuses in (
            (1, ["in_transit"] * 3),
            (2, ["paid", "failed", "paid"]),
            (3, ["paid", "failed", "paid"]),
        ):
            ahead = steps * (STEP_S + 5)
            await move_clock(database_url, seconds=ahead)
            expirers = [expirer(instance, ahead) for instance in (first, second)]
            await asyncio.gather(*(one.change_objects() for one in expirers for _ in range(2)))
            found: list[Any] = await read_objects(first.reads, scope, made)
            by_id = {versioned.object.id: versioned.object.status for versioned in found}
            assert [by_id[identifier] for identifier in made] == statuses
        assert (await first.reads.verify(scope)).problems == ()
    assert await types(database_url, "payout.%") == {
        "payout.created": 3,
        "payout.updated": 3,
        "payout.paid": 2,
        "payout.failed": 1,
    }
    await check_database(database_url)


async def test_the_balance_is_paid_out_once_a_day_by_one_of_two_instances(database_url: str) -> None:
    scope = await make_tenant(database_url)
    await set_rule(database_url, scope, "payout_interval = 'daily'")
    async with engine(database_url) as first, engine(database_url) as second:
        await pay(first, scope, 1000, name="bypassPending")
        await pay(first, scope, 500)
        for seconds, payouts in ((0, 1), (DAY_S, 1), (2 * DAY_S + 60, 2), (2 * DAY_S + 90, 2)):
            await move_clock(database_url, seconds=seconds)
            movers = [mover(instance, seconds) for instance in (first, second)]
            for _ in range(2):
                await asyncio.gather(*(one.move_funds() for one in movers for _ in range(2)))
            assert (await balances(first, scope))["available"] == 0
            assert (await types(database_url, "payout.%"))["payout.created"] == payouts
        assert (await first.reads.verify(scope)).problems == ()
    await check_database(database_url)


async def test_a_tampered_release_and_a_tampered_payout_are_found(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        await pay(instance, scope)
        await pay(instance, scope, 5000, name="bypassPending")
        await instance.do(CreatePayout(amount=100, currency="usd", step_s=STEP_S), scope)
        await move_clock(database_url, seconds=3 * DAY_S)
        await mover(instance, 3 * DAY_S).move_funds()
        assert (await instance.reads.verify(scope)).problems == ()
        async with connected(database_url) as connection:
            await connection.execute("update payout set amount = 99")
            await connection.execute("update balance set released_through = $1", "0" * 32)
        problems = (await instance.reads.verify(scope)).problems
    # The account that holds what is on its way says it, too.
    told = [problem.partition(" has ")[2].split(" 9")[0].split(" 0")[0] for problem in problems]
    assert sorted(told) == ["balance of in_transit", "payout", "released usd"]


def test_a_round_is_bounded() -> None:
    assert limits.funds_transfers_max * limits.funds_pages_max >= 5_000
