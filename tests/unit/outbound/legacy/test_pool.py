"""Which address is connected to, and what a lookup that takes long or fails costs."""

import asyncio
from typing import Any

import pytest

from fastpay import limits
from fastpay.errors import LegacyUnavailable
from tests.unit.outbound.legacy.older import asking, here, whole

DEAD = "192.0.2.1"
OK = b"ok"


@pytest.fixture
async def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to, of which one never answers."""
    loop, addresses = asyncio.get_running_loop(), list[str]()
    connect = loop.create_connection

    async def create_connection(factory: Any, host: str, *arguments: Any, **options: Any) -> Any:
        addresses.append(host)
        if host == DEAD:
            await asyncio.Event().wait()
        return await connect(factory, host, *arguments, **options)

    monkeypatch.setattr(loop, "create_connection", create_connection)
    return addresses


async def test_an_address_that_does_not_answer_costs_its_part_of_the_time_once(
    tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "legacy_connect_ms", 1_000)

    async def resolve(name: str, port: int) -> list[Any]:
        return [(0, 0, 0, "", (DEAD, port)), *await here(name, port)]

    async with asking(resolve=resolve, idle_ms=100) as (_, client):
        assert await whole(client) == OK
        assert tried == [DEAD, "127.0.0.1"]
        # Also after the name was looked up again, with the addresses in the order of before.
        client._pool._resolved_s = 0.0
        await asyncio.gather(whole(client), whole(client))
        assert DEAD not in tried[2:]


async def test_a_lookup_that_nobody_waits_for_any_more_is_of_use_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "legacy_connect_ms", 20)
    resolved, answered = [], asyncio.Event()

    async def resolve(name: str, port: int) -> list[Any]:
        resolved.append(name)
        await answered.wait()
        return await here(name, port)

    async with asking(resolve=resolve) as (_, client):
        for _ in range(2):
            with pytest.raises(LegacyUnavailable):
                await whole(client)
        answered.set()
        monkeypatch.setattr(limits, "legacy_connect_ms", 60_000)
        assert await whole(client) == OK
        assert len(resolved) == 1


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "takes long"])
async def test_addresses_that_are_known_serve_while_a_lookup_does_not(fails: bool) -> None:
    resolved = []

    async def resolve(name: str, port: int) -> list[Any]:
        resolved.append(name)
        if len(resolved) > 1:
            if fails:
                raise OSError("no server of names can be reached")
            await asyncio.Event().wait()
        return await here(name, port)

    async with asking(resolve=resolve) as (older, client):
        assert await whole(client) == OK
        client._pool._resolved_s = 0.0
        assert list(await asyncio.gather(whole(client), whole(client))) == [OK, OK]
        assert (len(resolved), len(older.requests)) == (2, 2)


async def test_of_a_connection_that_ended_at_once_nothing_is_said_to_be_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def create_connection(*arguments: Any, **options: Any) -> Any:
        made = transport, connection = await connect(*arguments, **options)
        # Its end is noticed before the request that waits for it goes on.
        transport.abort()
        while connection.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return made

    monkeypatch.setattr(loop, "create_connection", create_connection)
    async with asking() as (_, client):
        with pytest.raises(LegacyUnavailable):
            await whole(client, "POST")
