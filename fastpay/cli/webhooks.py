"""`fastpay webhooks` and `fastpay events`: look at deliveries, have them made again, and forward events."""

from typing import TYPE_CHECKING, Any

import click

from fastpay.cli.shared import server_options

if TYPE_CHECKING:
    from fastpay.operations.asking import Server

_ENDPOINT = click.argument("endpoint", metavar="ENDPOINT")
_LIMIT = click.option(
    "--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="How many at most."
)
_TYPES = click.option(
    "--type", "types", metavar="TYPE", multiple=True, help="Only this type or group, such as charge.*."
)
_AFTER = click.option(
    "--after", type=click.IntRange(0), help="From behind this number of the sequence; without it from now on."
)


def _server(url: str, key: str) -> "Server":
    from fastpay.operations.asking import Server  # noqa: PLC0415

    return Server(url=url, key=key)


@click.group()
def events() -> None:
    """List, show and follow events, and have them delivered again."""


@events.command("list")
@_LIMIT
@_TYPES
@server_options
def list_events(url: str, key: str, **options: Any) -> None:
    """List the newest events."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.list_events(_server(url, key), **options)


@events.command("show")
@click.argument("event", metavar="EVENT")
@server_options
def show_event(url: str, key: str, event: str) -> None:
    """Show an event."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.show_event(_server(url, key), event)


@events.command("tail")
@_AFTER
@_TYPES
@server_options
def tail_events(url: str, key: str, **options: Any) -> None:
    """Print events as they happen, one a line."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.tail_events(_server(url, key), **options)


@events.command("resend")
@click.argument("event", metavar="EVENT")
@click.option("--endpoint", metavar="ENDPOINT", required=True, help="The endpoint to deliver it to.")
@server_options
def resend_event(url: str, key: str, event: str, endpoint: str) -> None:
    """Have an event delivered again."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.resend_event(_server(url, key), event, endpoint=endpoint)


@click.group()
def webhooks() -> None:
    """Show and repeat deliveries, and forward events."""


@webhooks.command("list")
@server_options
def list_endpoints(url: str, key: str) -> None:
    """List the endpoints and how far deliveries to them are."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.list_endpoints(_server(url, key))


@webhooks.command("attempts")
@_ENDPOINT
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--event", metavar="EVENT", help="Only those of one event.")
@_LIMIT
@server_options
def list_attempts(url: str, key: str, endpoint: str, **options: Any) -> None:
    """List the newest attempts to deliver to an endpoint."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.list_attempts(_server(url, key), endpoint, **options)


@webhooks.command("replay")
@_ENDPOINT
@click.option("--from", "first", type=click.IntRange(1), required=True, help="The first number.")
@click.option("--to", "last", type=click.IntRange(1), help="The last number; without it up to now.")
@_TYPES
@server_options
def replay(url: str, key: str, endpoint: str, **options: Any) -> None:
    """Have a range of the sequence delivered again."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.replay(_server(url, key), endpoint, **options)


@webhooks.command("ping")
@_ENDPOINT
@server_options
def ping(url: str, key: str, endpoint: str) -> None:
    """Have an event delivered that only this endpoint gets."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.ping(_server(url, key), endpoint)


@webhooks.command("listen")
@click.option("--forward-to", metavar="URL", required=True, help="Where to send the events.")
@click.option("--secret", metavar="SECRET", help="Sign with this secret instead of a new one.")
@_AFTER
@_TYPES
@server_options
def listen(url: str, key: str, **options: Any) -> None:
    """Send events to a URL as they happen, signed. No endpoint is needed."""
    from fastpay.operations import webhooks as work  # noqa: PLC0415

    work.listen(_server(url, key), **options)
