"""Housekeeping in the database: small statements, tenant by tenant, on the shared pool."""

from typing import Any

import asyncpg

from fastpay.domain.identifiers import Scope
from fastpay.errors import DatabaseUnavailable
from fastpay.store import rows
from fastpay.store.failures import LOST
from fastpay.store.statements import SQL


class PostgresHousekeeping:
    """Satisfies `HousekeepingStore`. The pool is the driver's, which publishes no types."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def list_scopes(self) -> list[Scope]:
        """Return every tenant and mode. Raises: DatabaseUnavailable."""
        try:
            return [rows.scope_of(row) for row in await self._pool.fetch(SQL["list_scopes"])]
        except (*LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable("The database cannot be reached right now.") from error

    async def purge_idempotency(self, scope: Scope, oldest_ms: int, rows_max: int) -> int:
        """Forget first answers older than `oldest_ms`; return how many. Raises: DatabaseUnavailable."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                # The index by age is a BRIN index, which only a bitmap scan can use.
                await connection.execute(
                    "set local enable_bitmapscan = on; set local plan_cache_mode = force_custom_plan"
                )
                status = await connection.execute(SQL["purge_idempotency"], *scope, oldest_ms, rows_max)
        except (*LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable("The database cannot be reached right now.") from error
        return int(status.removeprefix("DELETE "))
