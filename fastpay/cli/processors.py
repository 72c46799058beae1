"""`fastpay processors`: who moves a tenant's money, and which payments go to whom."""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from fastpay.cli.shared import (
    find_tenant_id,
    key_options,
    prepare,
    print_table,
    server_options,
    with_connection,
)
from fastpay.errors import ConfigurationError

if TYPE_CHECKING:
    from fastpay.config import Settings
    from fastpay.domain.identifiers import Scope

Result = TypeVar("Result")

_KINDS = ("stripe", "localstripe", "http")
_RESOLUTIONS = ("approved", "declined", "not_found", "compensated")
_NAME = click.argument("name")


@click.group()
def processors() -> None:
    """Those who move the money of a tenant.

    Running servers know of every change within two seconds.
    """


@processors.command()
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What it speaks.")
@click.option("--url", metavar="URL", required=True, help="Where it is.")
@click.option("--name", metavar="NAME", required=True, help="What it is called from now on.")
@key_options
def add(config: str | None, tenant: str, mode: str, name: str, kind: Any, url: str, **flags: Any) -> None:
    """Add a processor.

    Its secret is the first line of standard input, that of its webhooks the second one, if there is one.
    The first processor of a tenant is the default.
    """
    from fastpay.operations.processor_configuration import open_needed_vault, read_secrets  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.processors import add_processor  # noqa: PLC0415

    settings, secrets = prepare(config, flags), read_secrets(sys.stdin, kind)

    async def work(connection: Any, scope: "Scope") -> None:
        clock, vault = await database_clock(connection), await open_needed_vault(settings, connection)
        await add_processor(
            connection, scope, name=name, kind=kind, url=url, secrets=secrets, vault=vault, clock=clock
        )

    _run(settings, tenant, mode, work)
    click.echo(f"added {name}")


@processors.command("list")
@key_options
def list_(config: str | None, tenant: str, mode: str, **flags: Any) -> None:
    """List a tenant's processors. Their secrets are never shown."""
    from fastpay.operations.processor_configuration import COLUMNS, read_configuration, shown  # noqa: PLC0415

    settings = prepare(config, flags)
    print_table(COLUMNS, shown(_run(settings, tenant, mode, partial(read_configuration, settings))))


@processors.command()
@_NAME
@key_options
def test(config: str | None, tenant: str, mode: str, name: str, **flags: Any) -> None:
    """Ask a processor whether it accepts the secret. No money moves."""
    from fastpay.operations.processor_configuration import check_processor, find, read_configuration  # noqa: PLC0415

    settings = prepare(config, flags)
    found = _run(settings, tenant, mode, partial(read_configuration, settings))
    reason = check_processor(find(found, name))
    if reason is not None:
        raise ConfigurationError(f"{name} does not work: {reason}")
    click.echo(f"{name} works")


@processors.command()
@_NAME
@key_options
def enable(config: str | None, tenant: str, mode: str, name: str, **flags: Any) -> None:
    """Let payments go to a processor again."""
    _set_enabled(prepare(config, flags), tenant, mode, name, enabled=True)
    click.echo(f"enabled {name}")


@processors.command()
@_NAME
@key_options
def disable(config: str | None, tenant: str, mode: str, name: str, **flags: Any) -> None:
    """Let no new payments go to a processor.

    Those that it has can be captured and refunded.
    """
    _set_enabled(prepare(config, flags), tenant, mode, name, enabled=False)
    click.echo(f"disabled {name}")


@processors.command()
@_NAME
@key_options
def default(config: str | None, tenant: str, mode: str, name: str, **flags: Any) -> None:
    """Let a processor have all payments that no rule is about."""
    from fastpay.store.processors import make_default  # noqa: PLC0415

    async def work(connection: Any, scope: "Scope") -> None:
        await make_default(connection, scope, name)

    _run(prepare(config, flags), tenant, mode, work)
    click.echo(f"{name} is the default")


