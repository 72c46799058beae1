"""Some instances on one database: one effect a key, one sequence, books that add up."""

import asyncio
import random
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.failures import TransientFailure
from fastpay.engine.ports import Outcome
from fastpay.engine.write.ports import BatchTransaction, BatchWork
from fastpay.store.connections import connected
from tests.support.books import check_database
from tests.support.engine import Engine, check_books, engine, make_tenant, read_objects, write_in_blocks
from tests.support.seeds import SEED
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import HOLD, PAY

ACCOUNT = CreateLedgerAccount(currency="usd", code="a", normal_side="C")
KEYS = 60
BURSTS = 40


@pytest.mark.parametrize("keys_doubted_ms", [limits.keys_doubted_ms, 0])
@pytest.mark.parametrize("session_state", [True, False])
async def test_instances_that_share_keys_take_each_effect_once(
    database_url: str, session_state: bool, keys_doubted_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "keys_doubted_ms", keys_doubted_ms)
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(2)]
    chance = random.Random(1)
    async with (
        engine(database_url, session_state=session_state) as one,
        engine(database_url, session_state=session_state) as other,
    ):
        work = [
            (instance, scope, f"key {number}")
            for instance in (one, other)
            for scope in scopes
            for number in range(KEYS)
            for _ in range(2)
        ]
        chance.shuffle(work)
        outcomes = await asyncio.gather(
            *(instance.submit(PAY, scope, key=key) for instance, scope, key in work)
        )
    answers: dict[object, set[object]] = {}
    firsts = 0
    for (_, scope, key), outcome in zip(work, outcomes, strict=True):
        answers.setdefault((scope, key), set()).add(outcome.answer)
        firsts += outcome.original_request_id is None
    assert {len(different) for different in answers.values()} == {1}
    assert firsts == len(answers) == KEYS * len(scopes)
    for scope in scopes:
        assert await check_books(database_url, scope) == KEYS * 3


