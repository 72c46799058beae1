"""`fastpay rollout`: which side answers each route."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from fastpay.cli.shared import prepare, settings_options, with_connection

if TYPE_CHECKING:
    from fastpay.store.rollout import RouteChange

_STATES = "legacy|split=N|fastpay"


@click.group()
def rollout() -> None:
    """Move an older API over, route by route."""


@rollout.command("status")
@settings_options
def show_status(config: str | None, **flags: Any) -> None:
    """Show which side answers each route, since when and by whom."""
    settings = prepare(config, flags)
    from fastpay.operations.rollout import status_lines  # noqa: PLC0415
    from fastpay.store.rollout import list_routes  # noqa: PLC0415

    found: Sequence[RouteChange] = with_connection(settings, list_routes)
    for line in status_lines(settings, found):
        click.echo(line)


@rollout.command("history")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most."
)
@settings_options
def show_history(config: str | None, limit: int, **flags: Any) -> None:
    """Show what was changed, the newest first."""
    settings = prepare(config, flags)
    from fastpay.operations.rollout import describe  # noqa: PLC0415
    from fastpay.store.rollout import list_changes  # noqa: PLC0415

    for change in with_connection(settings, lambda connection: list_changes(connection, limit)):
        click.echo(describe(change))


@rollout.command("set")
@click.argument("route", metavar="ROUTE")
@click.argument("state", metavar=_STATES)
@click.option("--by", metavar="NAME", default=getpass.getuser, help="Who changes it; the account by default.")
@settings_options
def set_state(config: str | None, route: str, state: str, by: str, **flags: Any) -> None:
    """Choose which side answers ROUTE, such as "POST /v1/payment_intents", or * for all routes."""
    settings = prepare(config, flags)
    from fastpay.operations.rollout import read_route, read_state  # noqa: PLC0415
    from fastpay.store.rollout import set_route  # noqa: PLC0415

    name, chosen = read_route(route), read_state(state)
    with_connection(settings, lambda connection: set_route(connection, name, chosen, changed_by=by))
    click.echo(f"{name} {state}")