@processors.command()
@_NAME
@key_options
def roll(config: str | None, tenant: str, mode: str, name: str, **flags: Any) -> None:
    """Replace the secret by the first line of standard input.

    The second line, if there is one, replaces the secret of webhooks.
    """
    from fastpay.operations import processor_configuration as operations  # noqa: PLC0415
    from fastpay.store.processors import replace_secrets  # noqa: PLC0415

    settings = prepare(config, flags)

    async def work(connection: Any, scope: "Scope") -> None:
        found = await operations.read_configuration(settings, connection, scope)
        secrets = operations.read_secrets(sys.stdin, operations.find(found, name).kind)
        vault = await operations.open_needed_vault(settings, connection)
        await replace_secrets(connection, scope, name, secrets=secrets, vault=vault)

    _run(settings, tenant, mode, work)
    click.echo(f"replaced the secret of {name}")


@processors.command()
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@key_options
def route(config: str | None, tenant: str, mode: str, file: TextIO | None, **flags: Any) -> None:
    """Show the rules that choose among processors.

    With FILE (- for standard input), they are replaced by those in it.

    \b
    [[rule]]
    processors = ["bank", "main"]
    currencies = ["eur"]
    methods = ["card"]
    amount_min = 100
    amount_max = 50000
    """
    from fastpay.operations.processor_configuration import read_configuration  # noqa: PLC0415
    from fastpay.operations.routing_rules import parse_rules, render_rules  # noqa: PLC0415
    from fastpay.store.processors import set_rules  # noqa: PLC0415

    settings = prepare(config, flags)
    if file is None:
        found = _run(settings, tenant, mode, partial(read_configuration, settings))
        click.echo(render_rules(found.rules), nl=False)
        return
    rules = parse_rules(file.read())

    async def work(connection: Any, scope: "Scope") -> None:
        await set_rules(connection, scope, rules)

    _run(settings, tenant, mode, work)
    click.echo(f"{len(rules)} rule{'' if len(rules) == 1 else 's'}")


@processors.group()
def review() -> None:
    """What a person must say of payments."""


@review.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=100, show_default=True, help="How many at most."
)
@server_options
def list_reviews(url: str, key: str, limit: int) -> None:
    """List the attempts in review, the newest first."""
    from fastpay.operations import reviews as work  # noqa: PLC0415
    from fastpay.operations.asking import Server  # noqa: PLC0415

    work.list_reviews(Server(url=url, key=key), limit=limit)


@review.command("resolve")
@click.argument("payment", metavar="PAYMENT")
@click.argument("attempt", metavar="ATTEMPT")
@click.option("--as", "resolution", type=click.Choice(_RESOLUTIONS), required=True, help="What became of it.")
@click.option("--note", metavar="TEXT", required=True, help="How you know.")
@server_options
def resolve(url: str, key: str, payment: str, attempt: str, **said: str) -> None:
    """Say what became of an attempt in review.

    It took the money (approved), it did not (declined, not_found), or it did and the money was given back at
    the processor (compensated).
    """
    from fastpay.operations import reviews as work  # noqa: PLC0415
    from fastpay.operations.asking import Server  # noqa: PLC0415

    work.resolve(Server(url=url, key=key), payment, attempt, **said)


def _set_enabled(settings: "Settings", tenant: str, mode: str, name: str, *, enabled: bool) -> None:
    from fastpay.store.processors import enable_processor  # noqa: PLC0415

    async def work(connection: Any, scope: "Scope") -> None:
        await enable_processor(connection, scope, name, enabled=enabled)

    _run(settings, tenant, mode, work)


def _run(
    settings: "Settings", tenant: str, mode: str, work: "Callable[[Any, Scope], Awaitable[Result]]"
) -> "Result":
    """Run `work` on a connection, for a mode of a tenant."""
    from fastpay.domain.identifiers import Scope  # noqa: PLC0415

    async def find_and_work(connection: Any) -> "Result":
        tenant_id = await find_tenant_id(connection, tenant)
        return await work(connection, Scope(tenant_id.hex, mode == "live"))

    return with_connection(settings, find_and_work)
