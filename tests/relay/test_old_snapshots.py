"""A transaction that stays open for long does not make the next events dearer to read."""

import json
import statistics
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain import events
from fastpay.domain.identifiers import Scope
from fastpay.store.connections import connected
from fastpay.store.events import _EARLIEST, _LATEST
from fastpay.store.statements import SQL
from tests.relay.instances import cursor, instance, is_delivered, until
from tests.support.engine import make_tenant
from tests.support.receiver import Receiver

pytestmark = pytest.mark.anyio

ROUNDS, EVENTS = 8, 20


async def touched(connection: Any, scope: Scope, above: int) -> int:
    """Return how many buffers the read of the next events touches."""
    below, types = above + limits.event_numbers_examined_max, sorted(events.TYPES)
    bounds = (_EARLIEST, _LATEST, limits.event_numbers_examined_max)
    arguments: tuple[Any, ...] = ([], False, *scope, below, above, True, EVENTS, types, [], *bounds)
    statement = f"explain (analyze, buffers, format json) {SQL['list_events']}"
    (row,) = await connection.fetch(statement, *arguments)
    plan = json.loads(row[0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def test_events_are_read_for_the_same_while_one_old_snapshot_is_open(
    database_url: str, receiver: Receiver
) -> None:
    """A queue of rows would read more and more dead ones. The log has none."""
    scope = await make_tenant(database_url)
    counts: list[int] = []
    async with (
        instance(database_url) as one,
        connected(database_url) as old,
        connected(database_url) as reading,
    ):
        endpoint = await one.endpoint(scope, f"{receiver.url}/snapshot", "customer.*")
        await old.execute("begin isolation level repeatable read")
        await old.fetch("select count(*) from event")
        for _ in range(ROUNDS):
            before = (await cursor(database_url, endpoint))["last"]
            await one.make_events(scope, EVENTS)
            await until(lambda: is_delivered(database_url, endpoint))
            counts.append(await touched(reading, scope, before))
        await old.execute("commit")
        (row,) = await reading.fetch("select n_dead_tup from pg_stat_user_tables where relname = 'event'")
        assert row["n_dead_tup"] == 0
    half = ROUNDS // 2
    assert statistics.median(counts[half:]) <= 1.25 * statistics.median(counts[:half])
    assert len(receiver.acknowledged("snapshot")) == ROUNDS * EVENTS
