"""A batch of many transfers that is written by several statements of one transaction."""

import asyncio
import itertools
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.identifiers import identifier_at
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import HOLD, BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.engine.background import Background
from fastpay.engine.write.ports import Encoded
from fastpay.engine.write.transactions import Transactions
from fastpay.errors import DatabaseUnavailable
from fastpay.store.batches import PostgresTransaction
from fastpay.store.connections import connected
from tests.support.books import check_database
from tests.support.engine import engine, make_tenant
from tests.support.world import PAY

ACCOUNTS, TRANSFERS, ROWS_MAX = 60, 230, 50
STATEMENTS = -(-TRANSFERS // ROWS_MAX)


class Contended(Background):
    """A process in which two tenants are always active, and nobody ever has a request in progress."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses = 0

    def is_contended(self) -> bool:
        return True

    async def give_way(self, scope: Any, begun_ns: int) -> None:
        self.pauses += 1


def make_batch(accounts: list[str]) -> CreateLedgerBatch:
    """Return transfers between neighbours, every third of them a hold."""
    numbers = range(TRANSFERS)
    return CreateLedgerBatch(
        items=BatchItems(
            accounts,
            [number % ACCOUNTS for number in numbers],
            [(number + 1) % ACCOUNTS for number in numbers],
            [number + 1 for number in numbers],
            [HOLD if number % 3 == 0 else 0 for number in numbers],
            {ROWS_MAX + ROWS_MAX % 3 + 2: 4_000_000_000},
            {ROWS_MAX * 2: {"part": "third"}},
        )
    )


async def test_its_parts_are_the_same_transfers_and_accounts(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "transfers_a_statement_max", ROWS_MAX)
    scope = await make_tenant(database_url)
    seen: list[str] = []
    async with engine(database_url) as instance:
        opened = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
        accounts = [(await instance.do(opened, scope)).id for _ in range(ACCOUNTS)]
        background = Contended()
        instance.writer.loop._committer._transactions = Transactions(instance.batches, background)
        connection = instance.batches._connection
        assert connection is not None
        connection.add_query_logger(lambda record: seen.append(record.query))
        made = instance.submission(make_batch(accounts), scope)
        outcome = await instance.writer.submit(made)
        assert outcome.answer.error is None
        names = [
            identifier_at("ltr", made.moment_ms, outcome.answer.sequence, place) for place in range(TRANSFERS)
        ]
        async with instance.batches.loading() as loader:
            loaded = await loader.load_objects([(scope, name) for name in names])
    writing = [query for query in seen if "insert into ledger_transfer" in query]
    assert len(writing) == STATEMENTS
    assert "book" in writing[0]
    # A pause before each later statement and one before COMMIT; two more statements move accounts.
    assert background.pauses >= STATEMENTS
    rows = {row.object.id: row.object for _, row in loaded if isinstance(row.object, LedgerTransfer)}
    for number, name in enumerate(names):
        row = rows[name]
        assert (row.debit_account, row.credit_account, row.amount, row.phase) == (
            accounts[number % ACCOUNTS],
            accounts[(number + 1) % ACCOUNTS],
            number + 1,
            "hold" if number % 3 == 0 else "posted",
        )
    held = [rows[name].metadata for name in names if rows[name].metadata]
    assert held == [{"part": "third"}]
    await check_database(database_url)


async def test_plain_commands_of_many_tenants_are_written_by_one_statement_and_give_way_to_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "transfers_a_statement_max", 2)
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(9)]
    seen: list[str] = []
    async with engine(database_url) as instance:
        for scope in scopes:
            await instance.do(PAY, scope)
        background = Contended()
        instance.writer.loop._committer._transactions = Transactions(instance.batches, background)
        connection = instance.batches._connection
        assert connection is not None
        connection.add_query_logger(lambda record: seen.append(record.query))
        await asyncio.gather(*(instance.do(PAY, scope) for scope in scopes))
    # The first leaves alone, and the others together.
    assert len([query for query in seen if "insert into transfer" in query]) <= 2
    assert background.pauses == 0
    await check_database(database_url)


async def test_a_connection_lost_between_two_parts_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "transfers_a_statement_max", ROWS_MAX)
    scope = await make_tenant(database_url)
    lost = itertools.count(1)
    write = PostgresTransaction.write_more

    async def lose(transaction: PostgresTransaction, encoded: Encoded) -> None:
        if next(lost) % 2 == 0:
            transaction._connection.terminate()
        await write(transaction, encoded)

    async with engine(database_url) as instance:
        opened = CreateLedgerAccount(currency="usd", code="wallet", normal_side="C")
        accounts = [(await instance.do(opened, scope)).id for _ in range(ACCOUNTS)]
        instance.writer.loop._committer._transactions = Transactions(instance.batches, Contended())
        monkeypatch.setattr(PostgresTransaction, "write_more", lose)
        with pytest.raises(DatabaseUnavailable):
            await instance.do(make_batch(accounts), scope)
    assert next(lost) > limits.commit_attempts_max
    async with connected(database_url) as connection:
        assert await connection.fetchval("select count(*) from ledger_transfer") == 0
    await check_database(database_url)
