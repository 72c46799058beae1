"""What the process announces when it serves: the ready file for programs, a greeting for people."""

from contextlib import suppress
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry
from fastpay.observability.program_name import command_name
from fastpay.operations.embedded.directory import TEST_TENANT, write_private


class Ready(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contents of the ready file: how to reach this server, its database and its Redis."""

    url: str
    pid: int
    database_url: str
    redis_url: str | None
    admin_url: str | None = None
    test_key: str | msgspec.UnsetType = msgspec.UNSET
    # How many upgrades of this process have failed, and why the last one did.
    upgrades_failed: int = 0
    upgrade_failure: str | None = None


class ReadyFile:
    """The ready file, which is there while requests are served."""

    def __init__(self, path: str | None, ready: Ready) -> None:
        self._path = None if path is None else Path(path).absolute()
        self._ready = ready

    def write(self) -> None:
        """Write it. Raises: ConfigurationError."""
        if self._path is None:
            return
        try:
            write_private(self._path, msgspec.json.encode(self._ready) + b"\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write the ready file {self._path}: {error.strerror}") from error

    def note_failure(self, reason: str) -> None:
        """Say why an upgrade has failed."""
        count = self._ready.upgrades_failed + 1
        self._ready = replace(self._ready, upgrades_failed=count, upgrade_failure=reason)
        with suppress(ConfigurationError):
            self.write()

    def remove(self) -> None:
        """Remove it, unless it is another process's by now."""
        if self._path is None:
            return
        with suppress(OSError, msgspec.DecodeError):
            if read_ready(self._path).pid == self._ready.pid:
                self._path.unlink()


def read_ready(path: Path) -> Ready:
    """Return what a ready file says. Raises: OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=Ready)


def greet(ready: Ready, settings: Settings, invitation: str | None = None) -> None:
    """Print the address of the server, and how to make a first payment and get into the console.

    `invitation` is the path of an invitation for the first operator.
    """
    telemetry.log.info("process_started", url=ready.url, pid=ready.pid)
    lines = ["", f"  fastpay serves on {ready.url}"]
    if ready.admin_url is not None:
        lines.append(f"  metrics           {ready.admin_url}/metrics")
        lines.append(f"  console           {ready.admin_url}{invitation or '/console/'}")
    if isinstance(ready.test_key, str):
        address = f"--unix-socket {settings.unix} http://localhost" if settings.unix else ready.url
        lines += [
            f"  test key          {ready.test_key} (tenant {TEST_TENANT!r})",
            "",
            "  Make a payment:",
            "",
            f"  curl {address}/v1/payment_intents -u {ready.test_key}: -H 'Idempotency-Key: order-1' \\",
            "    -d amount=1999 -d currency=usd -d payment_method=pm_card_visa -d confirm=true",
        ]
    else:
        lines += [f"  make a key with   {command_name()} keys create --tenant NAME --mode test"]
    click.echo("\n".join([*lines, ""]))
