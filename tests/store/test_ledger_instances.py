"""Batches from two instances at once, on accounts at their bounds: as if one after another."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, LINKED, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerBatch
from fastpay.store.connections import connected
from tests.reference.ledger import Account, Item
from tests.reference.ledger_counters import Counters
from tests.store.test_ledger_ahead import held_up
from tests.support.books import check_database
from tests.support.engine import Engine, engine, make_tenant

BOOKS = (Account("usd", "C", None), *(Account("usd", "C", 0) for _ in range(3)))
BATCHES, TRANSFERS = 8, 400

Played = tuple[LedgerBatch, list[Item]]


def draw(chance: random.Random) -> list[Item]:
    """Return transfers that often ask for more than there is."""
    pairs = [chance.sample(range(len(BOOKS)), 2) for _ in range(TRANSFERS)]
    return [
        Item(debit, credit, chance.randint(1, 9), hold=chance.random() < 0.05, linked=chance.random() < 0.3)
        for debit, credit in pairs
    ]


def command(names: list[str], items: Sequence[Item]) -> CreateLedgerBatch:
    debits, credited = [item.debit for item in items], [item.credit for item in items]
    flags = [LINKED * item.linked + HOLD * item.hold for item in items]
    return CreateLedgerBatch(
        items=BatchItems(names, debits, credited, [item.amount for item in items], flags)
    )


async def play(instance: Engine, scope: Scope, names: list[str], chance: random.Random) -> list[Played]:
    """Send batches, two at a time."""
    played: list[Played] = []

    async def send() -> None:
        for _ in range(BATCHES // 2):
            items = draw(chance)
            batch = await instance.do(command(names, items), scope)
            assert isinstance(batch, LedgerBatch)
            played.append((batch, items))

    await asyncio.gather(send(), send())
    return played


@pytest.mark.parametrize("seed", range(2))
async def test_batches_of_two_instances_are_decided_one_after_another(database_url: str, seed: int) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as one, engine(database_url) as other:
        opened = [
            CreateLedgerAccount(currency="usd", code="a", normal_side="C", min_balance=book.least)
            for book in BOOKS
        ]
        names = [(await one.do(account, scope)).id for account in opened]
        async with held_up(database_url, scope):
            # Both have decided their first batches on the same books before either can write.
            players = [
                asyncio.create_task(play(instance, scope, names, random.Random(f"{seed} {number}")))
                for number, instance in enumerate((one, other))
            ]
            await asyncio.sleep(0.1)
        played = [batch for batches in await asyncio.gather(*players) for batch in batches]
    counters = Counters(list(BOOKS))
    refused = 0
    for batch, items in sorted(played, key=lambda one: one[0].sequence):
        codes: list[str | None] = [None] * len(items)
        for code, places in batch.failures.items():
            for place in places:
                codes[place] = code
        # In the order of the sequence, each stands on all that came before it, whichever instance that was.
        assert codes == counters.batch(items, 0)
        refused += len(items) - codes.count(None)
    assert 0 < refused < len(played) * TRANSFERS
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            "select debits_posted, credits_posted, debits_pending, credits_pending from account "
            "where tenant_id = $1 order by account_id",
            scope.tenant_id,
        )
        written = await connection.fetchval(
            "select count(*) from ledger_transfer where tenant_id = $1", scope.tenant_id
        )
    assert [list(row) for row in rows] == [held for _, held in sorted(zip(names, counters.held, strict=True))]
    assert written == len(played) * TRANSFERS - refused
    await check_database(database_url)
