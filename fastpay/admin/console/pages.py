"""Renders the console's pages. Everything that is put into a page is escaped."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources

import jinja2

from fastpay.clock import Clock

_SPANS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def make_pages(money: Callable[[int, str], str], clock: Clock) -> jinja2.Environment:
    """Return the templates of the console. `money` shows an amount in the smallest unit of a currency."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("fastpay.admin.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["moment"] = lambda moment_ms: _moment(moment_ms, clock.now_ms())
    pages.filters["money"] = money
    return pages


def read_static(name: str) -> bytes:
    """Return a file that pages refer to."""
    return resources.files("fastpay.admin.console").joinpath("static", name).read_bytes()


def _moment(moment_ms: int, now_ms: int) -> str:
    """Return a time in UTC to the millisecond, and how far it is from now."""
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment_ms % 1000:03} UTC ({_distance(now_ms - moment_ms)})"


def _distance(span_ms: int) -> str:
    """Return a span in its largest unit."""
    for size_ms, unit in _SPANS:
        count = abs(span_ms) // size_ms
        if count:
            return f"{count} {unit} ago" if span_ms > 0 else f"in {count} {unit}"
    return "now"
