"""The command line. Each command imports what it needs, so that none waits for another's modules."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastpay import __version__, limits
from fastpay.clock import SystemClock
from fastpay.config import Settings, load_settings
from fastpay.embedded.access import open_database
from fastpay.errors import ConfigurationError, FastpayError
from fastpay.invocation import command_name
from fastpay.telemetry import set_up_logging

if TYPE_CHECKING:
    from fastpay.store.keys import ListedKey

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

EPILOGUE = "Every setting is also a FASTPAY_NAME variable and a line in the file of --config; see README."


def main() -> None:
    """Run the command line; what the operator must put right becomes one line and a status, no traceback."""
    try:
        commands.main(prog_name="fastpay", standalone_mode=True)
    except ConfigurationError as error:
        click.echo(f"fastpay: {error}", err=True)
        sys.exit(2)
    except FastpayError as error:
        click.echo(f"fastpay: {error.message}", err=True)
        sys.exit(1)
    except ImportError as error:
        if error.name is None or not error.name.startswith("fastpay._native"):
            raise
        click.echo(f"fastpay: {error}; build the compiled modules: setup.py build_ext --inplace", err=True)
        sys.exit(2)


def _require_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("a tenant's name must not be empty")
    return value


def settings_options(command: Command) -> Command:
    """Add the options that say which installation is meant."""
    for option in (
        click.option(
            "--data-dir", metavar="DIR", help="Where the embedded servers keep their data (.fastpay)."
        ),
        click.option("--config", metavar="FILE", help="A TOML file with settings (or FASTPAY_CONFIG)."),
    ):
        command = option(command)
    return command


def key_options(command: Command) -> Command:
    """Add the options that say whose keys are meant, and in which mode."""
    for option in (
        click.option(
            "--mode",
            type=click.Choice(["test", "live"]),
            required=True,
            help="For test payments or for live ones.",
        ),
        click.option(
            "--tenant", metavar="NAME", required=True, callback=_require_name, help="Whose keys are meant."
        ),
    ):
        command = option(command)
    return settings_options(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOGUE)
@click.version_option(__version__, prog_name="fastpay", message="%(prog)s %(version)s")
def commands() -> None:
    """A payment API to host yourself."""


@commands.command(epilog=EPILOGUE)
@click.option("--host", metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", metavar="PORT", help="The port to listen on; 0 picks a free one.")
@click.option("--unix", metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--ready-file", metavar="FILE", help="Written once requests are served, removed at the stop.")
@click.option("--reuse-port", is_flag=True, default=None, help="Share the port with other instances.")
@click.option("--tls-cert", metavar="FILE", help="Serve TLS with this certificate chain.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key.")
@click.option(
    "--allow-unsafe-database",
    is_flag=True,
    default=None,
    help="Run on a database that may lose payments that it acknowledged.",
)
@settings_options
def serve(config: str | None, **flags: Any) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    settings = _prepare(config, flags)
    from fastpay.process import run  # noqa: PLC0415

    sys.exit(run(settings))


@commands.command(epilog=EPILOGUE)
@settings_options
def migrate(config: str | None, **flags: Any) -> None:
    """Bring the database to the shape that this version needs."""
    settings = _prepare(config, flags)
    from fastpay.store.migrate import migrate as apply  # noqa: PLC0415

    with _database(settings, create=True) as database_url:
        applied = asyncio.run(apply(database_url))
    click.echo(f"applied {', '.join(applied)}" if applied else "nothing was pending")


@commands.group()
def keys() -> None:
    """Make, list, roll and revoke API keys."""


@keys.command()
@click.option(
    "--kind",
    type=click.Choice(["secret", "publishable"]),
    default="secret",
    show_default=True,
    help="Secret keys are for servers, publishable ones for browsers.",
)
@key_options
def create(config: str | None, tenant: str, mode: str, kind: Any, **flags: Any) -> None:
    """Make a key, and the tenant with it when it is new. The key is shown this once."""
    from fastpay.store import keys as store  # noqa: PLC0415

    async def work(connection: Any) -> store.NewKey:
        clock = SystemClock()
        tenant_id = await store.create_tenant(connection, tenant, clock=clock)
        return await store.create_key(connection, tenant_id, livemode=mode == "live", clock=clock, kind=kind)

    _show_key(_with_connection(_prepare(config, flags), work, create=True))


@keys.command("list")
@key_options
def list_(config: str | None, tenant: str, mode: str, **flags: Any) -> None:
    """List a tenant's keys. Their text is not kept: only the last four characters are known."""
    listed = _with_connection(_prepare(config, flags), lambda connection: _list(connection, tenant, mode))
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for heading in ("key id", "kind", "ends in", "made", "expires", "state"):
        table.add_column(heading, overflow="fold")
    now = datetime.now(UTC)
    for key in listed:
        times = [
            f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "" for moment in (key.created_at, key.expires_at)
        ]
        table.add_row(*map(Text, (str(key.key_id), key.kind, key.last4, *times, key.state(now))))
    # A pipe has no width: wide enough for every column, so that other programs can read the lines.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@keys.command()
