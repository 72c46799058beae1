"""What a statement was sent to is ended before anybody looks for what it has written."""

import asyncio
import datetime as dt

import asyncpg
import pytest

from fastpay.store import lost_commits
from fastpay.store.connections import connected
from fastpay.store.lost_commits import Backend
from tests.support.servers import PATIENCE_SECONDS


async def test_a_backend_is_ended_and_then_nothing_more_comes_from_it(database_url: str) -> None:
    async with connected(database_url) as lost, connected(database_url) as other:
        await lost.execute("create table kept (number integer)")
        backend = await lost_commits.backend_of(lost)
        has_ended = lost_commits.by_backend(backend)
        # It has not begun by now: without an end it would write after somebody has looked.
        writing = asyncio.create_task(
            lost.execute("with waits as (select pg_sleep(1)) insert into kept select 1 from waits")
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await has_ended(other):  # noqa: ASYNC110  only the database knows
                await asyncio.sleep(0.005)
        with pytest.raises((asyncpg.PostgresError, ConnectionError)):
            await writing
        assert await other.fetchval("select count(*) from kept") == 0
        running = "select count(*) from pg_stat_activity where pid = $1"
        assert await other.fetchval(running, backend.pid) == 0


async def test_a_process_that_was_started_later_is_not_ended(database_url: str) -> None:
    async with connected(database_url) as later, connected(database_url) as other:
        backend = await lost_commits.backend_of(later)
        earlier = Backend(backend.pid, backend.started - dt.timedelta(microseconds=1))
        assert await lost_commits.by_backend(earlier)(other)
        assert await later.fetchval("select 1") == 1
