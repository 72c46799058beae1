"""A crash makes PostgreSQL forget transactions that it numbered, and number others the same."""

from typing import Any

import pytest

from fastpay.engine.write.ports import BatchWork
from fastpay.store.connections import connected
from tests.support.engine import engine, make_tenant, write_in_blocks
from tests.support.postgres_proxy import Proxy
from tests.support.world import PAY


async def committed_transaction(database_url: str) -> str:
    """Return the number of a transaction that was committed, and is not ours."""
    async with connected(database_url) as connection:
        return str(await connection.fetchval("select pg_current_xact_id()::text"))


@pytest.mark.parametrize("number", ["given out again", "in the future"])
async def test_a_lost_commit_is_not_taken_for_anothers(
    database_url: str, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    scope = await make_tenant(database_url)
    other = await committed_transaction(database_url) if number == "given out again" else str(1 << 40)
    async with Proxy(database_url) as proxy:
        async with engine(database_url, writer_url=proxy.url) as instance:
            run_batch = instance.batches.run_batch

            async def run_renumbered(work: BatchWork, **options: Any) -> None:
                async def renumbered(transaction: Any) -> None:
                    await work(transaction)
                    transaction.transaction_id = other

                await run_batch(renumbered, **options)

            monkeypatch.setattr(instance.batches, "run_batch", run_renumbered)
            write_in_blocks(monkeypatch, instance.batches)
            proxy.arm("before", name="commit")
            outcome = await instance.submit(PAY, scope)
        assert proxy.struck == 1
    assert outcome.answer.error is None
    async with connected(database_url) as connection:
        assert await connection.fetchval("select count(*) from payment_intent") == 1
