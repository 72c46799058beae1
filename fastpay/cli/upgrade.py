"""`fastpay upgrade`: replaces a running instance by the installed program."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from fastpay.cli.shared import EPILOGUE, prepare, settings_options
from fastpay.errors import ConfigurationError
from fastpay.operations.readiness import Ready, read_ready

_LOOK_SECONDS = 0.1


@click.command(epilog=EPILOGUE)
@click.option("--ready-file", metavar="FILE", help="The ready file of the running instance.")
@settings_options
def upgrade(config: str | None, **flags: Any) -> None:
    """Replace a running instance without closing its port.

    It starts the installed program again, with its listening sockets.
    Returns when the new process serves. If it cannot start, the old one goes on, and the reason is printed.
    """
    settings = prepare(config, flags)
    if settings.ready_file is None:
        raise ConfigurationError("give the --ready-file of the running instance: it says which process it is")
    path = Path(settings.ready_file)
    before = _read(path)
    try:
        os.kill(before.pid, signal.SIGUSR2)
    except ProcessLookupError:
        raise ConfigurationError(f"the process {before.pid} that {path} names has ended") from None
    except PermissionError:
        raise ConfigurationError(f"only the user of process {before.pid} may replace it") from None
    # The instance gives up by itself. This ends the waiting if it hangs.
    until = time.monotonic() + settings.upgrade_timeout_ms / 1000 * 2
    while time.monotonic() < until:
        now = _read(path)
        if now.pid != before.pid:
            click.echo(f"process {now.pid} serves on {now.url} in the place of {before.pid}")
            return
        if now.upgrades_failed > before.upgrades_failed:
            click.echo(f"fastpay: process {before.pid} goes on: {now.upgrade_failure}", err=True)
            sys.exit(1)
        time.sleep(_LOOK_SECONDS)
    click.echo(f"fastpay: process {before.pid} has not answered; look into its log", err=True)
    sys.exit(1)


def _read(path: Path) -> Ready:
    try:
        return read_ready(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the ready file {path}: {error}") from error
