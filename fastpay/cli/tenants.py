"""`fastpay tenants`: tenants and their money rules."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastpay import limits
from fastpay.cli.shared import find_tenant_id, prepare, print_table, settings_options, with_connection
from fastpay.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from fastpay.domain.rules import Rules
    from fastpay.store.tenants import ListedTenant, RuleChanges

Command = TypeVar("Command", bound=Callable[..., Any])

_MODES = {"test": (False,), "live": (True,), None: (False, True)}


@click.group()
def tenants() -> None:
    """Make, list and rename tenants; show and set money rules."""


def _parse_minimums(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int | None]:
    from fastpay.domain import money  # noqa: PLC0415

    minimums: dict[str, int | None] = {}
    for value in values:
        currency, _, amount = value.partition("=")
        if not amount.isascii() or not amount.isdigit() or int(amount) > limits.amount_max:
            raise click.BadParameter(
                f"{value!r} is not CURRENCY=AMOUNT, with an amount from 0 to {limits.amount_max}"
            )
        try:
            minimums[money.parse_currency(currency)] = int(amount) or None
        except InvalidRequest as error:
            raise click.BadParameter(error.message) from error
    return minimums


def _rule_options(command: Command) -> Command:
    """Add an option for each money rule."""
    for option in (
        click.option(
            "--minimum",
            "minimums",
            metavar="CURRENCY=AMOUNT",
            multiple=True,
            callback=_parse_minimums,
            help="Smallest payment in a currency, for example usd=50; 0 removes it. Repeatable.",
        ),
        click.option(
            "--payout-interval",
            type=click.Choice(limits.payout_intervals),
            help="How often the available balance is paid out.",
        ),
        click.option(
            "--funds-delay-days",
            type=click.IntRange(0, limits.funds_delay_days_max),
            help="Days from a capture until its money is available; 0: at once.",
        ),
        click.option(
            "--refunds-may-overdraw",
            type=click.Choice(["on", "off"]),
            help="Whether a refund may be larger than the balance.",
        ),
        click.option(
            "--dispute-fee",
            type=click.IntRange(0, limits.amount_max),
            help="Fixed fee on each dispute until it is won, in its currency's smallest unit.",
        ),
        click.option(
            "--fee-fixed",
            type=click.IntRange(0, limits.amount_max),
            help="Fixed fee on each captured payment, in its currency's smallest unit.",
        ),
        click.option(
            "--fee-basis-points",
            type=click.IntRange(0, limits.fee_basis_points_max),
            help="Fee on each captured payment, in hundredths of a percent.",
        ),
    ):
        command = option(command)
    return command


@tenants.command()
@click.argument("name")
@_rule_options
@settings_options
def create(name: str, config: str | None, **flags: Any) -> None:
    """Create a tenant. Without options it pays no fees and has no smallest amounts."""
    from fastpay.domain.rules import Rules  # noqa: PLC0415
    from fastpay.operations.sealing_keys import open_vault  # noqa: PLC0415
    from fastpay.store.connections import database_clock  # noqa: PLC0415
    from fastpay.store.keys import create_tenant, find_tenant  # noqa: PLC0415

    rules = _take_changes(flags).applied_to(Rules())
    settings = prepare(config, flags)

    async def work(connection: Any) -> None:
        if await find_tenant(connection, name) is not None:
            raise ConfigurationError(f"a tenant named {name!r} exists already")
        clock = await database_clock(connection)
        vault = await open_vault(settings, connection, clock=clock, create=True)
        await create_tenant(connection, name, clock=clock, vault=vault, rules=rules)

    with_connection(settings, work, create=True)
    click.echo(f"created {name}")


@tenants.command("list")
@settings_options
def list_(config: str | None, **flags: Any) -> None:
    """List all tenants with their fees."""
    from fastpay.store.tenants import list_tenants  # noqa: PLC0415

    listed = with_connection(prepare(config, flags), list_tenants)
    rows = [
        (one.name, f"{one.created_at:%Y-%m-%d %H:%M:%S}", _fee(one.test), _fee(one.live)) for one in listed
    ]
    print_table(("tenant", "created", "test fee", "live fee"), rows)


@tenants.command()
@click.argument("name")
@settings_options
def show(name: str, config: str | None, **flags: Any) -> None:
    """Show a tenant's money rules in both modes."""
    _show(with_connection(prepare(config, flags), lambda connection: _find(connection, name)))


