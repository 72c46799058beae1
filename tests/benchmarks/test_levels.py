"""What a read costs at each level is measured where it is meant to be found."""

import asyncio

import redis

from benchmarks import levels
from fastpay import limits
from fastpay.domain.identifiers import Scope
from tests.support.engine import make_tenant


def test_each_level_finds_its_objects(database_url: str, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    before = limits.copies_worth_min
    try:
        found = asyncio.run(_measure(database_url, redis_url))
    finally:
        limits.copies_worth_min = before
    assert set(found) == {1, 8}
    for measured in found.values():
        assert len(measured) == 9
        assert all(cost > 0 for cost in measured.values())


async def _measure(database_url: str, redis_url: str) -> dict[int, dict[str, float]]:
    scope: Scope = await make_tenant(database_url)
    return await levels._run(database_url, redis_url, scope, 20, 1, (1, 8))
