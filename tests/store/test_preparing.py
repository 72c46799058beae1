"""What a start asks of the database before anything else, while connections are lost."""

import asyncio

import asyncpg
import pytest

from fastpay import limits
from fastpay.operations import process
from fastpay.store.connections import ConnectionLost, connected
from tests.support.postgres_proxy import Proxy
from tests.support.servers import PATIENCE_SECONDS


async def test_a_start_goes_on_though_its_first_connection_is_lost(database_url: str) -> None:
    """A pooler does that after a restart of PostgreSQL."""
    async with Proxy(database_url) as proxy:
        await process.prepare_database(proxy.url, allow_unsafe=True)
        messages = len(proxy.log)
        assert messages > 3
        for place in range(1, messages, 3):
            proxy.arm("before", place=place)
            await process.prepare_database(proxy.url, allow_unsafe=True)
            assert proxy.struck == 1
            proxy.disarm()


async def test_a_start_ends_if_every_connection_is_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "start_attempts_max", 3)
    asked = 0

    async def lose(*_: object, **__: object) -> bool:
        nonlocal asked
        asked += 1
        raise ConnectionLost("lost")

    monkeypatch.setattr(process, "_inspect", lose)
    with pytest.raises(ConnectionLost):
        await process.prepare_database(database_url, allow_unsafe=True)
    assert asked == 3


async def test_a_lost_connection_is_one_clear_error(database_url: str) -> None:
    async with Proxy(database_url) as proxy:
        with pytest.raises(ConnectionLost, match="was lost; see that PostgreSQL is well"):
            await _ask_after_a_cut(proxy)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    ],
    ids=["shut down", "crashed", "ended between two statements"],
)
async def test_a_server_that_ends_is_a_lost_connection(database_url: str, error: Exception) -> None:
    with pytest.raises(ConnectionLost, match="was lost; see that PostgreSQL is well"):
        async with connected(database_url):
            raise error


async def test_a_connection_that_ended_while_it_was_idle_is_lost(database_url: str) -> None:
    """The driver has noticed it by then, and raises what it raises for a fault of ours, too."""
    with pytest.raises(ConnectionLost, match="was lost; see that PostgreSQL is well"):
        await _ask_after_an_end(database_url)
    with pytest.raises(asyncpg.InterfaceError, match="ours"):
        async with connected(database_url):
            raise asyncpg.InterfaceError("a fault of ours")


async def _ask_after_an_end(database_url: str) -> None:
    async with connected(database_url) as connection:
        own, ended = await connection.fetchval("select pg_backend_pid()"), asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        async with connected(database_url) as other:
            await other.execute("select pg_terminate_backend($1)", own)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ended.wait()
        await connection.fetchval("select 1")


async def _ask_after_a_cut(proxy: Proxy) -> None:
    async with connected(proxy.url) as connection:
        await proxy.cut_all()
        await connection.fetchval("select 1")
