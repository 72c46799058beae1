"""The processor time of backends is that of one database's, from when the counting began."""

import asyncio

import pytest

from benchmarks.load.backends import BackendTime
from fastpay.store.connections import connected

# Takes some ticks of processor time.
_WORK = "select count(*) from generate_series(1, 1000000)"


@pytest.mark.parametrize("is_counted", [True, False])
async def test_backends_of_one_database_are_counted(
    is_counted: bool, postgres_url: str, database_url: str
) -> None:
    name = database_url.partition("@/")[2].partition("?")[0]
    async with connected(database_url) as early, connected(postgres_url) as other:
        await early.execute(_WORK)
        backends = await asyncio.to_thread(BackendTime, postgres_url, name)
        assert await asyncio.to_thread(backends.seconds) == 0
        await (early if is_counted else other).execute(_WORK)
        assert (await asyncio.to_thread(backends.seconds) > 0) == is_counted