@tenants.command("set")
@click.argument("name")
@_rule_options
@click.option("--mode", type=click.Choice(["test", "live"]), help="Change one mode only.")
@settings_options
def set_(name: str, mode: str | None, config: str | None, **flags: Any) -> None:
    """Change a tenant's money rules; rules without an option stay unchanged.

    Running servers apply them from their next commit on. Earlier captures keep their fee and their delay.
    """
    from fastpay.store.tenants import RuleChanges, set_rules  # noqa: PLC0415

    changes = _take_changes(flags)
    if changes == RuleChanges():
        raise click.UsageError("give at least one rule to change")

    async def work(connection: Any) -> "ListedTenant":
        tenant_id = await find_tenant_id(connection, name)
        await set_rules(connection, tenant_id, changes, livemodes=_MODES[mode])
        return await _find(connection, name)

    _show(with_connection(prepare(config, flags), work))


@tenants.command()
@click.argument("name")
@click.argument("new_name")
@settings_options
def rename(name: str, new_name: str, config: str | None, **flags: Any) -> None:
    """Give a tenant another name. Its keys and payments stay as they are."""
    from fastpay.store.tenants import rename_tenant  # noqa: PLC0415

    async def work(connection: Any) -> None:
        await rename_tenant(connection, await find_tenant_id(connection, name), new_name)

    with_connection(prepare(config, flags), work)
    click.echo(f"renamed {name} to {new_name}")


def _take_changes(flags: dict[str, Any]) -> "RuleChanges":
    """Take the rules out of a command's options."""
    from fastpay.store.tenants import RuleChanges  # noqa: PLC0415

    overdraw = flags.pop("refunds_may_overdraw")
    return RuleChanges(
        fee_basis_points=flags.pop("fee_basis_points"),
        fee_fixed=flags.pop("fee_fixed"),
        refunds_may_overdraw=None if overdraw is None else overdraw == "on",
        funds_delay_days=flags.pop("funds_delay_days"),
        amount_minimums=flags.pop("minimums"),
        payout_interval=flags.pop("payout_interval"),
        dispute_fee=flags.pop("dispute_fee"),
    )


async def _find(connection: Any, name: str) -> "ListedTenant":
    from fastpay.store.tenants import list_tenants  # noqa: PLC0415

    await find_tenant_id(connection, name)
    [found] = await list_tenants(connection, name)
    return found


def _show(tenant: "ListedTenant") -> None:
    both = (tenant.test, tenant.live)
    print_table(
        (tenant.name, "test", "live"),
        [
            ("fee", *map(_fee, both)),
            ("fee on a dispute", *(str(rules.dispute_fee or "none") for rules in both)),
            ("refunds may overdraw", *("on" if rules.refunds_may_overdraw else "off" for rules in both)),
            ("smallest amounts", *map(_minimums, both)),
            ("funds available after", *(_delay(rules.funds_delay_days) for rules in both)),
            ("payouts", *(rules.payout_interval for rules in both)),
        ],
    )


def _fee(rules: "Rules") -> str:
    if not rules.fee_basis_points and not rules.fee_fixed:
        return "none"
    return f"{rules.fee_basis_points / 100:g} % + {rules.fee_fixed}"


def _minimums(rules: "Rules") -> str:
    return ", ".join(f"{currency}={amount}" for currency, amount in rules.amount_minimums.items()) or "none"


def _delay(days: int) -> str:
    return "at once" if days == 0 else f"{days} day{'' if days == 1 else 's'}"
