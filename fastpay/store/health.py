"""Checks of PostgreSQL and Redis before they are used."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from fastpay import limits
from fastpay.config import redact
from fastpay.errors import ConfigurationError
from fastpay.store.statements import SQL

VERSION_MIN = 15
VERSION_MAX = 18


class DatabaseFacts(msgspec.Struct, frozen=True):
    """Facts about PostgreSQL, as this user sees them through this pooler."""

    version: int
    fsync: str
    synchronous_commit: str
    full_page_writes: str
    standby_names: str
    is_standby: bool
    now: datetime


async def inspect_database(connection: Any) -> DatabaseFacts:
    """Query the facts on an asyncpg connection (which has no types)."""
    return DatabaseFacts(*await connection.fetchrow(SQL["database_inspect"]))


class SpeedFacts(msgspec.Struct, frozen=True):
    """Settings that decide how long commits take."""

    max_wal_bytes: int
    checkpoint_s: int
    wal_buffer_bytes: int
    wal_compression: str
    wal_init_zero: str
    jit: str


async def inspect_speed(connection: Any) -> SpeedFacts:
    """Query the settings on an asyncpg connection (which has no types)."""
    return SpeedFacts(*await connection.fetchrow(SQL["database_speed"]))


async def count_allowed_connections(connection: Any) -> int:
    """Return how many connections the server allows to all users that are not superusers."""
    allowed: int = await connection.fetchval(SQL["database_connections"])
    return allowed


def unsafe_settings(facts: DatabaseFacts) -> list[str]:
    """Return a line for each setting that can lose acknowledged commits, with the remedy."""
    found = []
    for name in ("fsync", "full_page_writes"):
        if getattr(facts, name) != "on":
            found.append(f"{name} is {getattr(facts, name)}; set {name} = on in postgresql.conf and reload")
    # `local` waits for the disk of this machine only, which is not enough if there are standbys.
    kept = {"on", "remote_apply", "remote_write"} | (set() if facts.standby_names else {"local"})
    if facts.synchronous_commit not in kept:
        found.append(
            f"synchronous_commit is {facts.synchronous_commit}; set synchronous_commit = on in "
            "postgresql.conf, or with alter role or alter database where it was turned off there"
        )
    return found


def require_usable(facts: DatabaseFacts, *, allow_unsafe: bool) -> None:
    """Raise ConfigurationError if a server cannot use this database."""
    if facts.version < VERSION_MIN:
        raise ConfigurationError(
            f"PostgreSQL {facts.version} is too old: fastpay needs {VERSION_MIN} to {VERSION_MAX}"
        )
    if facts.is_standby:
        raise ConfigurationError(
            "the database is a standby, which is read-only; give the address of the primary"
        )
    faults = unsafe_settings(facts)
    if faults and not allow_unsafe:
        raise ConfigurationError(
            f"this database can lose acknowledged payments: {'; '.join(faults)}; "
            "or accept that with --allow-unsafe-database"
        )


async def ping_redis(redis_url: str) -> None:
    """Return if Redis answers. Raises: ConfigurationError with the reason if it does not."""
    from redis.asyncio import Redis  # noqa: PLC0415 - 0.2 s to import, and a start does without it
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        client = Redis.from_url(redis_url, socket_timeout=limits.connect_timeout_ms / 1000)
        try:
            async with asyncio.timeout(limits.connect_timeout_ms / 1000):
                await client.ping()
        finally:
            await client.aclose()
    except (OSError, RedisError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ConfigurationError(f"cannot reach Redis at {redact(redis_url)}: {reason}") from error
