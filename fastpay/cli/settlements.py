"""`fastpay processors settle` and `settlements`: what processors have paid out, and whether it is right."""

import getpass
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar, get_args

import click

from fastpay import limits
from fastpay.cli.shared import find_tenant_id, key_options, prepare, print_table, with_database
from fastpay.domain.settlement_rows import RowStatus

if TYPE_CHECKING:
    from fastpay.config import Settings
    from fastpay.domain.settlements import Settlement
    from fastpay.operations.settlements import SettlementDesk

Result = TypeVar("Result")


def _check_id(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    from fastpay.domain import kinds  # noqa: PLC0415

    return kinds.check(kinds.SETTLEMENT, value)


_ID = click.argument("settlement", metavar="ID", callback=_check_id)


@click.command()
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@click.option("--mapping", type=click.File(encoding="utf-8"), help="A TOML file: which column is what.")
@key_options
def settle(
    config: str | None,
    tenant: str,
    mode: str,
    name: str,
    file: BinaryIO,
    mapping: TextIO | None,
    **flags: Any,
) -> None:
    """Import what a processor says it has paid out.

    FILE is a settlement file of the processor NAME: CSV, or camt.053. Its rows are matched with payments. A
    file that was imported before changes nothing.
    """
    from fastpay.operations.settlement_files.mapping import Mapping, parse_mapping  # noqa: PLC0415

    declared = Mapping() if mapping is None else parse_mapping(mapping.read())

    async def work(desk: "SettlementDesk") -> "Sequence[Settlement]":
        return await desk.settle(name, file, declared, click.echo)

    for one in _run(prepare(config, flags), tenant, mode, work):
        _tell(one)


@click.group()
def settlements() -> None:
    """What was imported by `settle`."""


@settlements.command("list")
@key_options
def list_(config: str | None, tenant: str, mode: str, **flags: Any) -> None:
    """List the newest settlements."""
    from fastpay.operations.settlements import COLUMNS, summary  # noqa: PLC0415

    async def work(desk: "SettlementDesk") -> "Sequence[Settlement]":
        return await desk.newest()

    print_table(COLUMNS, [summary(one) for one in _run(prepare(config, flags), tenant, mode, work)])


@settlements.command()
@_ID
@key_options
def show(config: str | None, tenant: str, mode: str, settlement: str, **flags: Any) -> None:
    """Show the sums of a settlement, and the differences that were accepted."""
    from fastpay.operations.settlements import details  # noqa: PLC0415

    async def work(desk: "SettlementDesk") -> "Settlement":
        return await desk.require(settlement)

    for line in details(_run(prepare(config, flags), tenant, mode, work)):
        click.echo(line)


@settlements.command()
@_ID
@click.option("--status", type=click.Choice(get_args(RowStatus)), help="Only rows that have this status.")
@click.option("--after", type=int, default=0, help="Only rows behind this position.")
@key_options
def rows(
    config: str | None,
    tenant: str,
    mode: str,
    settlement: str,
    status: str | None,
    after: int,
    **flags: Any,
) -> None:
    """List rows of a settlement, a hundred at a time."""
    from fastpay.operations.settlements import ROW_COLUMNS, shown_row  # noqa: PLC0415

    async def work(desk: "SettlementDesk") -> list[tuple[str, ...]]:
        found = await desk.require(settlement)
        listed = await desk.rows(found, after=after, status=status)
        return [shown_row(row, found.currency) for row in listed]

    print_table(ROW_COLUMNS, _run(prepare(config, flags), tenant, mode, work))


@settlements.command()
@_ID
@key_options
def match(config: str | None, tenant: str, mode: str, settlement: str, **flags: Any) -> None:
    """Match all rows again, for example after a review was resolved."""

    async def work(desk: "SettlementDesk") -> "Settlement | None":
        return await desk.match(settlement)

    _tell(_run(prepare(config, flags), tenant, mode, work))


@settlements.command()
@_ID
@click.argument("position", type=click.IntRange(1, limits.settlement_positions_max))
@click.option("--reason", required=True, metavar="TEXT", help="Why. It is kept with your name.")
@key_options
def accept(
    config: str | None, tenant: str, mode: str, settlement: str, position: int, reason: str, **flags: Any
) -> None:
    """Accept the difference of the row at POSITION, and post it to `settlement_differences`."""
    by = f"command line, {getpass.getuser()}"
    why = reason[: limits.settlement_reason_chars_max]

    async def work(desk: "SettlementDesk") -> "Settlement":
        return await desk.accept(settlement, position, by=by, reason=why)

    _tell(_run(prepare(config, flags), tenant, mode, work))


@settlements.command()
@_ID
@key_options
def close(config: str | None, tenant: str, mode: str, settlement: str, **flags: Any) -> None:
    """Close a settlement at zero difference, and post what came to the bank and the fees."""

    async def work(desk: "SettlementDesk") -> "Settlement":
        return await desk.close(settlement)

    _tell(_run(prepare(config, flags), tenant, mode, work))


def _tell(settlement: "Settlement | None") -> None:
    if settlement is None:
        click.echo("all of its rows were in other files")
        return
    click.echo(
        f"{settlement.id} {settlement.status}: {settlement.rows} rows, {settlement.differences} differences"
    )


def _run(
    settings: "Settings", tenant: str, mode: str, work: "Callable[[SettlementDesk], Awaitable[Result]]"
) -> "Result":
    """Run `work` with what settles in a mode of a tenant."""
    from fastpay.domain.identifiers import Scope  # noqa: PLC0415
    from fastpay.operations.settlements import open_desk  # noqa: PLC0415

    async def open_and_work(connection: Any, database_url: str) -> "Result":
        scope = Scope((await find_tenant_id(connection, tenant)).hex, mode == "live")
        async with open_desk(settings, database_url, connection, scope) as desk:
            return await work(desk)

    return with_database(settings, open_and_work)
