"""Connections that tasks share: who gets which, and what becomes of those that nobody uses."""

import asyncio
from typing import Any

import asyncpg
import pytest

from fastpay import limits
from fastpay.engine.failures import TransientFailure
from fastpay.store.batches import PostgresBatches
from fastpay.store.pool import ReaderPool, due
from fastpay.store.postgres import Connection, DatabaseSettings
from fastpay.store.shared_connections import SharedConnections


async def take_and_wait(connections: SharedConnections) -> "asyncio.Task[Connection]":
    """Return a task that waits for a connection, and is in line."""
    task = asyncio.create_task(connections.take())
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_the_connection_that_was_used_last_is_used_next_and_by_one_task(database_url: str) -> None:
    connections = SharedConnections(DatabaseSettings(url=database_url), 2)
    assert connections.take_idle() is None
    one, other = await connections.take(), await connections.take()
    assert one is not other
    connections.give_back(one)
    connections.give_back(other)
    assert [connections.take_idle(), connections.take_idle(), connections.take_idle()] == [other, one, None]
    connections.give_back(one)
    connections.give_back(other)
    await connections.close()
    assert one.is_closed()
    with pytest.raises(asyncpg.InterfaceError):
        await connections.take()


async def test_tasks_get_connections_in_the_order_in_which_they_came(database_url: str) -> None:
    connections = SharedConnections(DatabaseSettings(url=database_url), 1)
    one = await connections.take()
    first, second, third, fourth = [await take_and_wait(connections) for _ in range(4)]
    # One leaves the line, and another one is cancelled in the turn in which it gets the connection.
    second.cancel()
    connections.give_back(one)
    first.cancel()
    assert await third is one
    assert await asyncio.gather(first, second, return_exceptions=True)
    assert (first.cancelled(), second.cancelled()) == (True, True)
    # A connection that ended is replaced by the next in line.
    one.terminate()
    connections.give_back(one)
    another = await fourth
    assert another is not one
    closing = asyncio.create_task(connections.close())
    await asyncio.sleep(0)
    assert not closing.done()
    connections.give_back(another)
    await closing


async def test_whoever_cannot_connect_lets_the_next_one_try(database_url: str) -> None:
    settings = DatabaseSettings(url=database_url.replace("/test", "/nothing"))
    connections = SharedConnections(settings, 1)
    failed = await asyncio.gather(*(connections.take() for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in failed} == {asyncpg.InvalidCatalogNameError}
    await connections.close()


async def test_no_other_task_goes_on_with_a_transaction(database_url: str) -> None:
    connections = SharedConnections(DatabaseSettings(url=database_url), 1)
    one = await connections.take()
    await one.execute("begin")
    connections.give_back(one)
    other = await connections.take()
    assert (one.is_closed(), other.is_in_transaction()) == (True, False)
    connections.give_back(other)
    await connections.close()


async def test_connections_that_are_idle_for_long_are_closed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "database_idle_ms", 50)
    connections = SharedConnections(DatabaseSettings(url=database_url), 3)
    used, *idle = [await connections.take() for _ in range(3)]
    for one in idle:
        connections.give_back(one)
    while not all(one.is_closed() for one in idle):  # noqa: ASYNC110  what it waits for has no event
        await asyncio.sleep(0.01)
    assert not used.is_closed()
    # Their places are free.
    again = [await connections.take() for _ in range(2)]
    for one in (used, *again):
        connections.give_back(one)
    await connections.close()


async def test_a_block_that_takes_too_long_is_ended_and_its_connection_not_used_again(
    database_url: str,
) -> None:
    pool = ReaderPool(DatabaseSettings(url=database_url), connections_max=1)
    async with pool.lend() as first:
        pass
    with pytest.raises(TimeoutError):
        async with pool.lend(until=due(20)) as late:
            await late.fetch("select pg_sleep(60)")
    assert late is first
    async with pool.lend() as other:
        assert other is not first
        waiting = asyncio.create_task(pool.fetch("select 1"))
        await asyncio.sleep(0)
        assert pool.state() == {"connections_max": 1, "open": 1, "used": 1, "waiting": 1}
        assert await other.fetchval("select 1") == 1
    await waiting
    assert pool.state() == {"connections_max": 1, "open": 1, "used": 0, "waiting": 0}
    await pool.close()


async def test_a_connection_that_is_aborted_between_two_steps_of_the_driver_was_too_slow(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = asyncpg.Connection._get_statement

    async def prepare_slowly(connection: Connection, *arguments: Any, **options: Any) -> Any:
        statement = await prepare(connection, *arguments, **options)
        while not connection.is_closed():  # noqa: ASYNC110  what it waits for has no event
            await asyncio.sleep(0.005)
        return statement

    pool = ReaderPool(DatabaseSettings(url=database_url), connections_max=1)
    batches = PostgresBatches(DatabaseSettings(url=database_url))
    async with pool.lend():
        pass

    async def work(transaction: Any) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(asyncpg.Connection, "_get_statement", prepare_slowly)
            await transaction.lock_books([])

    await batches.run_batch(lambda transaction: transaction.lock_books([]))
    with pytest.raises(TransientFailure):
        await batches.run_batch(work, timeout_ms=50)
    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "_get_statement", prepare_slowly)
        with pytest.raises(TimeoutError):
            async with pool.lend(until=due(50)) as connection:
                await connection.fetch("select 1")
    await pool.close()
    await batches.close()
