"""What several of the tests on stores begin with."""

import pytest
import redis

from fastpay import limits
from tests.support.servers import PATIENCE_SECONDS


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
