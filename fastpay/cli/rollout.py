"""`fastpay rollout`: which side answers each route."""

import getpass
from typing import Any, BinaryIO

import click

from fastpay.cli.shared import (
    find_tenant_id,
    key_options,
    prepare,
    print_table,
    settings_options,
    with_connection,
    with_database,
)

_STATES = "legacy|shadow|split=N|fastpay"


@click.group()
def rollout() -> None:
    """Move an older API over, route by route."""


@rollout.command("status")
@settings_options
def show_status(config: str | None, **flags: Any) -> None:
    """Show which side answers each route, since when and by whom, and what comparing has found."""
    settings = prepare(config, flags)
    from fastpay.operations.rollout_report import read_report, status_lines  # noqa: PLC0415

    for line in status_lines(settings, with_connection(settings, read_report)):
        click.echo(line)


@rollout.command("report")
@click.argument("file", metavar="FILE", type=click.File("wb"), required=False)
@click.option("--check", is_flag=True, help="End with 1 if answers differ, or nothing was compared.")
@settings_options
def show_report(config: str | None, file: BinaryIO | None, check: bool, **flags: Any) -> None:
    """Show what differs on the routes in shadow; with FILE, write all that is known as JSON."""
    settings = prepare(config, flags)
    import msgspec  # noqa: PLC0415

    from fastpay.operations.rollout_report import read_report, report_lines  # noqa: PLC0415

    made = with_connection(settings, read_report)
    for line in report_lines(made):
        click.echo(line)
    if file is not None:
        file.write(msgspec.json.format(msgspec.json.encode(made), indent=2))
    if check and made.is_red:
        raise SystemExit(1)


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
@click.option("--alone", is_flag=True, help="With * legacy: let lists hide what fastpay has made.")
@settings_options
def set_state(config: str | None, route: str, state: str, by: str, alone: bool, **flags: Any) -> None:
    """Choose which side answers ROUTE, such as "POST /v1/payment_intents", or * for all routes.

    If all routes go back to legacy or shadow, lists and the balance go on to show the objects of both sides.
    """
    settings = prepare(config, flags)
    from fastpay.operations.rollout import move, read_route, read_state  # noqa: PLC0415

    name, chosen = read_route(route), read_state(state)
    merged = with_connection(
        settings, lambda connection: move(connection, name, chosen, changed_by=by, alone=alone)
    )
    click.echo(f"{name} {state}")
    if merged:
        click.echo(f"{merged} lists and balances show what both sides have; --alone: the older API's part")


@rollout.command("rearm")
@click.argument("route", metavar="ROUTE")
@click.option("--by", metavar="NAME", default=getpass.getuser, help="Who rearms it; the account by default.")
@settings_options
def rearm(config: str | None, route: str, by: str, **flags: Any) -> None:
    """Let ROUTE be moved again that a guardrail has rolled back. The legacy API answers it until then."""
    settings = prepare(config, flags)
    from fastpay.operations.rollout import read_route  # noqa: PLC0415
    from fastpay.operations.rollout import rearm as rearm_route  # noqa: PLC0415

    name = read_route(route)
    with_connection(settings, lambda connection: rearm_route(connection, name, changed_by=by))
    click.echo(f"{name} may be moved again")


@rollout.command("forget-identifiers")
@settings_options
def forget_identifiers(config: str | None, **flags: Any) -> None:
    """Let routes be split again, when identifiers of the older API look like fastpay's no longer."""
    settings = prepare(config, flags)
    from fastpay.store.rollout_mistaken import forget_mistaken  # noqa: PLC0415

    click.echo(f"{with_connection(settings, forget_mistaken)} were forgotten")


@rollout.command("import")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only read the file, and say how much of it is new.")
@key_options
def import_(config: str | None, tenant: str, mode: str, file: BinaryIO, check: bool, **flags: Any) -> None:
    """Import objects and opening balances of the older API, and compare the ledger with the file.

    FILE has one object of JSON a line. If a line is faulty, nothing is imported. What was imported before
    does not change. Ends with 1 unless the ledger has what the file says.
    """
    settings = prepare(config, flags)
    from fastpay.domain.identifiers import Scope  # noqa: PLC0415
    from fastpay.operations.imports.importing import COLUMNS, Report, open_importer  # noqa: PLC0415

    async def work(connection: Any, database_url: str) -> Report:
        scope = Scope((await find_tenant_id(connection, tenant)).hex, mode == "live")
        async with open_importer(settings, database_url, connection, scope) as importer:
            if check:
                return Report(imported=await importer.check(file))
            return await importer.import_(file)

    report = with_database(settings, work)
    click.echo(f"{report.imported} are new")
    if check:
        return
    for name, count in sorted(report.left_out.items()):
        click.echo(f"not kept here: {name}, in {count} objects")
    print_table(COLUMNS, list(report.rows()))
    if report.differs:
        raise SystemExit(1)
