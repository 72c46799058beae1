"""The command line. Each command imports its own modules, so that no command waits for another's."""

import asyncio
import sys
from typing import Any

import click

from fastpay import __version__, limits
from fastpay.cli.backup import backup, restore
from fastpay.cli.keys import keys
from fastpay.cli.openapi import openapi
from fastpay.cli.operators import operators
from fastpay.cli.processors import processors
from fastpay.cli.rollout import rollout
from fastpay.cli.sealing import sealing
from fastpay.cli.settlements import settle, settlements
from fastpay.cli.shared import EPILOGUE, open_database_of, prepare, settings_options
from fastpay.cli.tenants import tenants
from fastpay.cli.upgrade import upgrade
from fastpay.cli.webhooks import events, webhooks
from fastpay.errors import ConfigurationError, FastpayError


def main() -> None:
    """Run the command line; print operators' problems as one line, without a traceback."""
    try:
        commands.main(prog_name="fastpay", standalone_mode=True)
    except ConfigurationError as error:
        click.echo(f"fastpay: {error}", err=True)
        sys.exit(2)
    except FastpayError as error:
        click.echo(f"fastpay: {error.message}", err=True)
        sys.exit(1)
    except ImportError as error:
        if error.name is None or not error.name.startswith("fastpay._native"):
            raise
        click.echo(f"fastpay: {error}; build the compiled modules: setup.py build_ext --inplace", err=True)
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOGUE)
@click.version_option(__version__, prog_name="fastpay", message="%(prog)s %(version)s")
def commands() -> None:
    """A payment API to host yourself."""


commands.add_command(backup)
commands.add_command(keys)
commands.add_command(openapi)
commands.add_command(operators)
commands.add_command(processors)
processors.add_command(settle)
processors.add_command(settlements)
commands.add_command(restore)
commands.add_command(rollout)
commands.add_command(sealing)
commands.add_command(tenants)
commands.add_command(upgrade)
commands.add_command(events)
commands.add_command(webhooks)


@commands.command(epilog=EPILOGUE)
@click.option("--host", metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", metavar="PORT", help="The port to listen on; 0 picks a free one.")
@click.option("--admin-host", metavar="ADDRESS", help="The address of the operator's listener.")
@click.option("--admin-port", metavar="PORT", help="Its port; 0 picks a free one, `off` opens none.")
@click.option("--unix", metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--ready-file", metavar="FILE", help="Written once requests are served, removed at the stop.")
@click.option("--reuse-port", is_flag=True, default=None, help="Share the port with other instances.")
@click.option("--tls-cert", metavar="FILE", help="Serve TLS with this certificate chain.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key.")
@click.option("--redis-url", metavar="URL", help="A Redis or Valkey of your own.")
@click.option(
    "--outbound-allowed-networks", metavar="NETWORKS", help="Networks inside that webhooks may be sent to."
)
@click.option("--outbound-proxy", metavar="URL", help="The HTTP proxy through which webhooks are sent.")
@click.option(
    "--allow-unsafe-database",
    is_flag=True,
    default=None,
    help="Run on a database that may lose payments that it acknowledged.",
)
@settings_options
def serve(config: str | None, **flags: Any) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    settings = prepare(config, flags)
    from fastpay.operations.process import run  # noqa: PLC0415

    sys.exit(run(settings))


@commands.command(epilog=EPILOGUE)
@settings_options
def migrate(config: str | None, **flags: Any) -> None:
    """Apply the migrations that this version needs."""
    settings = prepare(config, flags)
    from fastpay.store.migrate import migrate as apply  # noqa: PLC0415

    with open_database_of(settings, create=True) as database_url:
        applied = asyncio.run(apply(database_url))
    click.echo(f"applied {', '.join(applied)}" if applied else "no migrations were pending")


@commands.command()
@click.option(
    "--payments",
    type=click.IntRange(1, limits.demo_payments_max),
    default=2_000,
    show_default=True,
    help="How many payments to make.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, limits.demo_concurrency_max),
    default=16,
    show_default=True,
    help="How many customers pay at a time.",
)
@click.option("--url", metavar="URL", help="Use the server that runs here, instead of one of the demo's own.")
@click.option("--key", metavar="KEY", help="A secret test key of that server.")
@click.option("--data-dir", metavar="DIR", help="The data directory of the demo's own server.")
def demo(**options: Any) -> None:
    """Make mixed payments over HTTP and show the results."""
    from fastpay.operations.demo import run  # noqa: PLC0415

    sys.exit(run(**options))


@commands.command()
@click.option("--url", metavar="URL", required=True, help="The server to load.")
@click.option("--key", metavar="KEY", required=True, help="A secret test key of that server.")
@click.option("--signing-secret", metavar="SECRET", help="Sign requests with this secret of the key.")
@click.option("--rate", type=click.FloatRange(0.1), default=100, show_default=True, help="Requests a second.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="For how long.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, limits.bench_concurrency_max),
    default=64,
    show_default=True,
    help="The maximum of connections.",
)
@click.option("--payments", type=click.IntRange(0, 100), default=15, show_default=True, help="Of a hundred.")
@click.option("--refunds", type=click.IntRange(0, 100), default=5, show_default=True, help="Of a hundred.")
def bench(**options: Any) -> None:
    """Load a running server at a fixed rate and measure its latency.

    Requests that are neither payments nor refunds are reads.
    """
    from fastpay.operations.bench import run  # noqa: PLC0415

    sys.exit(run(**options))


@commands.command(epilog=EPILOGUE)
@click.option("--host", metavar="ADDRESS", help="The address to check.")
@click.option("--port", metavar="PORT", help="The port to check.")
@click.option("--unix", metavar="PATH", help="The Unix socket to check.")
@click.option("--ready-file", metavar="FILE", help="The ready file to check.")
@click.option("--redis-url", metavar="URL", help="The Redis or Valkey to check.")
@click.option("--tls-cert", metavar="FILE", help="The certificate chain to check.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key.")
@settings_options
def doctor(config: str | None, **flags: Any) -> None:
    """Check an installation, change nothing, and say what to do."""
    settings = prepare(config, flags)
    from fastpay.operations.doctor import run  # noqa: PLC0415

    sys.exit(run(settings))
