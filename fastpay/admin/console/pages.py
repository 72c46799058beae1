"""Renders the console's pages. Everything that is put into a page is escaped."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources

import jinja2


def _moment(moment_ms: int) -> str:
    """Return a time of day in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}.{moment_ms % 1000:03} UTC"


def make_pages(money: Callable[[int, str], str]) -> jinja2.Environment:
    """Return the templates of the console. `money` shows an amount in the smallest unit of a currency."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("fastpay.admin.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["moment"] = _moment
    pages.filters["money"] = money
    return pages


def read_static(name: str) -> bytes:
    """Return a file that pages refer to."""
    return resources.files("fastpay.admin.console").joinpath("static", name).read_bytes()
