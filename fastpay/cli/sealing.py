"""`fastpay sealing`: the keys that seal secrets in the database, and how to change them."""

from typing import TYPE_CHECKING, Any

import click

from fastpay.cli.shared import prepare, settings_options, with_connection
from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name

if TYPE_CHECKING:
    from fastpay.config import Settings
    from fastpay.store.resealing import Stock
    from fastpay.store.sealing import Vault


@click.group()
def sealing() -> None:
    """The keys that seal secrets in the database."""


@sealing.command()
@settings_options
def add(config: str | None, **flags: Any) -> None:
    """Create a key; new secrets are sealed under it.

    It becomes the first one in the file of keys. Give the file to every instance, then run `fastpay sealing
    reseal`.
    """
    from fastpay.operations.sealing_keys import add_key  # noqa: PLC0415

    path, keys = add_key(prepare(config, flags), clock=SystemClock())
    made = "created the first key in" if len(keys) == 1 else "added a new key at the top of"
    click.echo(keys[0].key_id)
    click.echo(f"{made} {path}; keep a copy, apart from the database's copies", err=True)


@sealing.command()
@settings_options
def reseal(config: str | None, **flags: Any) -> None:
    """Seal all secrets under the newest key.

    This includes plain secrets. If it is interrupted, run it again: it continues.
    """
    from fastpay.store import resealing  # noqa: PLC0415

    settings = prepare(config, flags)

    async def work(connection: Any) -> tuple[int, str]:
        vault = await _open(settings, connection)
        return await resealing.reseal(connection, vault), vault.newest

    moved, newest = with_connection(settings, work)
    click.echo(
        f"sealed {moved} secret{'' if moved == 1 else 's'} under {newest}" if moved else "nothing to do"
    )


@sealing.command("list")
@settings_options
def list_(config: str | None, **flags: Any) -> None:
    """List the keys, newest first, and the number of secrets under each."""
    from fastpay.store import resealing  # noqa: PLC0415

    settings = prepare(config, flags)

    async def work(connection: Any) -> "tuple[tuple[str, ...], list[Stock]]":
        return (await _open(settings, connection)).key_ids, await resealing.survey(connection)

    key_ids, stocks = with_connection(settings, work)
    for number, key_id in enumerate(key_ids):
        secrets = sum(stock.secrets for stock in stocks if stock.under == key_id)
        use = "newest" if number == 0 else "still needed" if secrets else "may be removed"
        click.echo(f"{key_id}  {secrets} secrets  {use}")
    plain = sum(stock.secrets for stock in stocks if stock.under is None)
    if plain:
        click.echo(f"{'not sealed':16}  {plain} secrets  reseal them")


async def _open(settings: "Settings", connection: Any) -> "Vault":
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415

    vault = await open_vault(settings, connection, clock=SystemClock())
    if vault is None:
        raise ConfigurationError(
            "there are no sealing keys; name a file in FASTPAY_SEALING_KEY_FILE, "
            f"then run {command_name()} sealing add"
        )
    return vault
