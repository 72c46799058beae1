"""The table of the request log: what is kept is found once by its tenant, and dropped in time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.engine.request_log_ports import LoggedError, LoggedRequest
from fastpay.errors import DatabaseUnavailable
from fastpay.store.connections import connected
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.request_log import PostgresRequestLog
from tests.support.engine import engine, make_tenant

FULL = LoggedRequest(
    request_id="req_4a1c5d2e7f0b3a6c9d8e1f20",
    scope=Scope("0" * 32, False),
    moment_ms=0,
    duration_us=1_500,
    method="POST",
    path="/v1/payment_intents",
    status=402,
    key_id="10a48858-c7cf-4fa9-8270-6bf9b074befc",
    idempotency_key="order 6735",
    original_request_id="req_000000000000000000000001",
    parameters='{"amount":5}',
    object_id="pi_01a226b25eb6700081a770c523a310ef",
    sequence=7,
    error=LoggedError(
        "card_error", "card_declined", "insufficient_funds", "amount", "Your card was declined."
    ),
    user_agent="Stripe/v1",
)


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[tuple[PostgresRequestLog, Any]]:
    """Open the log, and a connection beside it."""
    settings = DatabaseSettings(url=database_url, session_state=True)
    async with engine(database_url) as instance, connected(database_url) as beside:
        pool = ReaderPool(settings, connections_max=1)
        try:
            yield PostgresRequestLog(instance.reads, pool), beside
        finally:
            await pool.close()


async def partitions(beside: Any) -> list[str]:
    """Return the days of the partitions there are."""
    found = await beside.fetch(
        "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid "
        "where inhparent = 'request_log'::regclass order by relname",
    )
    return [row["relname"].removeprefix("request_log_") for row in found]


def day(distance: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=distance):%Y%m%d}"


async def make_day(beside: Any, distance: int) -> None:
    """Make the partition of a day."""
    await beside.execute(
        f"create table request_log_{day(distance)} partition of request_log "
        f"for values from ('{day(distance)} 00:00:00+00') to ('{day(distance + 1)} 00:00:00+00')"
    )


async def test_a_request_is_found_as_it_was_kept_by_its_tenant_and_mode_only(database_url: str) -> None:
    scope = await make_tenant(database_url)
    full = msgspec.structs.replace(FULL, scope=scope, moment_ms=now_ms())
    least = LoggedRequest(
        request_id="req_000000000000000000000002",
        scope=scope,
        moment_ms=now_ms(),
        duration_us=0,
        method="GET",
        path="/",
        status=200,
    )
    async with opened(database_url) as (log, beside):
        await log.make_partitions()
        await log.write([full, least])
        # A batch whose answer was lost is sent again.
        await log.write([least, full])
        assert [await log.find(scope, one.request_id) for one in (full, least)] == [full, least]
        for other in (Scope(scope.tenant_id, True), Scope("f" * 32, False)):
            assert await log.find(other, full.request_id) is None
        assert await beside.fetchval("select count(*) from request_log") == 2


async def test_a_day_without_a_partition_is_refused_and_made(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with opened(database_url) as (log, beside):
        request = msgspec.structs.replace(FULL, scope=scope, moment_ms=now_ms())
        with pytest.raises(DatabaseUnavailable):
            await log.write([request])
        await log.make_partitions()
        await log.make_partitions()
        assert await partitions(beside) == [day(distance) for distance in range(-1, 4)]
        await log.write([request])


async def test_what_is_older_than_the_retention_is_dropped_and_nothing_else(database_url: str) -> None:
    async with opened(database_url) as (log, beside):
        await log.make_partitions()
        for distance in (-40, -8, -7, -6):
            await make_day(beside, distance)
        await log.drop_partitions(retention_days=7)
        assert await partitions(beside) == [day(distance) for distance in (-7, -6, *range(-1, 4))]
        await log.drop_partitions(retention_days=0)
        assert await partitions(beside) == [day(distance) for distance in range(4)]


async def test_a_partition_that_is_in_use_is_left_for_the_next_time(database_url: str) -> None:
    async with opened(database_url) as (log, beside):
        for distance in (-40, -39):
            await make_day(beside, distance)
        async with beside.transaction():
            await beside.execute(f"lock table request_log_{day(-40)} in access share mode")
            await log.drop_partitions(retention_days=7)
            assert await partitions(beside) == [day(-40)]
        await log.make_partitions()
        await log.drop_partitions(retention_days=7)
        assert await partitions(beside) == [day(distance) for distance in range(-1, 4)]


async def test_parameters_are_bounded(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with opened(database_url) as (log, _):
        await log.make_partitions()
        long = msgspec.structs.replace(FULL, scope=scope, moment_ms=now_ms(), parameters="x" * 4_097)
        with pytest.raises(DatabaseUnavailable) as refused:
            await log.write([long])
        assert isinstance(refused.value.__cause__, asyncpg.CheckViolationError)
