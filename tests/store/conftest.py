"""What several of the tests on stores begin with."""

import asyncio
from collections.abc import Iterator

import pytest
import redis

from fastpay import limits
from fastpay.store.connections import connected
from tests.store.constraint_cases import prepare
from tests.support.engine import make_tenant
from tests.support.servers import PATIENCE_SECONDS, fresh_database


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what waits for the database wait as long as a busy machine needs: the subject is no deadline."""
    for name in ("begin", "commit", "resolve", "key", "read"):
        monkeypatch.setattr(limits, f"{name}_timeout_ms", PATIENCE_SECONDS * 1000)


@pytest.fixture
def trusted_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis all the time that a busy machine may need, and the benefit of every doubt."""
    monkeypatch.setattr(limits, "redis_timeout_ms", PATIENCE_SECONDS * 1000)
    monkeypatch.setattr(limits, "copies_worth_min", 0)


@pytest.fixture
def cache(redis_url: str) -> redis.Redis:
    """The Redis of these tests, emptied."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    return client


@pytest.fixture(scope="module")
def written_url(postgres_url: str) -> Iterator[str]:
    """A database with the rows that others refer to, for statements that it has to refuse."""

    async def write(url: str) -> None:
        scope = await make_tenant(url)
        async with connected(url) as connection:
            await prepare(connection, scope)

    with fresh_database(postgres_url, template="fastpay") as url:
        asyncio.run(write(url))
        yield url
