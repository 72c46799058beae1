"""Pools of connections for reads, with a deadline for each use.

A connection whose statement timed out is aborted, not closed: a server that is frozen answers neither the
closing message nor a cancel request, and a connection that waits for an answer keeps its slot in the pool.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol

import asyncpg

from fastpay import limits
from fastpay.engine.failures import TransientFailure
from fastpay.errors import DatabaseUnavailable, Overloaded
from fastpay.store.failures import LOST, is_answer, translate
from fastpay.store.postgres import Connection, DatabaseSettings
from fastpay.store.shared_connections import SharedConnections

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
    """Lends connections, and connects on demand. Calls `failed` for what may be an outage.

    It has `connections_max` connections, by default as many as the settings allow for reads.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        connections_max: int | None = None,
        failed: Callable[[TransientFailure], None] | None = None,
    ) -> None:
        self.connections_max = connections_max or settings.reader_connections_max
        self._connections = SharedConnections(settings, self.connections_max)
        self._failed = failed
        self._waiting = 0
        # Uses with a longer deadline. They are aborted when the database is lost.
        self._patient: set[_Lease] = set()

    def lend(
        self, *, until: float | None = None, is_patient: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection to a block, which ends by `until`, a time of the loop (`due` by default).

        The block waits for nothing else than the connection, which is aborted at that time. The time
        includes the wait for a connection. With `is_patient`, that wait has the usual timeout.
        Raises: Overloaded if too many wait; TimeoutError; whatever the driver or the block raises.
        """
        return _Lease(self, due() if until is None else until, is_patient=is_patient)

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

    def state(self) -> dict[str, int]:
        """Return how many connections there may be, are open and are used, and how many uses wait for one."""
        return {
            "connections_max": self.connections_max,
            "open": self._connections.open,
            "used": self._connections.used,
            "waiting": self._waiting,
        }

    async def close(self) -> None:
        """Close all connections, and wait for those in use."""
        await self._connections.close()

    def abandon_patient(self) -> None:
        """Abort the connections with a longer deadline, since the database does not answer."""
        for lease in self._patient:
            lease.abort()

    async def take(self, lease: "_Lease", until: float, *, is_patient: bool) -> Connection:
        """Return a connection that nobody else uses before `give_back`. Raises: see `lend`."""
        if self._waiting >= limits.queued_reads_max:
            raise Overloaded(OVERLOADED)
        connection = self._connections.take_idle()
        if connection is None:
            self._waiting += 1
            try:
                async with asyncio.timeout_at(due() if is_patient else until):
                    connection = await self._connections.take()
            finally:
                self._waiting -= 1
        if is_patient:
            self._patient.add(lease)
        return connection

    def give_back(self, lease: "_Lease", connection: Connection) -> None:
        """Let others have the connection, unless it is closed."""
        self._patient.discard(lease)
        self._connections.give_back(connection)


class _Lease:
    """The use of a connection by one block."""

    __slots__ = ("_abortion", "_connection", "_is_patient", "_pool", "_timer", "_until")

    def __init__(self, pool: ReaderPool, until: float, *, is_patient: bool) -> None:
        self._pool = pool
        self._until = until
        self._is_patient = is_patient
        self._abortion: Exception | None = None

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take(self, self._until, is_patient=self._is_patient)
        # A timeout of asyncio would cancel the task, for three times the instructions.
        self._timer = asyncio.get_running_loop().call_at(self._until, self._expire)
        return self._connection

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if error is not None and _is_doubtful(error):
            self._connection.terminate()
        self._pool.give_back(self, self._connection)
        # The driver meets an AttributeError where a connection is aborted between two of its own steps.
        if self._abortion is not None and isinstance(error, (*LOST, AttributeError)):
            raise self._abortion from error

    def abort(self) -> None:
        """Abort the connection. What waits for its answer gets an error that it was lost."""
        self._abortion = asyncpg.ConnectionDoesNotExistError("the database was lost")
        self._connection.terminate()

    def _expire(self) -> None:
        self._abortion = TimeoutError()
        self._connection.terminate()


def due(timeout_ms: int | None = None) -> float:
    """Return the deadline, on the loop's clock, of what begins now: after `read_timeout_ms` by default."""
    return asyncio.get_running_loop().time() + (timeout_ms or limits.read_timeout_ms) / 1000


def _is_doubtful(error: BaseException) -> bool:
    """Tell whether a connection must not be used again after this error."""
    if isinstance(error, asyncpg.PostgresError):
        return not is_answer(error)
    # Our own errors do not affect the connection. A cancellation may leave a statement running.
    return not isinstance(error, Exception) or isinstance(error, LOST)
