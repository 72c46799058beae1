"""Single connections for the operator's work: migrations, keys, checks. Requests have pools of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.config import redact
from fastpay.errors import ConfigurationError


async def connect(database_url: str, *, answer_timeout_ms: int | None = None) -> Any:
    """Return an asyncpg connection (which has no types) that prepares nothing, as a pooler needs it.

    Statements may take `answer_timeout_ms` each; None lets them take as long as they take.
    Raises: ConfigurationError that says where it tried and what stood in the way.
    """
    try:
        return await asyncpg.connect(
            database_url,
            statement_cache_size=0,
            timeout=limits.connect_timeout_ms / 1000,
            command_timeout=None if answer_timeout_ms is None else answer_timeout_ms / 1000,
        )
    except KeyError as error:
        # Without a user in the URL the driver looks up the name of the user id that we run as.
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
    """Yield such a connection for an `async with` block, and never wait for one that hangs.

    Raises: ConfigurationError when it cannot be reached, or a statement is not answered in time.
    """
    connection = await connect(database_url, answer_timeout_ms=limits.operator_timeout_ms)
    try:
        yield connection
    except TimeoutError as error:
        raise ConfigurationError(
            f"the database {redact(database_url)} does not answer; see that PostgreSQL is well"
        ) from error
    finally:
        await _close(connection)


async def _close(connection: Any) -> None:
    """Close a connection politely, or abort it where nobody answers."""
    try:
        async with asyncio.timeout(limits.farewell_timeout_ms / 1000):
            await connection.close()
    except Exception:  # noqa: BLE001  whatever it is, the connection is of no more use
        connection.terminate()
