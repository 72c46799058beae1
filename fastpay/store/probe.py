"""Checks that the database works, on a connection of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from fastpay import limits
from fastpay.engine.failures import TransientFailure
from fastpay.store.failures import describe, translate
from fastpay.store.postgres import Connection, DatabaseSettings, connect
from fastpay.store.statements import SQL

_Found = TypeVar("_Found")


class PostgresProbe:
    """Satisfies `DatabaseProbe`."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None

    async def look(self, *, afresh: bool) -> bool:
        """Return whether the database accepts writes. Raises: TransientFailure if it does not answer."""
        if afresh:
            self._drop()
        is_kept = self._connection is not None and not self._connection.is_closed()
        try:
            return await self._within_deadline(_ask)
        except TransientFailure as failure:
            # Only the connection may have failed, except after a timeout.
            if not is_kept or isinstance(failure.__cause__, TimeoutError):
                raise
        return await self._within_deadline(_ask)

    async def write(self) -> None:
        """Write to the disk, and roll back. Raises: TransientFailure."""
        await self._within_deadline(_write)

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _within_deadline(self, ask: Callable[[Connection], Awaitable[_Found]]) -> _Found:
        try:
            async with asyncio.timeout(limits.probe_timeout_ms / 1000):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self._settings)
                return await ask(self._connection)
        except Exception as error:
            self._drop()
            failure = translate(error)
            if isinstance(failure, TransientFailure):
                raise failure from error
            # What the database refuses here, it would refuse to requests as well.
            raise TransientFailure("08000", reason=describe(error)) from error
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            # Aborted, since a connection that hangs cannot be closed.
            connection.terminate()


async def _ask(connection: Connection) -> bool:
    return bool(await connection.fetchval(SQL["probe_database"]))


async def _write(connection: Connection) -> None:
    try:
        async with connection.transaction():
            await connection.execute(SQL["probe_room_table"])
            await connection.execute(SQL["probe_room"])
    except asyncpg.InsufficientPrivilegeError:
        # The role may not create temporary tables, so this check is not possible.
        return
