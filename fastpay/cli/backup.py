"""`fastpay backup` and `fastpay restore`: copies of the database, and its state at a moment."""

import asyncio
import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastpay.cli.shared import EPILOGUE, prepare, settings_options
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded.directory import DataDirectory, read_addresses, write_private

if TYPE_CHECKING:
    from fastpay.config import Settings
    from fastpay.operations.backup import Programs

_FILE = click.Path(path_type=Path)
_DIRECTORY = click.argument("directory", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def backup() -> None:
    """Copies of the database, by PostgreSQL's own programs."""


@backup.command(epilog=EPILOGUE)
@_DIRECTORY
@click.option("--keys", metavar="FILE", type=_FILE, help="Copy the sealing keys there, not into DIRECTORY.")
@settings_options
def take(directory: Path, keys: Path | None, config: str | None, **flags: Any) -> None:
    """Copy the database into DIRECTORY while it is in use, and verify the copy."""
    from fastpay.operations import backup as backups  # noqa: PLC0415
    from fastpay.operations.sealing_keys import key_file  # noqa: PLC0415

    settings = prepare(config, flags)
    own = key_file(settings)
    if keys is not None:
        if own is None or not own.exists():
            raise ConfigurationError("there are no sealing keys to copy; see docs/OPERATIONS.md")
        backups.copy_keys(own, keys, directory=directory)
    made = backups.take(directory, _programs(settings), _running(settings))
    click.echo(made)
    if not backups.is_streamed(directory, made):
        click.echo(
            "no process receives the log into this directory, so this copy can only be restored as it is; "
            "run `fastpay backup stream` before the next one",
            err=True,
        )
    if keys is None and own is not None:
        click.echo("without a copy of the sealing keys the sealed secrets in it are lost (--keys)", err=True)


@backup.command(epilog=EPILOGUE)
@_DIRECTORY
@settings_options
def stream(directory: Path, config: str | None, **flags: Any) -> None:
    """Receive PostgreSQL's log into DIRECTORY until this process is ended.

    With it a copy can be restored to any moment after it was taken. Run it as a service.
    """
    from fastpay.operations import backup as backups  # noqa: PLC0415

    settings = prepare(config, flags)
    backups.stream(directory, _programs(settings), _running(settings))


@click.command(epilog=EPILOGUE)
@_DIRECTORY
@click.option("--at", metavar="TIME", help="The moment, like 2026-11-29T20:15:00+00:00; by default the last.")
@click.option("--into", metavar="DIR", type=_FILE, help="A new data directory of your own PostgreSQL.")
@click.option("--keys", metavar="FILE", type=_FILE, help="The copy of the sealing keys.")
@settings_options
def restore(
    directory: Path, at: str | None, into: Path | None, keys: Path | None, config: str | None, **flags: Any
) -> None:
    """Restore the database from DIRECTORY to a new data directory.

    With --into the result is for your own PostgreSQL, which recovers when you start it. Otherwise it is
    for the embedded one, in --data-dir.
    """
    from fastpay.operations import backup as backups  # noqa: PLC0415

    settings = prepare(config, flags)
    moment = None if at is None else _parse(at)
    if into is not None:
        if keys is not None:
            raise ConfigurationError(
                "with --into put the keys where sealing_key_file names them; --keys is not used"
            )
        used = backups.restore(directory, into, at=moment, account=None)
        click.echo(f"restored {used.name} into {into}; start PostgreSQL on it, which replays the log")
        return
    _restore_embedded(settings, directory, moment, keys)


def _restore_embedded(
    settings: "Settings", directory: Path, at: dt.datetime | None, keys: Path | None
) -> None:
    from fastpay.operations import backup as backups  # noqa: PLC0415
    from fastpay.operations.embedded.access import run_servers  # noqa: PLC0415
    from fastpay.operations.embedded.account import choose_account  # noqa: PLC0415
    from fastpay.store.sealing import KEY_FILE  # noqa: PLC0415

    if settings.database_url is not None:
        raise ConfigurationError("say with --into where your own PostgreSQL is to have its data")
    sealing_keys = None if keys is None else _read(keys)
    with DataDirectory(settings.data_dir) as data:
        cluster = data.path / "postgresql"
        used = backups.restore(directory, cluster, at=at, account=choose_account(cluster))
        if sealing_keys is not None:
            write_private(data.path / KEY_FILE, sealing_keys)
        try:
            with run_servers(data, with_postgres=True, with_redis=False) as servers:
                servers.wait_ready()
                assert servers.database_url is not None
                asyncio.run(backups.wait_recovered(servers.database_url))
        except ConfigurationError as error:
            # Not left behind: it is the state of no moment that was asked for.
            shutil.rmtree(cluster)
            reason = backups.find_failure(data.path / "postgresql.log") or str(error)
            raise ConfigurationError(
                f"PostgreSQL did not recover to that moment, and nothing was restored: {reason}"
            ) from error
        backups.forget_recovery(cluster)
        click.echo(f"restored {used.name} and the log after it into {data.path}")


def _read(keys: Path) -> bytes:
    try:
        return keys.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the sealing keys in {keys}: {error.strerror}") from error


def _parse(at: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(at)
    except ValueError:
        raise ConfigurationError(f"{at!r} is no time like 2026-11-29T20:15:00+00:00") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"{at!r} has no time zone; append +00:00 for UTC")
    return moment


def _running(settings: "Settings") -> str:
    """Return the URL of the database, which must run. Raises: ConfigurationError."""
    if settings.database_url is not None:
        return settings.database_url
    addresses = read_addresses(settings.data_dir)
    if addresses is None or addresses.database_url is None:
        raise ConfigurationError(f"no fastpay serves from {settings.data_dir}; its database must run")
    return addresses.database_url


def _programs(settings: "Settings") -> "Programs":
    from fastpay.operations.backup import Programs, read_version  # noqa: PLC0415
    from fastpay.operations.embedded.postgres import find_installation, find_programs  # noqa: PLC0415

    if settings.database_url is not None:
        return Programs(find_programs(asyncio.run(read_version(settings.database_url))))
    return Programs(find_installation(Path(settings.data_dir) / "postgresql") / "bin")
