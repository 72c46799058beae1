"""`fastpay keys`: API keys, and the secrets that sign requests."""

import shlex
import sys
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import click

from fastpay import limits
from fastpay.cli.shared import find_tenant_id, key_options, prepare, settings_options, with_connection
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name

if TYPE_CHECKING:
    from fastpay.store.keys import ListedKey
    from fastpay.store.sealing import Vault


@click.group()
def keys() -> None:
    """Create, list, roll and revoke API keys."""


@keys.command()
@click.option(
    "--kind",
    type=click.Choice(["secret", "publishable"]),
    default="secret",
    show_default=True,
    help="Secret keys are for servers, publishable ones for browsers.",
)
@click.option("--signing", is_flag=True, help="Create a signing secret too; it is shown below the key.")
@click.option("--must-sign", is_flag=True, help="The same, and refuse requests that are not signed with it.")
@key_options
def create(
    config: str | None, tenant: str, mode: str, kind: Any, signing: bool, must_sign: bool, **flags: Any
) -> None:
    """Create a key, and the tenant if it is new. The key is shown only this once."""
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415
    from fastpay.store import keys as store  # noqa: PLC0415
    from fastpay.store import signing_secrets as secrets  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.key_records import KeyName  # noqa: PLC0415

    settings, livemode = prepare(config, flags), mode == "live"

    async def work(connection: Any) -> tuple[store.NewKey, str | None]:
        clock = await database_clock(connection)
        vault = await open_vault(settings, connection, clock=clock, create=True)
        async with connection.transaction():
            tenant_id = await store.create_tenant(connection, tenant, clock=clock, vault=vault)
            made = await store.create_key(connection, tenant_id, livemode=livemode, clock=clock, kind=kind)
            if not signing and not must_sign:
                return made, None
            name = KeyName(tenant_id, livemode, made.key_id)
            secret = await secrets.create_secret(connection, name, vault=_needed(vault), clock=clock)
            if must_sign:
                await secrets.require_signatures(connection, name, required=True, clock=clock)
            return made, secret

    made, secret = with_connection(settings, work, create=True)
    _show_key(made)
    if secret is not None:
        _show_secret(secret)


@keys.command("import")
@click.argument("file", metavar="FILE", type=click.File("r", encoding="utf-8"))
@settings_options
def import_(config: str | None, file: TextIO, **flags: Any) -> None:
    """Import digests of keys, with their tenants.

    Tenants that are new are created. Repeating it changes nothing.

    FILE is CSV with the heading tenant,mode,kind,sha256,last4. It has no key in it: sha256 is the SHA-256 of
    a key in hexadecimal digits.
    """
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.key_import import Imported, import_keys, read_keys  # noqa: PLC0415

    settings, found = prepare(config, flags), read_keys(file)

    async def work(connection: Any) -> Imported:
        clock = await database_clock(connection)
        vault = await open_vault(settings, connection, clock=clock, create=True)
        return await import_keys(connection, found, clock=clock, vault=vault)

    done = with_connection(settings, work, create=True)
    click.echo(f"imported {done.keys} keys; {done.known} were there, and {done.tenants} tenants are new")


@keys.command("list")
@key_options
def list_(config: str | None, tenant: str, mode: str, **flags: Any) -> None:
    """List a tenant's keys. Only the last four characters of a key are stored."""
    listed, now = with_connection(prepare(config, flags), lambda connection: _list(connection, tenant, mode))
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for heading in ("key id", "kind", "ends in", "created", "expires", "state", "signs"):
        table.add_column(heading, overflow="fold")
    for key in listed:
        times = [
            f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "" for moment in (key.created_at, key.expires_at)
        ]
        table.add_row(
            *map(Text, (str(key.key_id), key.kind, key.last4, *times, key.state(now), key.signing()))
        )
    # A pipe has no width. This is wide enough for every column, so that programs can read the lines.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@keys.command()
@click.argument("key_id", type=click.UUID, required=False)
@click.option(
    "--expires-in-hours",
    type=click.IntRange(0, limits.overlap_hours_max),
    default=0,
    show_default=True,
    help="How long the old key stays valid.",
)
@key_options
def roll(
    config: str | None, tenant: str, mode: str, key_id: uuid.UUID | None, expires_in_hours: int, **flags: Any
) -> None:
    """Replace a key; the old one expires. KEY_ID may be omitted if only one key is valid.

    The new key signs with the same secrets as the old one.
    """
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415
    from fastpay.store import keys as store  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415

    settings = prepare(config, flags)

    async def work(connection: Any) -> store.NewKey:
        old = key_id or _only_good(*await _list(connection, tenant, mode), tenant, mode)
        clock = await database_clock(connection)
        return await store.roll_key(
            connection,
            await find_tenant_id(connection, tenant),
            old,
            livemode=mode == "live",
            clock=clock,
            overlap=timedelta(hours=expires_in_hours),
            vault=await open_vault(settings, connection, clock=clock),
        )

    _show_key(with_connection(settings, work))


@keys.command()
@click.argument("key_id", type=click.UUID)
@key_options
def revoke(config: str | None, tenant: str, mode: str, key_id: uuid.UUID, **flags: Any) -> None:
    """Revoke a key for good."""
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.keys import revoke_key  # noqa: PLC0415

    async def work(connection: Any) -> datetime | None:
        listed, _ = await _list(connection, tenant, mode)
        tenant_id = await find_tenant_id(connection, tenant)
        clock = await database_clock(connection)
        await revoke_key(connection, tenant_id, key_id, livemode=mode == "live", clock=clock)
        return next((key.revoked_at for key in listed if key.key_id == key_id), None)

    before = with_connection(prepare(config, flags), work)
    if before is None:
        click.echo(f"revoked {key_id}")
    else:
        click.echo(f"{key_id} was revoked already, at {before:%Y-%m-%d %H:%M:%S} UTC")


