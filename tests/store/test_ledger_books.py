"""What verification finds of tampering with clients' ledger, and that lookups in it stay lookups."""

import json
from typing import Any

import pytest

from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_transfers import CreateLedgerTransfer, PostLedgerTransfer
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statements import SQL
from tests.support.engine import Engine, engine, make_tenant

# What is changed behind the ledger's back, and a word of each problem that verification then names.
TAMPERED = {
    "update account set debits_posted = debits_posted + 1, credits_posted = credits_posted + 1": [
        "last transfer"
    ],
    "update account set min_balance = 1000": ["below its min_balance"],
    "insert into ledger_expiry (tenant_id, livemode, sequence, position, expires_at) "
    "select tenant_id, livemode, hold_sequence, hold_position, now() from ledger_transfer where phase = 3": [
        "but it has ended"
    ],
    "delete from ledger_expiry": ["has no row with its expiry"],
    "update ledger_transfer set amount = 1000 where phase = 3": ["was ended 1 times, by 1000"],
    "update ledger_transfer set expires_at = null": ["has no row with its expiry"],
    "update event set type = 'gone' where type = 'ledger.transfer.posted'": ["have 0 events"],
}


async def fill(instance: Engine, scope: Any) -> list[str]:
    """Move something, hold something, post a hold, and make a batch; return the two accounts."""
    names = [
        (await instance.do(CreateLedgerAccount(currency="usd", code="a", normal_side="C"), scope)).id
        for _ in "ab"
    ]
    later = 4_000_000_000
    for expires_at in (later, None):
        hold = CreateLedgerTransfer(
            debit_account=names[0], credit_account=names[1], amount=9, is_hold=True, expires_at=expires_at
        )
        made = await instance.do(hold, scope)
    await instance.do(PostLedgerTransfer(id=made.id, amount=4), scope)
    items = BatchItems(names, [0, 1, 0], [1, 0, 1], [5, 6, 7], [0, 0, HOLD], {2: later})
    await instance.do(CreateLedgerBatch(items=items), scope)
    return names


@pytest.mark.parametrize("statement", TAMPERED)
async def test_verification_finds_what_was_tampered_with(database_url: str, statement: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        await fill(instance, scope)
        assert (await instance.reads.verify(scope)).problems == ()
        async with connected(database_url) as connection:
            # Without triggers, which check and protect rows.
            await connection.execute("set session_replication_role = replica")
            await connection.execute(statement)
        problems = (await instance.reads.verify(scope)).problems
    for word in TAMPERED[statement]:
        assert any(word in problem for problem in problems), problems


async def test_pages_and_balances_cost_the_same_however_long_the_history(database_url: str) -> None:
    """By the buffers that a statement touches, on a short history and on one a hundred times as long."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        names = await fill(instance, scope)
        touched = []
        account = names[0][5:]
        for _ in range(2):
            reader = await connect(DatabaseSettings(url=database_url))
            try:
                bounds = (2**47, 0, 0, 0)
                touched.append(
                    [
                        await buffers(reader, "list_entries", *scope, account, *bounds, False, 4),
                        await buffers(reader, "list_entries", *scope, account, *bounds, True, 4),
                        await buffers(reader, "list_ledger_transfers", *scope, *bounds, False, 4),
                        await buffers(reader, "load_accounts_at", *scope, [account], 4),
                        await buffers(reader, "list_due_holds", 2),
                    ]
                )
            finally:
                await reader.close()
            items = BatchItems(names, [0] * 2000, [1] * 2000, [1] * 2000, [0] * 2000)
            await instance.do(CreateLedgerBatch(items=items), scope)
    short, long = touched
    assert all(after <= before + 24 for before, after in zip(short, long, strict=True)), touched


async def buffers(connection: Any, statement: str, *arguments: Any) -> int:
    """Return how many buffers a statement touches. The driver's connection has no types."""
    explained = await connection.fetchval(
        f"explain (analyze, buffers, format json) {SQL[statement]}", *arguments
    )
    plan = json.loads(explained)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