@click.argument("key_id", type=click.UUID, required=False)
@click.option(
    "--expires-in-hours",
    type=click.IntRange(0, 24 * 365),
    default=0,
    show_default=True,
    help="How long the old key stays good.",
)
@key_options
def roll(
    config: str | None, tenant: str, mode: str, key_id: uuid.UUID | None, expires_in_hours: int, **flags: Any
) -> None:
    """Make a new key for an old one, which then expires. KEY_ID may be left out when only one is good."""
    from fastpay.store import keys as store  # noqa: PLC0415

    async def work(connection: Any) -> store.NewKey:
        old = key_id or _only_good(await _list(connection, tenant, mode))
        return await store.roll_key(
            connection,
            await _tenant_id(connection, tenant),
            old,
            livemode=mode == "live",
            clock=SystemClock(),
            overlap=timedelta(hours=expires_in_hours),
        )

    _show_key(_with_connection(_prepare(config, flags), work))


@keys.command()
@click.argument("key_id", type=click.UUID)
@key_options
def revoke(config: str | None, tenant: str, mode: str, key_id: uuid.UUID, **flags: Any) -> None:
    """End a key for good."""
    from fastpay.store.keys import revoke_key  # noqa: PLC0415

    async def work(connection: Any) -> datetime | None:
        listed = await _list(connection, tenant, mode)
        tenant_id = await _tenant_id(connection, tenant)
        await revoke_key(connection, tenant_id, key_id, livemode=mode == "live", clock=SystemClock())
        return next((key.revoked_at for key in listed if key.key_id == key_id), None)

    before = _with_connection(_prepare(config, flags), work)
    if before is None:
        click.echo(f"revoked {key_id}")
    else:
        click.echo(f"{key_id} was revoked already, at {before:%Y-%m-%d %H:%M:%S} UTC")


@commands.command()
@click.option(
    "--payments",
    type=click.IntRange(1, limits.demo_payments_max),
    default=2_000,
    show_default=True,
    help="How many payments to make.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, limits.demo_concurrency_max),
    default=16,
    show_default=True,
    help="How many customers pay at a time.",
)
@click.option("--url", metavar="URL", help="Use the server that runs here, instead of one of the demo's own.")
@click.option("--key", metavar="KEY", help="A secret test key of that server.")
@click.option("--data-dir", metavar="DIR", help="Keep the data of the demo's own server here.")
def demo(**options: Any) -> None:
    """Make mixed payments over HTTP and show what became of them."""
    from fastpay.demo import run  # noqa: PLC0415

    sys.exit(run(**options))


@commands.command(epilog=EPILOGUE)
@click.option("--database-url", metavar="URL", help="The PostgreSQL to look at.")
@click.option("--tls-cert", metavar="FILE", help="The certificate chain to look at.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key.")
@settings_options
def doctor(config: str | None, **flags: Any) -> None:
    """Check what could be wrong, change nothing, and say what to do."""
    settings = _prepare(config, flags)
    from fastpay.doctor import run  # noqa: PLC0415

    sys.exit(run(settings))


def _prepare(config: str | None, flags: dict[str, Any]) -> Settings:
    settings = load_settings(config=config, flags=flags)
    set_up_logging(settings.log_level)
    return settings


@contextmanager
def _database(settings: Settings, *, create: bool) -> Iterator[str]:
    """Yield the URL of the database that the settings mean, started for the block where it must be."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with open_database(settings.data_dir, create=create) as database_url:
        yield database_url


def _with_connection(
    settings: Settings, work: Callable[[Any], Awaitable[Result]], *, create: bool = False
) -> Result:
    """Do some work on one connection to the database, which must have been migrated or is now.

    Only with `create` is an embedded database made where there is none.
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
            return await work(connection)

    with _database(settings, create=create) as database_url:
        return asyncio.run(connect_and_work(database_url))


async def _tenant_id(connection: Any, tenant: str) -> uuid.UUID:
    from fastpay.store.keys import find_tenant  # noqa: PLC0415

    found = await find_tenant(connection, tenant)
    if found is None:
        raise ConfigurationError(
            f"there is no tenant named {tenant!r}; {command_name()} keys create makes it"
        )
    return found


async def _list(connection: Any, tenant: str, mode: str) -> "list[ListedKey]":
    from fastpay.store.keys import list_keys  # noqa: PLC0415

    return await list_keys(connection, await _tenant_id(connection, tenant), livemode=mode == "live")


def _only_good(listed: "list[ListedKey]") -> uuid.UUID:
    good = [key for key in listed if key.state(datetime.now(UTC)) == "good"]
    if len(good) != 1:
        raise ConfigurationError(
            f"{len(good)} keys are good; give the KEY_ID ({command_name()} keys list shows them)"
        )
    return good[0].key_id


def _show_key(made: Any) -> None:
    """Print the key alone on standard output, for scripts, and the rest beside it."""
    click.echo(made.key)
    click.echo(f"key id {made.key_id}; this is the only time that the key is shown", err=True)
