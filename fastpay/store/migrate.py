"""Migrates the database to the schema of this release, once if several instances start at a time."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from fastpay import limits
from fastpay.config import redact
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry
from fastpay.store.connections import connect, connected

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = telemetry.Log("fastpay.migrations")

SCRIPTS = Path(__file__).parent / "migrations"
# An arbitrary number that is the same for every instance: "fastpay" in ASCII.
LOCK = int.from_bytes(b"fastpay", "big")

# The remedy for a role without the permission to migrate.
OWNERSHIP = (
    "make the role the database's owner (alter database ... owner to ...), "
    "or let it create tables there (grant create on schema public to ...)"
)


async def pending(database_url: str) -> list[str]:
    """Return the revisions that the database lacks, oldest first: all of them if it is empty.

    Costs one query, so that every start can call it. A newer schema on which this program works lacks none:
    so an old program goes on while a new one starts, and comes back after one step. Raises:
    ConfigurationError if the database cannot be reached, or is too new for this program.
    """
    async with connected(database_url) as connection:
        return await pending_on(connection)


async def pending_on(connection: Any) -> list[str]:
    """Do what `pending` does on an asyncpg connection (which has no types)."""
    try:
        current = await connection.fetchval("select max(version_num) from alembic_version")
    except asyncpg.UndefinedTableError:
        current = None
    known = _revisions()
    if current is not None and current not in known:
        oldest = await connection.fetchval("select oldest_program from schema_compatibility")
        if oldest is None or oldest > known[-1]:
            raise ConfigurationError(
                f"the database is at revision {current}, but this fastpay knows only {known[-1]} and older: "
                "run the newer fastpay that migrated it"
            )
        _log.warning("newer_schema_accepted", revision=current, known=known[-1], oldest=oldest)
        return []
    return [revision for revision in known if current is None or revision > current]


async def may_migrate(connection: Any) -> bool:
    """Return whether this role may create tables in the schema of the migrations."""
    return bool(await connection.fetchval("select has_schema_privilege(current_schema(), 'create')"))


async def migrate(database_url: str) -> list[str]:
    """Apply all pending revisions in one transaction, and return those that this call applied.

    Instances that start at the same time wait at an advisory lock; one of them migrates.
    Raises: ConfigurationError if the database cannot be reached, if its role may not create tables, or if a
    migration's check fails.
    """
    if not await pending(database_url):
        return []
    # Slow to import, and needed only if there is something to migrate.
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={
            "async_creator_fn": lambda **_: connect(database_url),
            # Behind a pooler the next server connection may already have a prepared statement of that name:
            # cache none, and give none a name.
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: "",
        },
    )
    applied: list[str] = []
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"set local lock_timeout = {limits.migration_wait_ms}"))
            await connection.execute(text("set local statement_timeout = 0"))
            # A lock of the transaction: it works through a pooler, and ends with the transaction.
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_upgrade, applied)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != asyncpg.InsufficientPrivilegeError.sqlstate:
            raise
        reason = str(error.orig).rpartition(": ")[2]
        raise ConfigurationError(
            f"the role of {redact(database_url)} may not migrate it: {reason}; {OWNERSHIP}"
        ) from error
    finally:
        await engine.dispose()
    return applied


def _upgrade(connection: "Connection", applied: list[str]) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415

    def note(**step: Any) -> None:
        applied.append(step["step"].up_revision_id)

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"connection": connection, "on_version_apply": note}
    command.upgrade(config, "head")
    scripts = ScriptDirectory.from_config(config)
    floors = [getattr(scripts.get_revision(revision).module, "works_with", None) for revision in applied]
    if known := [floor for floor in floors if floor is not None]:
        statement = "update schema_compatibility set oldest_program = greatest(oldest_program, :oldest)"
        connection.execute(text(statement), {"oldest": max(known)})


def _revisions() -> list[str]:
    """Return the numbers of all migrations, in order, from their file names."""
    names = (re.match(r"(\d{4})_\w+\.py$", path.name) for path in (SCRIPTS / "versions").iterdir())
    revisions = sorted(name[1] for name in names if name is not None)
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)], revisions
    return revisions
