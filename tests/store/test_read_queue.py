"""Reads when there are more of them than connections, or the database does not answer."""

import asyncio

import pytest

from fastpay import limits
from fastpay.api.search import parse
from fastpay.domain import kinds
from fastpay.engine.ports import Filter, Page
from fastpay.errors import DatabaseUnavailable, Overloaded, RateLimited
from fastpay.store.connections import connected
from fastpay.store.keyring import PostgresKeyRing
from tests.support.engine import CLOCK, engine, make_tenant
from tests.support.servers import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever waits wait for as long as a busy machine needs."""
    for name in ("read_timeout_ms", "key_timeout_ms", "search_statement_timeout_ms"):
        monkeypatch.setattr(limits, name, PATIENCE_SECONDS * 1000)


async def test_more_reads_than_may_wait_are_refused_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(4)]
    monkeypatch.setattr(limits, "queued_reads_max", 3)
    async with engine(database_url) as instance:
        # Both of its connections are lent to somebody else.
        async with instance.pool.lend(), instance.pool.lend():
            # One has its turn and waits for a connection, the others for their turns.
            waiting = [
                asyncio.create_task(instance.reads.list_accounts(scope)) for scope in (*scopes[:3], scopes[0])
            ]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await instance.reads.list_accounts(scopes[3])
            # What is expensive has connections of its own.
            assert (await instance.reads.verify(scopes[3])).problems == ()
            assert not any(task.done() for task in waiting)
        assert await asyncio.gather(*waiting) == [[], [], [], []]
        assert await instance.reads.list_accounts(scopes[0]) == []


async def test_a_tenant_whose_line_is_full_is_refused_and_no_other_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, few = [await make_tenant(database_url, f"shop {number}") for number in range(2)]
    monkeypatch.setattr(limits, "tenant_lists_waiting_max", 3)
    async with engine(database_url) as instance:
        async with instance.pool.lend(), instance.pool.lend():
            waiting = [asyncio.create_task(instance.reads.list_accounts(many)) for _ in range(4)]
            await asyncio.sleep(0)
            with pytest.raises(RateLimited):
                await instance.reads.list_accounts(many)
            waiting.append(asyncio.create_task(instance.reads.list_accounts(few)))
        assert await asyncio.gather(*waiting) == [[]] * 5


async def test_a_read_does_not_wait_for_a_connection_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        async with instance.pool.lend(), instance.pool.lend():
            with monkeypatch.context() as patched:
                patched.setattr(limits, "read_timeout_ms", 20)
                with pytest.raises(DatabaseUnavailable):
                    await instance.reads.list_accounts(scope)
        assert await instance.reads.list_accounts(scope) == []


async def test_a_key_is_not_looked_for_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(database_url) as instance:
        keys = PostgresKeyRing(instance.pool, clock=CLOCK, cache_ms=0)
        async with instance.pool.lend(), instance.pool.lend():
            # Only while nothing can come of it.
            with monkeypatch.context() as patched:
                patched.setattr(limits, "key_timeout_ms", 20)
                with pytest.raises(DatabaseUnavailable):
                    await keys.authenticate("sk_test_none")
                # The look-up that the next request would join has given up as well.
                while keys._asking:  # noqa: ASYNC110  a few turns of the loop
                    await asyncio.sleep(0)
        assert await keys.authenticate("sk_test_none") is None


async def test_what_reads_whole_tables_leaves_connections_to_the_rest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    monkeypatch.setattr(limits, "scan_wait_timeout_ms", 300)
    query = parse("name:'nobody'", kinds.CUSTOMER)
    async with engine(database_url) as instance, connected(database_url) as blocker:
        keys = PostgresKeyRing(instance.pool, clock=CLOCK, cache_ms=0)
        async with blocker.transaction():
            # Whoever searches or verifies now, waits.
            await blocker.execute("lock table event, account in access exclusive mode")
            search = asyncio.create_task(instance.reads.search(scope, query, Page(limit=1)))
            verification = asyncio.create_task(instance.reads.verify(scope))
            waiting = "select count(*) from pg_locks where not granted"
            while not await blocker.fetchval(waiting):  # noqa: ASYNC110  only the database knows
                await asyncio.sleep(0.005)
            assert await keys.authenticate("sk_test_none") is None
            # Of the same tenant another one waits for them, and for itself alone.
            with pytest.raises(RateLimited):
                await instance.reads.verify(scope)
            assert await instance.reads.list_objects(scope, Filter(kind="cus"), Page(limit=1)) == []
        assert await search == []
        assert (await verification).problems == ()
