"""Single connections for the operator's work: migrations, keys, checks. Requests have pools of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.config import redact
from fastpay.errors import ConfigurationError


async def connect(database_url: str) -> Any:
    """Return an asyncpg connection (which has no types) that prepares nothing, as a pooler needs it.

    Raises: ConfigurationError that says where it tried and what stood in the way.
    """
    try:
        return await asyncpg.connect(
            database_url, statement_cache_size=0, timeout=limits.connect_timeout_ms / 1000
        )
    except KeyError as error:
        # Without a user in the URL the driver looks up the name of the user id that we run as.
        raise ConfigurationError(
            f"the database {redact(database_url)} names no user, and the user id that fastpay runs as has no "
            "name; put the user into FASTPAY_DATABASE_URL: postgresql://USER@HOST/DATABASE"
        ) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ConfigurationError(
            f"cannot reach the database {redact(database_url)}: {reason}; "
            "check FASTPAY_DATABASE_URL and that PostgreSQL runs and lets this user in"
        ) from error


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Any]:
    """Yield such a connection for an `async with` block."""
    connection = await connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
