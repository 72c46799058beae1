"""The options that the macro benchmarks share."""

import functools
from collections.abc import Callable
from typing import Any

import click
import msgspec

from benchmarks.load.serving import NAMES


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    seconds: float
    rounds: int
    connections: tuple[int, ...]
    peers: tuple[str, ...]
    workers: int | None
    directory: str
    database_url: str | None
    redis_url: str | None


class Several(click.ParamType[tuple[int | float | str, ...]]):
    """A list with commas between."""

    name = "list"

    def __init__(self, kind: type[int] | type[float] | type[str], allowed: tuple[str, ...] = ()) -> None:
        self._kind = kind
        self._allowed = allowed

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | float | str, ...]:
        """Return the parts of the list. An option's default comes converted."""
        if isinstance(value, tuple):
            return value
        parts = [part for part in value.split(",") if part]
        for part in parts:
            if self._allowed and part not in self._allowed:
                self.fail(f"{part} is none of {', '.join(self._allowed)}", param, ctx)
        try:
            return tuple(self._kind(part) for part in parts)
        except ValueError:
            self.fail(f"{value} holds something that is no number", param, ctx)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all have."""
    found = [
        click.option("--seconds", default=10.0, show_default=True, help="How long one server is loaded."),
        click.option("--rounds", default=3, show_default=True, help="How often, in turn with the others."),
        click.option("--connections", type=Several(int), default="64,256", show_default=True),
        click.option("--peers", type=Several(str, NAMES[1:]), default="fastapi,flask", show_default=True),
        click.option(
            "--workers", type=int, help="Processes of each peer; default: a core each, gunicorn 2 a core + 1."
        ),
        click.option(
            "--directory", default="/var/tmp", show_default=True, help="Where the databases are put."
        ),
        click.option("--database-url", help="A PostgreSQL to use in place of the embedded one."),
        click.option("--redis-url", help="A Redis to use in place of the embedded one; emptied."),
    ]
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(found), command)


def numbered(redis_url: str, number: int) -> str:
    """Return the URL of one of the databases of a Redis, so that no server sees another's entries."""
    if redis_url.startswith("unix://"):
        return f"{redis_url}{'&' if '?' in redis_url else '?'}db={number}"
    return f"{redis_url.rstrip('/')}/{number}"
