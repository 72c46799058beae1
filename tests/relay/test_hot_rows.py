"""Beside one old snapshot a payment and its deliveries go on reading as much as at first.

Each payment writes a new version of its book and of two accounts, and nobody may remove the versions
before while a transaction that sees them is open. PostgreSQL counts what is read, whatever statement,
trigger or instance reads it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastpay.store.connections import connected
from tests.relay.shop import ENVIRONMENT, Shop
from tests.support.api import open_async_client
from tests.support.receiver import Receiver
from tests.support.servers import RunningServer, running_server

PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
HUNDRED, BETWEEN = 100, 300
# How much more may be read, and what counts as nothing.
GROWTH, LEAST = 1.5, 1.0
# The beats of a lease are read each time, and there are none before the start.
ELSEWHERE = ("webhook_instance",)
# Of events there are no older versions, and how many of them the relay reads at once is the machine's.
ONE_VERSION = ("event",)
# A backend tells what it has read with its next transaction, if a second has passed since it told last.
TOLD_SECONDS = 1.1
READ = """
select relname, indexrelname, idx_scan, idx_tup_read, 0
from pg_stat_user_indexes
union all
select relname, '', coalesce(idx_scan, 0), 0, heap_blks_hit + heap_blks_read
from pg_statio_user_tables
join pg_stat_user_tables using (relid, relname)
"""
# Each number of the sequence is an event, and each record of the relay the next position.
IS_TOLD = """
select
    (select sum(sequence) from book) = all (
        select n_tup_ins from pg_stat_user_tables where relname = 'event'
        union all
        select newest.position
    )
    and newest.number = (select n_tup_ins from pg_stat_user_tables where relname = 'webhook_position')
from (
    select position, number
    from webhook_position
    order by tenant_id desc, livemode desc, webhook_endpoint_id desc, number desc
    limit 1
) as newest
"""


@pytest.fixture
def own_server(cluster: Path) -> Iterator[RunningServer]:
    """A server with a database of its own: PostgreSQL counts what all do that use one."""
    environment = {**ENVIRONMENT, "FASTPAY_HOMES": "false"}
    with running_server("hot-rows", cluster, environment=environment) as running:
        yield running


async def pay(shop: Shop, count: int) -> None:
    """Make payments one by one."""
    async with open_async_client(shop.server.url, shop.tenant.secret) as client:
        for _ in range(count):
            answer = await client.post("/v1/payment_intents", data=PAYMENT)
            assert answer.status_code == 200, answer.text


async def told(looking: Any, shop: Shop) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return the scans, entries and blocks of each index and table, once everything is delivered and told."""
    while True:
        await asyncio.sleep(TOLD_SECONDS)
        await pay(shop, 1)
        await asyncio.sleep(TOLD_SECONDS)
        if await looking.fetchval(IS_TOLD):
            return {(row[0], row[1]): tuple(row)[2:] for row in await looking.fetch(READ)}


async def read_by_payments(looking: Any, shop: Shop) -> dict[str, float]:
    """Make a hundred payments, and return what a scan of each index reads, and of each table."""
    before = await told(looking, shop)
    await pay(shop, HUNDRED)
    after = await told(looking, shop)
    found = {}
    for (table, index), now in after.items():
        scans, entries, blocks = (
            number - then for number, then in zip(now, before.get((table, index), (0, 0, 0)), strict=True)
        )
        if scans < (HUNDRED // 5 if index else HUNDRED) or table in ELSEWHERE:
            continue
        if index or table not in ONE_VERSION:
            found[index or table] = (entries if index else blocks) / scans
    return found


async def test_a_payment_reads_as_much_after_hundreds_beside_one_old_snapshot(
    own_server: RunningServer, receiver: Receiver
) -> None:
    shop = await asyncio.to_thread(Shop, own_server)
    await asyncio.to_thread(lambda: receiver.behave(hot="tenth"))
    await asyncio.to_thread(shop.endpoint, f"{receiver.url}/hot", "*")
    url = own_server.database_url
    async with connected(url) as old, connected(url) as looking:
        await pay(shop, HUNDRED)
        await old.execute("begin isolation level repeatable read")
        await old.fetch("select count(*) from event")
        first = await read_by_payments(looking, shop)
        await pay(shop, BETWEEN)
        # As autovacuum does once a minute: what is then known of the tables must not change what is read.
        await looking.execute("analyze")
        last = await read_by_payments(looking, shop)
        await old.execute("commit")
    assert first.keys() >= {
        "account_pkey",
        "book_pkey",
        "event_pkey",
        "webhook_exception_pkey",
        "book",
        "account",
    }
    grown = {
        name: (first[name], count)
        for name, count in last.items()
        if name in first and count > GROWTH * max(first[name], LEAST)
    }
    assert grown == {}
    refused = [line for line in receiver.got("hot") if not line["ok"]]
    assert len(refused) > HUNDRED // 10