@keys.group()
def signing() -> None:
    """The secrets that sign requests."""


@signing.command("create")
@click.argument("key_id", type=click.UUID)
@key_options
def create_secret(config: str | None, tenant: str, mode: str, key_id: uuid.UUID, **flags: Any) -> None:
    """Create the first secret of a key. It is shown only this once."""
    _show_secret(_change_secret("create_secret", config, flags, tenant, mode, key_id))


@signing.command("roll")
@click.argument("key_id", type=click.UUID)
@click.option(
    "--expires-in-hours",
    type=click.IntRange(0, limits.overlap_hours_max),
    default=0,
    show_default=True,
    help="How long the old secret stays valid.",
)
@key_options
def roll_secret(
    config: str | None, tenant: str, mode: str, key_id: uuid.UUID, expires_in_hours: int, **flags: Any
) -> None:
    """Replace a secret; the old one expires. The new one is shown only this once."""
    more = {"overlap": timedelta(hours=expires_in_hours)}
    _show_secret(_change_secret("roll_secret", config, flags, tenant, mode, key_id, **more))


@signing.command("require")
@click.argument("key_id", type=click.UUID)
@click.argument("required", type=click.Choice(["on", "off"]))
@key_options
def require(
    config: str | None, tenant: str, mode: str, key_id: uuid.UUID, required: str, **flags: Any
) -> None:
    """Set whether a key must sign: on or off. All servers know within seconds."""
    from fastpay.store import signing_secrets as secrets  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.key_records import KeyName  # noqa: PLC0415

    async def work(connection: Any) -> None:
        name = KeyName(await find_tenant_id(connection, tenant), mode == "live", key_id)
        clock = await database_clock(connection)
        await secrets.require_signatures(connection, name, required=required == "on", clock=clock)

    with_connection(prepare(config, flags), work)
    click.echo(f"{key_id} {'must' if required == 'on' else 'need not'} sign")


@signing.command("remove")
@click.argument("key_id", type=click.UUID)
@key_options
def remove(config: str | None, tenant: str, mode: str, key_id: uuid.UUID, **flags: Any) -> None:
    """Delete the secrets of a key at once."""
    from fastpay.store import signing_secrets as secrets  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.key_records import KeyName  # noqa: PLC0415

    async def work(connection: Any) -> int:
        name = KeyName(await find_tenant_id(connection, tenant), mode == "live", key_id)
        return await secrets.remove_secrets(connection, name, clock=await database_clock(connection))

    removed = with_connection(prepare(config, flags), work)
    click.echo(f"removed {removed} signing secret{'' if removed == 1 else 's'} of {key_id}")


def _change_secret(
    change: str,
    config: str | None,
    flags: dict[str, Any],
    tenant: str,
    mode: str,
    key_id: uuid.UUID,
    **more: Any,
) -> str:
    """Create a signing secret with the function of this name, and return it."""
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415
    from fastpay.store import signing_secrets as secrets  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.key_records import KeyName  # noqa: PLC0415

    settings = prepare(config, flags)

    async def work(connection: Any) -> str:
        clock = await database_clock(connection)
        name = KeyName(await find_tenant_id(connection, tenant), mode == "live", key_id)
        vault = await open_vault(settings, connection, clock=clock, create=True)
        made: str = await getattr(secrets, change)(
            connection, name, vault=_needed(vault), clock=clock, **more
        )
        return made

    return with_connection(settings, work)


def _needed(vault: "Vault | None") -> "Vault":
    if vault is None:
        raise ConfigurationError(
            "a signing secret must be sealed, and there is no sealing key; name a file in "
            f"FASTPAY_SEALING_KEY_FILE and run {command_name()} sealing add"
        )
    return vault


def _show_secret(secret: str) -> None:
    click.echo(secret)
    click.echo("this is the only time that the signing secret is shown", err=True)


async def _list(connection: Any, tenant: str, mode: str) -> "tuple[list[ListedKey], datetime]":
    """Return a tenant's keys, and the database's time, which decides whether they are valid."""
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.keys import list_keys  # noqa: PLC0415
    from fastpay.store.rows import timestamp  # noqa: PLC0415

    clock, tenant_id = await database_clock(connection), await find_tenant_id(connection, tenant)
    return await list_keys(connection, tenant_id, livemode=mode == "live", clock=clock), timestamp(clock)


def _only_good(listed: "list[ListedKey]", now: datetime, tenant: str, mode: str) -> uuid.UUID:
    good = [key for key in listed if key.state(now) == "good"]
    options = f"--tenant {shlex.quote(tenant)} --mode {mode}"
    if not good:
        raise ConfigurationError(f"no key is valid; create one with: {command_name()} keys create {options}")
    if len(good) > 1:
        raise ConfigurationError(
            f"{len(good)} keys are valid; give the KEY_ID of one, from: {command_name()} keys list {options}"
        )
    return good[0].key_id


def _show_key(made: Any) -> None:
    """Print only the key on standard output, for scripts, and the rest on standard error."""
    click.echo(made.key)
    click.echo(f"key id {made.key_id}; this is the only time that the key is shown", err=True)