async def test_a_hold_is_captured_once_and_refunded_once_whoever_asks(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        intents = [await one.do(HOLD, scope) for _ in range(5)]
        for make in (capture, refund):
            commands = [make(intent.id) for intent in intents for _ in range(4)]
            outcomes = await asyncio.gather(
                *(instance.submit(command, scope) for command in commands for instance in (one, other))
            )
            assert len([outcome for outcome in outcomes if outcome.answer.error is None]) == len(intents)
    async with connected(database_url) as connection:
        assert await connection.fetchval("select count(*) from refund") == len(intents)
        assert await connection.fetchval(
            "select sum(debits_posted) from account where code = 'processor'"
        ) == (1000 * len(intents))
    await check_books(database_url, scope)


def capture(identifier: str) -> Command:
    """Return a command that can succeed once."""
    return CapturePaymentIntent(id=identifier)


def refund(identifier: str) -> Command:
    """Return a command that can succeed once."""
    return CreateRefund(payment_intent=identifier)


async def test_refunds_of_two_instances_do_not_overdraw_where_that_is_forbidden(database_url: str) -> None:
    scope = await make_tenant(database_url, may_overdraw=False)
    async with engine(database_url) as one, engine(database_url) as other:
        paid = [await one.do(PAY, scope) for _ in range(10)]
        tasks = [
            instance.submit(CreateRefund(payment_intent=intent.id, amount=amount), scope)
            for intent in paid
            for amount in (600, 399)
            for instance in (one, other)
        ]
        outcomes = await asyncio.gather(*tasks)
        accounts = {account.code: account for account in await one.reads.list_accounts(scope)}
    refused = {outcome.answer.error.code for outcome in outcomes if outcome.answer.error is not None}
    assert "balance_insufficient" in refused
    assert accounts["pending"].balance >= 0
    await check_books(database_url, scope)


async def test_a_batch_waits_for_the_other_instances_before_it_looks_at_anything(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        await other.submit(PAY, scope)
        written, released = asyncio.Event(), asyncio.Event()
        run_batch = one.batches.run_batch

        async def run_slowly(work: BatchWork, **options: Any) -> None:
            async def wait_before_commit(transaction: BatchTransaction) -> None:
                await work(transaction)
                written.set()
                await released.wait()

            await run_batch(wait_before_commit, **options)

        monkeypatch.setattr(one.batches, "run_batch", run_slowly)
        write_in_blocks(monkeypatch, one.batches)
        first = asyncio.create_task(one.submit(PAY, scope, key="k"))
        await written.wait()
        second = asyncio.create_task(other.submit(PAY, scope, key="k"))
        third = asyncio.create_task(other.submit(PAY, scope))
        async with connected(database_url) as connection:
            waiting = "select count(*) from pg_locks where not granted"
            while not await connection.fetchval(waiting):  # noqa: ASYNC110  only the database knows
                await asyncio.sleep(0.005)
        released.set()
        outcomes = await asyncio.gather(first, second, third)
    assert outcomes[1].answer == outcomes[0].answer
    assert outcomes[1].original_request_id is not None
    # A batch that had looked too early would have met the constraints, and been taken apart.
    assert "batch_isolated" not in caplog.text
    assert await check_books(database_url, scope) == 9


async def test_instances_see_what_the_other_committed(database_url: str) -> None:
    scope = await make_tenant(database_url)

    async def pay_and_read(writing: Engine, reading: Engine) -> Outcome:
        outcome = await writing.submit(PAY, scope)
        assert outcome.answer.object_id is not None
        assert await read_objects(reading.reads, scope, [outcome.answer.object_id])
        return outcome

    async with engine(database_url) as one, engine(database_url) as other:
        first, second = await pay_and_read(one, other), await pay_and_read(other, one)
    assert first.answer.sequence < second.answer.sequence


async def test_an_instance_frozen_in_the_middle_of_a_batch_lets_go_of_its_books(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "idle_in_transaction_timeout_ms", 100)
    monkeypatch.setattr(limits, "commit_attempts_max", 1)
    scope = await make_tenant(database_url)
    holds, goes_on = asyncio.Event(), asyncio.Event()

    async def freeze(transaction: BatchTransaction) -> None:
        await transaction.lock_books([scope])
        holds.set()
        await goes_on.wait()
        await transaction.lock_books([scope])

    async with engine(database_url) as one, engine(database_url) as other:
        frozen = asyncio.create_task(one.batches.run_batch(freeze))
        await holds.wait()
        await other.do(PAY, scope)
        goes_on.set()
        with pytest.raises(TransientFailure):
            await frozen
        await one.do(PAY, scope)
    await check_books(database_url, scope)


async def wake(instances: list[Engine]) -> None:
    """Wake writers that nobody else wakes, again and again: they could not even be closed."""
    while instances:
        for instance in instances:
            instance.writer.loop.wake.set()
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("patient")
async def test_four_instances_on_three_tenants_never_wait_for_each_other_in_a_circle(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bursts and pauses in turns: whoever sleeps is woken, and whatever was asked is answered."""
    # Whoever has met another one decides ahead again at once, so that both ways to lock books meet.
    monkeypatch.setattr(limits, "locked_batches", 1)
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    chance = random.Random(SEED)
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(3)]
    answered: dict[Scope, int] = dict.fromkeys(scopes, 0)
    async with AsyncExitStack() as stack:
        instances = [await stack.enter_async_context(engine(database_url)) for _ in range(4)]
        accounts = {scope: [(await instances[0].do(ACCOUNT, scope)).id for _ in range(2)] for scope in scopes}

        async def pause() -> None:
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.005)))

        def choose(scope: Scope) -> Command:
            debit, credit = chance.sample(accounts[scope], 2)
            return chance.choice(
                (
                    PAY,
                    HOLD,
                    CreateLedgerTransfer(debit_account=debit, credit_account=credit, amount=5),
                    CreateLedgerBatch(items=BatchItems([debit, credit], [0, 1], [1, 0], [1, 2], [0, 0])),
                )
            )

        async def ask(instance: Engine, scope: Scope, key: str | None) -> None:
            await pause()
            command = choose(scope) if key is None else PAY
            outcome = await instance.submit(command, scope, key=key)
            assert outcome.answer.error is None
            answered[scope] += outcome.original_request_id is None

        async def live(instance: Engine) -> None:
            for number in range(BURSTS):
                # All tenants at once, in any order; now and then what other instances are asked for as well.
                asked = chance.sample(scopes, 3) * chance.choice((1, 1, 4))
                keys = [chance.choice((None, None, None, f"{number} {scope}")) for scope in asked]
                await asyncio.gather(*(ask(instance, *one) for one in zip(asked, keys, strict=True)))
                await pause()

        lives = [asyncio.create_task(live(instance)) for instance in instances]
        # A guard against a hang, never a measurement.
        _, asleep = await asyncio.wait(lives, timeout=PATIENCE_SECONDS)
        waking = asyncio.create_task(wake(instances if asleep else []))
        await asyncio.gather(*lives)
    waking.cancel()
    assert not asleep, "woken by the test alone"
    assert "batch_failed" not in caplog.text
    async with connected(database_url) as connection:
        # Instances have left, and their last counts are in.
        statistics = "select deadlocks from pg_stat_database where datname = current_database()"
        assert await connection.fetchval(statistics) == 0
        for scope in scopes:
            written = await connection.fetchval(
                "select count(distinct request_id) from event where tenant_id = $1", scope.tenant_id
            )
            assert written == answered[scope] + len(accounts[scope])
    await check_database(database_url)
