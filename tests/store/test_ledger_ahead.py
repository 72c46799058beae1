"""Transfers that are named while the batch that makes them is still on its way to a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.identifiers import Scope, identifier_at
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_transfers import CreateLedgerTransfer, PostLedgerTransfer, VoidLedgerTransfer
from fastpay.domain.plan import Command
from fastpay.engine.ports import Outcome
from fastpay.store.connections import connected
from tests.support.books import check_database
from tests.support.engine import Engine, engine, make_tenant


@asynccontextmanager
async def held_up(database_url: str, scope: Scope) -> AsyncIterator[None]:
    """Keep every batch of a tenant from its book, and so from being committed, for the block."""
    async with connected(database_url) as connection, connection.transaction():
        await connection.execute("select from book where tenant_id = $1 and livemode = $2 for update", *scope)
        yield


async def open_two(instance: Engine, scope: Scope) -> list[str]:
    opened = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
    return [(await instance.do(opened, scope)).id for _ in range(2)]


def batch_of_holds(accounts: list[str], amounts: Sequence[int]) -> CreateLedgerBatch:
    count = len(amounts)
    return CreateLedgerBatch(
        items=BatchItems(
            accounts,
            [0] * count,
            [1] * count,
            list(amounts),
            [HOLD] * count,
            {1: 4_000_000_000},
            {0: {"a": "b"}},
        )
    )


def code_of(outcome: Outcome) -> str | None:
    return None if outcome.answer.error is None else outcome.answer.error.code


@pytest.mark.parametrize("locked_batches", [0, 9])
@pytest.mark.parametrize("turns", [0, 100])
async def test_what_a_batch_makes_can_be_named_before_it_is_committed(
    database_url: str, turns: int, locked_batches: int
) -> None:
    """With turns in between the batch has left before the others come; without, all go together."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        accounts = await open_two(instance, scope)
        await instance.do(batch_of_holds(accounts, [1]), scope)
        instance.writer.loop.pipeline.locked_left = locked_batches
        made = instance.submission(batch_of_holds(accounts, [10, 20, 30, 40]), scope)
        names = [identifier_at("ltr", made.moment_ms, 4, place) for place in range(5)]
        strange = [
            identifier_at("ltr", made.moment_ms + 1, 4, 0),
            identifier_at("ltr", made.moment_ms, 5, 0),
            "ltr_x",
        ]
        commands: list[Command] = [
            PostLedgerTransfer(id=names[0], amount=7),
            VoidLedgerTransfer(id=names[1]),
            PostLedgerTransfer(id=names[1]),
            PostLedgerTransfer(id=names[2], amount=31),
            *(VoidLedgerTransfer(id=name) for name in (names[4], *strange)),
        ]
        async with held_up(database_url, scope):
            waiting = [asyncio.create_task(instance.writer.submit(made))]
            for _ in range(turns):
                await asyncio.sleep(0.001)
            waiting += [asyncio.create_task(instance.submit(command, scope)) for command in commands]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
        first, *others = await asyncio.gather(*waiting)
        assert first.answer.sequence == 4
        missing = ["resource_missing"] * 4
        assert [code_of(one) for one in others] == [
            None,
            None,
            "hold_already_ended",
            "amount_too_large",
            *missing,
        ]
        workspace = instance.writer.loop._decider.working_set.workspaces.get(scope)
        assert workspace is None or workspace.rows == {}
        # What is loaded later is what was made of the rows before.
        posted = others[0].objects[names[0]].object
    async with engine(database_url) as instance:
        after = await instance.do(PostLedgerTransfer(id=names[3]), scope)
        async with instance.batches.loading() as loader:
            loaded = (await loader.load_objects([(scope, names[0])]))[0][1].object
        assert loaded == posted
        assert isinstance(loaded, LedgerTransfer)
        assert (loaded.metadata, loaded.amount) == ({"a": "b"}, 10)
        assert isinstance(after, LedgerTransfer)
    await check_database(database_url)


async def test_an_account_is_opened_and_moved_in_one_batch(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        accounts = await open_two(instance, scope)
        new = instance.submission(CreateLedgerAccount(currency="usd", code="new", normal_side="C"), scope)
        name = IdentifierSequence(new.head, new.tail).next("lacc")
        move = CreateLedgerTransfer(debit_account=accounts[0], credit_account=name, amount=5)
        async with held_up(database_url, scope):
            waiting = [asyncio.create_task(instance.submit(move, scope))]
            await asyncio.sleep(0.05)
            # The first is on its way; these two make the next batch.
            waiting.append(asyncio.create_task(instance.writer.submit(new)))
            waiting.append(asyncio.create_task(instance.submit(move, scope)))
            await asyncio.sleep(0.05)
        outcomes = await asyncio.gather(*waiting)
        again = await instance.submit(move, scope)
    assert [code_of(outcome) for outcome in (*outcomes, again)] == ["resource_missing", None, None, None]
    async with connected(database_url) as connection:
        moved = await connection.fetchval("select credits_posted from account where code = 'new'")
    assert moved == 10
    await check_database(database_url)


async def test_a_hold_by_itself_can_be_named_before_it_is_committed(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        accounts = await open_two(instance, scope)
        hold = CreateLedgerTransfer(
            debit_account=accounts[0], credit_account=accounts[1], amount=5, is_hold=True
        )
        async with held_up(database_url, scope):
            made = instance.submission(hold, scope)
            waiting = [asyncio.create_task(instance.writer.submit(made))]
            await asyncio.sleep(0.05)
            name = identifier_at("ltr", made.moment_ms, 3, 0)
            waiting += [
                asyncio.create_task(instance.submit(PostLedgerTransfer(id=name), scope)) for _ in "ab"
            ]
            await asyncio.sleep(0.05)
        outcomes = await asyncio.gather(*waiting)
    assert [code_of(outcome) for outcome in outcomes] == [None, None, "hold_already_ended"]
    await check_database(database_url)
