"""`fastpay operators`: the people who use the console."""

import sys
from typing import Any

import click

from fastpay import limits
from fastpay.cli.shared import prepare, settings_options, with_connection
from fastpay.errors import ConfigurationError


@click.group()
def operators() -> None:
    """Invite, list and disable the people who use the console."""


@operators.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["view", "operate", "admin"]),
    default="view",
    show_default=True,
    help="What the operator may do.",
)
@click.option(
    "--url",
    metavar="URL",
    help="The operator's listener as the browser reaches it (http://127.0.0.1:8001).",
    default="http://127.0.0.1:8001",
)
@settings_options
def invite(config: str | None, name: str, role: str, url: str, **flags: Any) -> None:
    """Print a link that is good once, for a day. It ends the sessions of an operator of this name."""
    from fastpay.admin.console.tokens import digest_of, make_token  # noqa: PLC0415
    from fastpay.clock import SystemClock  # noqa: PLC0415
    from fastpay.store import operators as store  # noqa: PLC0415
    from fastpay.store.random_values import random_uuid  # noqa: PLC0415

    if not 1 <= len(name.strip()) <= limits.operator_name_chars_max:
        raise click.BadParameter(f"a name has 1 to {limits.operator_name_chars_max} characters")
    clock = SystemClock()
    token = make_token(clock)

    async def work(connection: Any) -> None:
        await store.invite(connection, random_uuid(clock), name.strip(), role, digest_of(token))

    with_connection(prepare(config, flags), work)
    click.echo(f"{url.rstrip('/')}/console/invitation/{token}")


@operators.command("list")
@settings_options
def list_(config: str | None, **flags: Any) -> None:
    """List the operators."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from fastpay.store.operators import list_operators  # noqa: PLC0415

    table = Table()
    for heading in ("name", "role", "state", "last seen"):
        table.add_column(heading, overflow="fold")
    for found in with_connection(prepare(config, flags), list_operators):
        state = "disabled" if found.disabled else "active" if found.is_set_up else "invited"
        seen = f"{found.seen_at:%Y-%m-%d %H:%M:%S}" if found.seen_at else ""
        table.add_row(*map(Text, (found.name, found.role, state, seen)))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@operators.command()
@click.argument("name")
@settings_options
def disable(config: str | None, name: str, **flags: Any) -> None:
    """Disable an operator, and end all sessions at once."""
    from fastpay.store import operators as store  # noqa: PLC0415

    if not with_connection(prepare(config, flags), lambda connection: store.disable(connection, name)):
        raise ConfigurationError(f"there is no operator named {name!r}")
    click.echo(f"{name} is disabled")
