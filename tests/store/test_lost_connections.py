"""Connections that end in the middle of a batch: every payment once, every answer true."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.write.ports import BatchTransaction
from fastpay.errors import DatabaseUnavailable
from fastpay.store.connections import connected
from fastpay.store.statement_times import TimedConnection
from tests.support.engine import check_books, engine, make_tenant, read_objects, write_in_blocks
from tests.support.world import PAY


async def count_payments(database_url: str, scope: Scope) -> int:
    """Return how many payments a tenant has."""
    async with connected(database_url) as connection:
        count: int = await connection.fetchval(
            "select count(*) from payment_intent where tenant_id = $1", scope.tenant_id
        )
    return count


class Interrupted:
    """Wraps the work of a batch: something happens once, after the writes and before COMMIT."""

    def __init__(self, batches: Any, happens: Any) -> None:
        self._run_batch = batches.run_batch
        self._happens = happens
        self.times = 0

    async def run_batch(self, work: Any, **options: Any) -> None:
        """Run the batch with the interruption in it."""

        async def interrupted(transaction: BatchTransaction) -> None:
            await work(transaction)
            self.times += 1
            if self.times == 1:
                await self._happens(transaction)

        await self._run_batch(interrupted, **options)


@pytest.mark.parametrize("session_state", [True, False])
async def test_a_connection_ended_before_commit_is_opened_again_and_the_batch_written_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch, session_state: bool
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, session_state=session_state) as instance:
        await instance.submit(PAY, scope)

        async def end_it(transaction: Any) -> None:
            pid = await transaction._connection.fetchval("select pg_backend_pid()")
            async with connected(database_url) as other:
                assert await other.fetchval("select pg_terminate_backend($1, 5000)", pid)

        interrupted = Interrupted(instance.batches, end_it)
        monkeypatch.setattr(instance.batches, "run_batch", interrupted.run_batch)
        write_in_blocks(monkeypatch, instance.batches)
        outcomes = await asyncio.gather(
            *(instance.submit(PAY, scope, key=f"k{number}") for number in range(5))
        )
    assert interrupted.times == 2
    assert [outcome.answer.error for outcome in outcomes] == [None] * 5
    assert await count_payments(database_url, scope) == 6
    await check_books(database_url, scope)


async def test_idle_connections_that_were_ended_are_opened_again(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        paid = await instance.do(PAY, scope)
        assert await read_objects(instance.reads, scope, [paid.id])
        async with connected(database_url) as other:
            await other.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        assert (await instance.submit(PAY, scope)).answer.error is None
        assert await read_objects(instance.reads, scope, [paid.id])
    await check_books(database_url, scope)


async def test_a_database_that_is_away_is_said_to_be_away(database_url: str, tmp_path: Path) -> None:
    scope = await make_tenant(database_url)
    nowhere = f"postgresql://fastpay@/nothing?host={tmp_path}"
    async with engine(database_url, writer_url=nowhere) as instance:
        with pytest.raises(DatabaseUnavailable):
            await instance.submit(PAY, scope)
    assert await count_payments(database_url, scope) == 0


async def test_a_connection_that_the_driver_is_confused_about_is_not_used_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    confused: list[asyncpg.Connection] = []
    whole = {name: getattr(TimedConnection, name) for name in ("fetch", "fetchrow", "fetchval")}

    def failing_once(name: str) -> Any:
        async def fail_once(connection: asyncpg.Connection, *arguments: Any, **options: Any) -> Any:
            if not confused:
                confused.append(connection)
            if connection is confused[0]:
                # What it says where the server's farewell is read together with the answer before it.
                raise asyncpg.InternalClientError("cannot switch to state 12")
            return await whole[name](connection, *arguments, **options)

        return fail_once

    async with engine(database_url) as instance:
        paid = await instance.do(PAY, scope)
        for name in whole:
            monkeypatch.setattr(TimedConnection, name, failing_once(name))
        assert len(await read_objects(instance.reads, scope, [paid.id])) == 1
        assert confused.pop().is_closed()
        assert (await instance.submit(PAY, scope)).answer.error is None
        assert confused.pop().is_closed()
        monkeypatch.undo()
    await check_books(database_url, scope)
