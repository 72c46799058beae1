"""Searches and verifications of one tenant, many at once: what they take from the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from fastpay import limits
from fastpay.store.statements import SQL
from tests.attacks.requests import PATIENCE_SECONDS, Request, send, statuses
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import Tenant, make_tenant

PAYMENT = "amount=500&currency=usd&payment_method=pm_card_visa&confirm=true"
VERIFY = "/v1/ledger/verify"


@pytest.fixture(scope="module")
def running(cluster: Path) -> Iterator[RunningServer]:
    """A server of these tests' own."""
    with running_server("expensive-reads", cluster) as running:
        yield running


@pytest.fixture
def loud(running: RunningServer) -> Tenant:
    """A tenant that asks for too much."""
    return make_tenant(running.database_url)


@pytest.fixture
def quiet(running: RunningServer) -> Tenant:
    """A tenant beside it."""
    return make_tenant(running.database_url)


def searches(key: str, count: int) -> list[Request]:
    """Return searches of which no two are equal."""
    queries = (quote(f"email:'{number}@example.com'") for number in range(count))
    return [Request(f"/v1/customers/search?query={query}", key) for query in queries]


async def until_waiting(connection: Any) -> None:
    """Return once a verification has begun, and everything else that may begin."""
    query = "select count(*) from pg_locks where relation = 'kept_refund'::regclass"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await connection.fetchval(query):  # noqa: ASYNC110  only the database knows
            await asyncio.sleep(0.01)


async def test_verifications_at_once_are_one(running: RunningServer, quiet: Tenant) -> None:
    answers = await send(running.url, [Request(VERIFY, quiet.secret)] * 16, connections=16)
    assert statuses(answers) == {200: 16}


@asynccontextmanager
async def endless_reads(database_url: str, tenant: Tenant) -> AsyncIterator[Any]:
    """Have no search of the tenant end during the block, and no verification of anybody from now on.

    A search of a tenant whose index is far behind waits for its lock; only verifications read refunds here.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "alter table refund rename to kept_refund; "
            "create view refund as select * from kept_refund where (select pg_sleep(60)::text) is not null"
        )
        async with connection.transaction():
            await connection.execute(SQL["search_open"], tenant.tenant_id, False)
            await connection.fetchval(SQL["search_lock"], tenant.tenant_id, False)
            yield connection
    finally:
        await connection.close()


async def test_expensive_reads_of_one_tenant_refuse_nothing_to_another(
    running: RunningServer, loud: Tenant, quiet: Tenant
) -> None:
    # So many that the searches have to carry the index on.
    paid = await send(
        running.url, [Request("/v1/payment_intents", loud.secret, PAYMENT)] * 250, connections=16
    )
    assert statuses(paid) == {200: 250}
    async with endless_reads(running.database_url, loud) as connection:
        verifications = asyncio.create_task(
            send(running.url, [Request(VERIFY, loud.secret)] * 16, connections=16)
        )
        attack = asyncio.create_task(send(running.url, searches(loud.secret, 64), connections=64))
        await until_waiting(connection)
        lists = [Request(f"/v1/customers?limit={limit}", quiet.secret) for limit in range(1, 33)]
        payments = [Request("/v1/payment_intents", quiet.secret, PAYMENT)] * 32
        honest = await asyncio.gather(
            send(running.url, searches(quiet.secret, 32), connections=8),
            send(running.url, lists, connections=8),
            send(running.url, payments, connections=8),
        )
        assert [statuses(answers) for answers in honest] == [{200: 32}] * 3
    answers = await attack
    verifications.cancel()
    refused = [answer for answer in answers if answer.status == 429]
    # What had no place to wait in, at least.
    assert len(refused) >= 64 - limits.tenant_searches_waiting_max - limits.scan_connections_max
    assert {answer.header("retry-after") for answer in refused} == {"1"}
    assert {answer.header("stripe-should-retry") for answer in refused} == {"true"}
    assert all(b'"rate_limit"' in answer.body for answer in refused)
