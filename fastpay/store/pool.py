"""Pools of connections for reads, with a deadline for each use.

A connection whose statement timed out is aborted, not closed: a server that is frozen answers neither the
closing message nor a cancel request, and a connection that waits for an answer keeps its slot in the pool.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import asyncpg

from fastpay import limits
from fastpay.engine.failures import TransientFailure
from fastpay.errors import ConfigurationError, DatabaseUnavailable, Overloaded
from fastpay.store.failures import LOST, is_answer, translate
from fastpay.store.postgres import Connection, DatabaseSettings, prepare

OVERLOADED = "Too many requests are waiting. Try again in a moment."
_UNREACHABLE = "The database cannot be reached right now. Try again."
_TOO_SLOW = "The database did not answer in time. Ask for less, or try again later."


class Lender(Protocol):
    """Lends connections, and translates their errors."""

    def lend(self, *, until: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection to a block, which ends by `until`, a time of the loop."""

    def unavailable(self, error: Exception) -> DatabaseUnavailable:
        """Return the error to answer with for a driver's error."""


class ReaderPool:
    """Lends the connections of an asyncpg pool. Calls `failed` for what may be an outage."""

    def __init__(self, pool: Any, *, failed: Callable[[TransientFailure], None] | None = None) -> None:
        self._pool = pool
        self._failed = failed
        self._waiting = 0
        # Connections in use with a longer deadline. They are aborted when the database is lost.
        self._patient: set[Connection] = set()

    @property
    def connections_max(self) -> int:
        """The maximum number of connections."""
        return int(self._pool.get_max_size())

    @asynccontextmanager
    async def lend(
        self, *, until: float | None = None, is_patient: bool = False
    ) -> AsyncIterator[Connection]:
        """Lend a connection to a block, which ends by `until`, a time of the loop (`due` by default).

        The time includes the wait for a connection. With `is_patient`, that wait has the usual timeout.
        Raises: Overloaded if too many wait; TimeoutError; whatever the driver or the block raises.
        """
        if self._waiting >= limits.queued_reads_max:
            raise Overloaded(OVERLOADED)
        async with asyncio.timeout_at(due() if until is None else until):
            self._waiting += 1
            try:
                connection = await self._acquire(is_patient=is_patient)
            finally:
                self._waiting -= 1
            try:
                yield connection
            except BaseException as error:
                if _is_doubtful(error):
                    connection.terminate()
                raise
            finally:
                self._patient.discard(connection)
                await self._pool.release(connection)

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Run one statement once. Raises: Overloaded, DatabaseUnavailable."""
        try:
            async with self.lend() as connection:
                found: list[Any] = await connection.fetch(statement, *arguments)
        except (*LOST, asyncpg.PostgresError) as error:
            raise self.unavailable(error) from error
        return found

    def unavailable(self, error: Exception) -> DatabaseUnavailable:
        """Return the error to answer with, and report a failure that may be an outage."""
        failure = translate(error)
        if self._failed is not None and isinstance(failure, TransientFailure):
            self._failed(failure)
        is_slow = isinstance(error, TimeoutError | asyncpg.QueryCanceledError)
        return DatabaseUnavailable(_TOO_SLOW if is_slow else _UNREACHABLE)

    async def close(self) -> None:
        """Close all connections, and wait for those in use."""
        await self._pool.close()

    def abandon_patient(self) -> None:
        """Abort the connections with a longer deadline, since the database does not answer."""
        for connection in self._patient:
            connection.terminate()

    async def _acquire(self, *, is_patient: bool) -> Connection:
        if not is_patient:
            return await self._pool.acquire()
        async with asyncio.timeout(limits.read_timeout_ms / 1000):
            connection = await self._pool.acquire()
        self._patient.add(connection)
        return connection


async def open_reader_pool(
    settings: DatabaseSettings,
    *,
    connections_max: int | None = None,
    failed: Callable[[TransientFailure], None] | None = None,
) -> ReaderPool:
    """Open a pool that connects on demand and calls `failed` for what may be an outage.

    It has `connections_max` connections, by default as many as the settings allow for reads.
    Raises: ConfigurationError if the database cannot be reached.
    """

    async def initialize(connection: Connection) -> None:
        await prepare(connection, settings, statement_timeout_ms=limits.read_statement_timeout_ms)

    async def keep(_connection: Connection) -> None:
        """Do not reset the session: reads do not change it, and a reset would cost a round trip."""

    try:
        pool = await asyncpg.create_pool(
            settings.url,
            # No minimum: during an outage the pool would log an error for each connection.
            min_size=0,
            max_size=connections_max or settings.reader_connections_max,
            timeout=limits.connect_timeout_ms / 1000,
            statement_cache_size=256 if settings.session_state else 0,
            server_settings={"application_name": "fastpay"},
            init=initialize,
            reset=keep,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise ConfigurationError(f"cannot connect to the database: {error}") from error
    return ReaderPool(pool, failed=failed)


def due(timeout_ms: int | None = None) -> float:
    """Return the deadline, on the loop's clock, of what begins now: after `read_timeout_ms` by default."""
    return asyncio.get_running_loop().time() + (timeout_ms or limits.read_timeout_ms) / 1000


def _is_doubtful(error: BaseException) -> bool:
    """Tell whether a connection must not be used again after this error."""
    if isinstance(error, asyncpg.PostgresError):
        return not is_answer(error)
    # Our own errors do not affect the connection. A cancellation may leave a statement running.
    return not isinstance(error, Exception) or isinstance(error, LOST)
