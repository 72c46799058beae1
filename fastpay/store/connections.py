"""Connections for an operator's work: migrations, keys, checks. Requests use the pools of `pool.py`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.clock import DatabaseClock, SystemClock
from fastpay.config import redact
from fastpay.errors import ConfigurationError
from fastpay.store.statements import SQL


class ConnectionLost(ConfigurationError):
    """A connection that was open has ended. A pooler may have had it from a PostgreSQL that is gone."""


# How a connection that was open ends: its socket was closed, the server said that it ends it (57P01,
# 57P02), or the driver has read that and has not seen the socket's end yet.
_ENDED = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
)


async def connect(database_url: str, *, answer_timeout_ms: int | None = None) -> Any:
    """Return an asyncpg connection (which has no types) that prepares no statements, so that poolers work.

    Each statement times out after `answer_timeout_ms`; None means no timeout.
    Raises: ConfigurationError with the address and the reason.
    """
    try:
        return await asyncpg.connect(
            database_url,
            statement_cache_size=0,
            timeout=limits.connect_timeout_ms / 1000,
            command_timeout=None if answer_timeout_ms is None else answer_timeout_ms / 1000,
        )
    except KeyError as error:
        # If the URL has no user, the driver looks up the name of the process's user id.
        raise ConfigurationError(
            f"the database {redact(database_url)} names no user, and the user id that fastpay runs as has no "
            "name; put the user into FASTPAY_DATABASE_URL: postgresql://USER@HOST/DATABASE"
        ) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or type(error).__name__
        if isinstance(error, TimeoutError):
            reason = f"it did not answer within {limits.connect_timeout_ms // 1000} s"
        raise ConfigurationError(
            f"cannot reach the database {redact(database_url)}: {reason}; "
            "check FASTPAY_DATABASE_URL and that PostgreSQL runs and lets this user in"
        ) from error


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Any]:
    """Open a connection for a block, with a timeout for each statement.

    Raises: ConfigurationError if the database cannot be reached or does not answer in time, ConnectionLost if
    the connection ends meanwhile.
    """
    connection = await connect(database_url, answer_timeout_ms=limits.operator_timeout_ms)
    lost = f"the connection to the database {redact(database_url)} was lost; see that PostgreSQL is well"
    try:
        yield connection
    except _ENDED as error:
        raise ConnectionLost(lost) from error
    except asyncpg.InterfaceError as error:
        # What the driver also raises for a fault of ours says that it has ended, if it did so while idle.
        if not connection.is_closed():
            raise
        raise ConnectionLost(lost) from error
    except TimeoutError as error:
        raise ConfigurationError(
            f"the database {redact(database_url)} does not answer; see that PostgreSQL is well"
        ) from error
    finally:
        await _close(connection)


async def database_clock(connection: Any) -> DatabaseClock:
    """Return a clock that shows the time of the database behind a connection.

    Keys expire by the database's time, so what an operator creates or revokes has to be dated by it.
    """
    clock = DatabaseClock(SystemClock())
    asked_ns = clock.monotonic_ns()
    moment_us = await connection.fetchval(SQL["read_moment"])
    clock.observe(moment_us, asked_ns=asked_ns, answered_ns=clock.monotonic_ns())
    return clock


async def _close(connection: Any) -> None:
    """Close a connection, or abort it if the server does not answer."""
    try:
        async with asyncio.timeout(limits.farewell_timeout_ms / 1000):
            await connection.close()
    except Exception:  # noqa: BLE001  whatever it is, the connection is not used again
        connection.terminate()
