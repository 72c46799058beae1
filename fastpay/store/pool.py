"""The connections that reads share. Whatever hangs is given up at its deadline.

A connection on which a statement was given up is ended at once, and not closed politely: a server that is
frozen answers neither a farewell nor the driver's request to cancel, and a connection that waits for one
keeps its place in the pool.
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
_TOO_SLOW = "This took longer than the database may take for it. Ask for less, or try again later."


class Lender(Protocol):
    """Lends connections, and knows what to say of their errors."""

    def lend(self, *, until: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection to a block that ends by `until`, a time of the loop."""

    def unavailable(self, error: Exception) -> DatabaseUnavailable:
        """Return what to answer with after a driver's error."""


class ReaderPool:
    """Lends connections. `failed` hears of what may be an outage. The pool is the driver's, without types."""

    def __init__(self, pool: Any, *, failed: Callable[[TransientFailure], None] | None = None) -> None:
        self._pool = pool
        self._failed = failed
        self._waiting = 0
        # What is read under a longer deadline than others have, and ends when the database is lost.
        self._patient: set[Connection] = set()

    @property
    def connections_max(self) -> int:
        """How many connections there are at most."""
        return int(self._pool.get_max_size())

    @asynccontextmanager
    async def lend(
        self, *, until: float | None = None, is_patient: bool = False
    ) -> AsyncIterator[Connection]:
        """Lend a connection to a block that ends by `until`, a time of the loop (`due` by default).

        Waiting for the connection counts. Whoever `is_patient` waits no longer for that than others do.
        Raises: Overloaded where too many wait; TimeoutError; whatever the driver or the block raises.
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
        """Return what to answer with, and tell of a failure that may be an outage."""
        failure = translate(error)
        if self._failed is not None and isinstance(failure, TransientFailure):
            self._failed(failure)
        is_slow = isinstance(error, TimeoutError | asyncpg.QueryCanceledError)
        return DatabaseUnavailable(_TOO_SLOW if is_slow else _UNREACHABLE)

    async def close(self) -> None:
        """Close all connections, and wait for those that are lent."""
        await self._pool.close()

    def abandon_patient(self) -> None:
        """End what waits for longer than others do: the database does not answer."""
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
    """Open a pool of connections that are made when they are needed; `failed` hears of what may be an outage.

    There are `connections_max`, by default as many as the settings allow for reads.
    Raises: ConfigurationError when the database cannot be reached.
    """

    async def initialize(connection: Connection) -> None:
        await prepare(connection, settings, statement_timeout_ms=limits.read_statement_timeout_ms)

    async def keep(_connection: Connection) -> None:
        """Leave the session as it is: reads change nothing in it, and a reset would cost a round trip."""

    try:
        pool = await asyncpg.create_pool(
            settings.url,
            # None are kept open for their own sake: the pool would log an error for each during an outage.
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
    """Return by when, on the loop's clock, what begins now has to end: `read_timeout_ms` by default."""
    return asyncio.get_running_loop().time() + (timeout_ms or limits.read_timeout_ms) / 1000


def _is_doubtful(error: BaseException) -> bool:
    """Tell whether a connection must not be lent again after this."""
    if isinstance(error, asyncpg.PostgresError):
        return not is_answer(error)
    # A fault of ours, or a refusal, leaves the connection as it is; a cancellation may leave it in mid-air.
    return not isinstance(error, Exception) or isinstance(error, LOST)
