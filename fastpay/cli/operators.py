"""`fastpay operators`: the people who use the console."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastpay.admin.console.names import COMMAND_LINE, name_problem
from fastpay.cli.shared import prepare, settings_options, with_connection
from fastpay.errors import ConfigurationError

if TYPE_CHECKING:
    from fastpay.admin.console.operator_ports import Outcome
    from fastpay.store.roster import Roster

_PROBLEMS = {
    "missing": "there is no operator named {!r}",
    "last_admin": "{!r} is the last administrator who can sign in; make somebody else an administrator first",
}

_Result = TypeVar("_Result")


def _url_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says where the link leads."""
    return click.option(
        "--url",
        metavar="URL",
        help="The operator's listener as the browser reaches it (console_url, or http://127.0.0.1:8001).",
    )(command)


def _role(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--role",
        type=click.Choice(["view", "operate", "admin"]),
        default="view",
        show_default=True,
        help="What the operator may do.",
    )(command)


@click.group()
def operators() -> None:
    """The people who use the console."""


@operators.command()
@click.argument("name")
@_role
@_url_option
@settings_options
def invite(config: str | None, name: str, role: str, url: str | None, **flags: Any) -> None:
    """Print a link that is good once, for a day, for somebody who has not joined."""
    name = name.strip()
    problem = name_problem(name)
    if problem:
        raise click.BadParameter(problem)
    token = _change(config, flags, lambda roster: roster.invite(COMMAND_LINE, name, role))
    if token is None:
        raise ConfigurationError(f"{name!r} has joined; to invite again: fastpay operators reset {name!r}")
    _print_link(config, flags, url, token)


@operators.command()
@click.argument("name")
@_url_option
@settings_options
def reset(config: str | None, name: str, url: str | None, **flags: Any) -> None:
    """Print a link for somebody who cannot sign in any more.

    It ends the operator's password, second factor, passkeys and sessions. The role stays.
    """
    token = _change(config, flags, lambda roster: roster.reset(COMMAND_LINE, name))
    if token is None:
        raise ConfigurationError(f"there is no operator named {name!r}, or it is suspended: enable it first")
    _print_link(config, flags, url, token)


@operators.command("list")
@settings_options
def list_(config: str | None, **flags: Any) -> None:
    """List the operators."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for heading in ("name", "role", "state", "signs in with", "sessions", "last seen (UTC)"):
        table.add_column(heading, overflow="fold")
    for found in _change(config, flags, lambda roster: roster.list()):
        seen = datetime.fromtimestamp(found.seen_ms / 1000, UTC) if found.seen_ms else None
        ways = [*["password"] * found.has_password, *[f"{found.passkeys} passkeys"] * bool(found.passkeys)]
        cells = (found.name, found.role, found.state, ", ".join(ways), str(found.sessions))
        table.add_row(*map(Text, (*cells, f"{seen:%Y-%m-%d %H:%M:%S}" if seen else "")))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@operators.command()
@click.argument("name")
@_role
@settings_options
def role(config: str | None, name: str, role: str, **flags: Any) -> None:
    """Change what an operator may do."""
    _require_done(name, _change(config, flags, lambda roster: roster.set_role(COMMAND_LINE, name, role)))
    click.echo(f"{name} has the role {role}")


@operators.command()
@click.argument("name")
@settings_options
def suspend(config: str | None, name: str, **flags: Any) -> None:
    """Let an operator in no more, and end all sessions at once."""
    _require_done(name, _change(config, flags, lambda roster: roster.suspend(COMMAND_LINE, name)))
    click.echo(f"{name} is suspended")


@operators.command()
@click.argument("name")
@settings_options
def enable(config: str | None, name: str, **flags: Any) -> None:
    """Let a suspended operator in again."""
    _require_done(name, _change(config, flags, lambda roster: roster.enable(COMMAND_LINE, name)))
    click.echo(f"{name} is enabled")


@operators.command("end-sessions")
@click.argument("name")
@settings_options
def end_sessions(config: str | None, name: str, **flags: Any) -> None:
    """End all sessions of an operator."""
    _require_done(name, _change(config, flags, lambda roster: roster.end_sessions(COMMAND_LINE, name)))
    click.echo(f"all sessions of {name} have ended")


def _change(
    config: str | None, flags: dict[str, Any], change: "Callable[[Roster], Awaitable[_Result]]"
) -> _Result:
    from fastpay.clock import SystemClock  # noqa: PLC0415
    from fastpay.store.roster import Roster  # noqa: PLC0415

    async def work(connection: Any) -> _Result:
        return await change(Roster(connection.fetch, SystemClock()))

    return with_connection(prepare(config, flags), work)


def _require_done(name: str, outcome: "Outcome") -> None:
    if outcome != "done":
        raise ConfigurationError(_PROBLEMS[outcome].format(name))


def _print_link(config: str | None, flags: dict[str, Any], url: str | None, token: str) -> None:
    found = url or prepare(config, flags).console_url or "http://127.0.0.1:8001"
    click.echo(f"{found.rstrip('/')}/console/invitation/{token}")
