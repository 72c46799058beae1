"""The key that seals copies in Redis: there is one, and it is whole."""

import asyncpg
import pytest

from fastpay.store.connections import connected


@pytest.mark.parametrize(
    ("constraint", "only_one", "key_bytes"),
    [
        ("cache_seal_pkey", True, 64),
        ("cache_seal_only_one", False, 64),
        ("cache_seal_key_length", True, 63),
    ],
)
async def test_copies_are_sealed_with_one_key_of_full_length(
    database_url: str, constraint: str, only_one: bool, key_bytes: int
) -> None:
    async with connected(database_url) as connection:
        assert await connection.fetchval("select count(*) from cache_seal") == 1
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await connection.execute("insert into cache_seal values ($1, $2)", only_one, bytes(key_bytes))
    assert refused.value.constraint_name == constraint
