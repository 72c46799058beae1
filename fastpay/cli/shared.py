"""What the commands share: options, settings, and access to the database."""

import asyncio
import os
import shlex
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from fastpay.config import Settings, load_settings
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name
from fastpay.observability.telemetry import log, set_up_logging
from fastpay.operations.embedded.access import open_database
from fastpay.operations.embedded.directory import has_directory
from fastpay.operations.preflight import require_embedded, require_intended_ledger

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

EPILOGUE = (
    "Settings also come from FASTPAY_NAME variables and from the TOML file of --config; see docs/SETTINGS.md."
)


def settings_options(command: Command) -> Command:
    """Add the options that name the installation."""
    for option in (
        click.option("--data-dir", metavar="DIR", help="The directory of the embedded servers (.fastpay)."),
        click.option("--database-url", metavar="URL", help="Use this PostgreSQL instead."),
        click.option("--config", metavar="FILE", help="A TOML file with settings (or FASTPAY_CONFIG)."),
    ):
        command = option(command)
    return command


def key_options(command: Command) -> Command:
    """Add the options that name the tenant and the mode."""
    for option in (
        click.option(
            "--mode",
            type=click.Choice(["test", "live"]),
            required=True,
            help="Test or live.",
        ),
        click.option("--tenant", metavar="NAME", required=True, callback=_require_name, help="The tenant."),
    ):
        command = option(command)
    return settings_options(command)


def server_options(command: Command) -> Command:
    """Add the options that name the server and the key."""
    for option in (
        click.option("--key", metavar="KEY", required=True, help="A secret key of the tenant."),
        click.option(
            "--url",
            metavar="URL",
            default="http://127.0.0.1:8000",
            show_default=True,
            help="The server to ask.",
        ),
    ):
        command = option(command)
    return command


def prepare(config: str | None, flags: dict[str, Any]) -> Settings:
    """Return the settings, and set up logging."""
    settings = load_settings(config=config, flags=flags)
    set_up_logging(settings.log_level, is_json=settings.log_format == "json")
    return settings


@contextmanager
def open_database_of(settings: Settings, *, create: bool) -> Iterator[str]:
    """Yield the URL of the configured database; an embedded one is started for the block if needed."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    if create:
        require_embedded(settings)
        require_intended_ledger(settings)
        if not has_directory(settings.data_dir):
            log.info("ledger_created", data_dir=os.path.abspath(settings.data_dir))
    with open_database(settings.data_dir, create=create) as database_url:
        yield database_url


def with_connection(
    settings: Settings, work: Callable[[Any], Awaitable[Result]], *, create: bool = False
) -> Result:
    """Run `work` on one connection to the database: see `with_database`."""
    return with_database(settings, lambda connection, _: work(connection), create=create)


def with_database(
    settings: Settings, work: Callable[[Any, str], Awaitable[Result]], *, create: bool = False
) -> Result:
    """Run `work` on one connection to the database and its address. Its migrations must be applied.

    An embedded database is created only with `create`; its migrations are applied here.
    """
    from fastpay.store.connections import connected  # noqa: PLC0415
    from fastpay.store.migrate import migrate, pending  # noqa: PLC0415

    async def connect_and_work(database_url: str) -> Result:
        if settings.database_url is None:
            await migrate(database_url)
        elif missing := await pending(database_url):
            raise ConfigurationError(
                f"the database lacks {', '.join(missing)}; run {command_name()} migrate first"
            )
        async with connected(database_url) as connection:
            return await work(connection, database_url)

    with open_database_of(settings, create=create) as database_url:
        return asyncio.run(connect_and_work(database_url))


async def find_tenant_id(connection: Any, tenant: str) -> uuid.UUID:
    """Return the tenant of this name. Raises: ConfigurationError if there is none."""
    from fastpay.store.keys import find_tenant  # noqa: PLC0415

    found = await find_tenant(connection, tenant)
    if found is None:
        raise ConfigurationError(
            f"there is no tenant named {tenant!r}; "
            f"create it with: {command_name()} tenants create {shlex.quote(tenant)}"
        )
    return found


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, whose lines are whole where a program reads them."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # A pipe has no width. This is wide enough for every column, so that programs can read the lines.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _require_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("a tenant's name must not be empty")
    return value
