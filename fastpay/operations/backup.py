"""Backups by PostgreSQL's own programs, in its own formats, and restores to a moment.

A directory of backups has two parts:

    base/20261129T201500.123456Z/   a copy of the cluster (pg_basebackup), named for the moment of its end
    wal/                            the log since then, streamed as it is written (pg_receivewal)

The sealing keys are in neither: who has the copies of the database must not have the keys.
"""

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from fastpay.errors import ConfigurationError
from fastpay.operations.embedded.account import Account
from fastpay.operations.embedded.directory import write_private
from fastpay.store.connections import connected
from fastpay.store.health import inspect_database

SLOT = "fastpay_backup"
_ENTITLEMENT = "the role needs the attribute replication, and pg_hba.conf a line for it with `replication`"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_PARTIAL = ".partial"
_LOOK_SECONDS = 0.1


class Programs:
    """PostgreSQL's programs for backups, which must be of the server's major version."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` has the programs; without one those of PATH are used."""
        self._folder = folder

    def run(self, name: str, *arguments: str, database_url: str | None = None) -> None:
        """Run a program to its end. Raises: ConfigurationError if it fails."""
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL
            [self._find(name), *arguments, *_connection(database_url)],
            env=_environment(database_url),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip()
            # PostgreSQL has said one of these, by version, for a role that may not receive the log.
            asked = any(word in said.lower() for word in ("replication", "pg_hba.conf", "walsender"))
            advice = f"; {_ENTITLEMENT}" if asked else ""
            raise ConfigurationError(f"{name} failed: {said}{advice}")

    def become(self, name: str, *arguments: str, database_url: str) -> None:
        """Replace this process by a program, so that signals reach it."""
        path = self._find(name)
        os.execve(  # noqa: S606 - no shell is wanted
            path, [path, *arguments, *_connection(database_url)], _environment(database_url)
        )

    def _find(self, name: str) -> str:
        found = shutil.which(name, path=None if self._folder is None else str(self._folder))
        if found is None:
            raise ConfigurationError(f"{name} is not installed; it comes with PostgreSQL's client programs")
        return found


def take(directory: Path, programs: Programs, database_url: str) -> Path:
    """Copy the cluster, verify the copy, and return its path. Raises: ConfigurationError."""
    base = directory / "base"
    with _writing(base):
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = base / f"new-{os.getpid()}"
    shutil.rmtree(new, ignore_errors=True)
    options = ["--format=plain", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256"]
    options += [f"--pgdata={new}", "--no-password"]
    programs.run("pg_basebackup", *options, database_url=database_url)
    verify(new)
    made = base / dt.datetime.now(dt.UTC).strftime(_STAMP)
    new.rename(made)
    return made


def verify(backup: Path) -> None:
    """Compare the files of a copy with its manifest. Raises: ConfigurationError.

    pg_verifybackup does the same, but the one that comes with the embedded PostgreSQL does not run.
    """
    for file in json.loads((backup / "backup_manifest").read_bytes())["Files"]:
        path = backup / file["Path"]
        try:
            with open(path, "rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise ConfigurationError(f"{backup} is damaged: {error}") from error
        if found != file["Checksum"]:
            raise ConfigurationError(f"{backup} is damaged: {path.name} is not what was copied")


def stream(directory: Path, programs: Programs, database_url: str) -> None:
    """Receive the log until this process is ended; it becomes pg_receivewal.

    A replication slot keeps the log on the server while nobody receives it.
    """
    folder = directory / "wal"
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = [f"--slot={SLOT}", "--no-password"]
    programs.run("pg_receivewal", "--create-slot", "--if-not-exists", *options, database_url=database_url)
    programs.become(
        "pg_receivewal", f"--directory={folder}", "--synchronous", *options, database_url=database_url
    )


def is_streamed(directory: Path, backup: Path) -> bool:
    """Return whether the log was received from the beginning of this backup on."""
    first = _first_segment(backup)
    return any((directory / "wal" / name).exists() for name in (first, first + _PARTIAL))


def restore(directory: Path, cluster: Path, *, at: dt.datetime | None, account: Account | None) -> Path:
    """Make a cluster that recovers to this moment, or to the end of the log, when it is started.

    It is complete: the log is copied, too. Returns the backup that was used. Raises: ConfigurationError.
    """
    backup = _choose(directory, at)
    if cluster.exists() and any(cluster.iterdir()):
        raise ConfigurationError(f"{cluster} is not empty; restore into a new directory")
    verify(backup)
    with _writing(cluster):
        _copy(directory, backup, cluster, at=at, account=account)
    return backup


async def read_version(database_url: str) -> int:
    """Return the major version of a running server."""
    async with connected(database_url) as connection:
        return (await inspect_database(connection)).version


async def wait_recovered(database_url: str) -> None:
    """Return when a restored database has reached its moment; it answers reads before."""
    async with connected(database_url) as connection:
        while True:
            if not (await inspect_database(connection)).is_standby:
                return
            await asyncio.sleep(_LOOK_SECONDS)


def find_failure(log: Path) -> str | None:
    """Return PostgreSQL's last reason for not starting, None if its log has none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    reasons = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    # Whoever connects meanwhile is told what it is doing: starting up, in recovery mode, shutting down.
    return next((one for one in reversed(reasons) if not one.startswith("the database system is")), None)


def forget_recovery(cluster: Path) -> None:
    """Remove the settings of a recovery that is over."""
    path = cluster / "postgresql.auto.conf"
    owner = path.stat()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    write_private(
        path,
        "".join(line for line in lines if not line.startswith(("restore_command", "recovery_"))).encode(),
    )
    os.chown(path, owner.st_uid, owner.st_gid)


def copy_keys(keys: Path, target: Path, *, directory: Path) -> None:
    """Copy the sealing keys to a file outside of the directory of backups. Raises: ConfigurationError."""
    if target.resolve().is_relative_to(directory.resolve()):
        raise ConfigurationError(
            f"{target} is among the backups in {directory}; keep the sealing keys where who has the copies "
            "of the database cannot read them"
        )
    try:
        write_private(target.absolute(), keys.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot copy the sealing keys to {target}: {error.strerror}") from error


def _copy(
    directory: Path, backup: Path, cluster: Path, *, at: dt.datetime | None, account: Account | None
) -> None:
    """Copy the cluster and its log, and set what it recovers to."""
    shutil.copytree(backup, cluster, symlinks=True, dirs_exist_ok=True)
    for segment in _segments(directory, backup):
        shutil.copy2(segment, cluster / "pg_wal" / segment.name.removesuffix(_PARTIAL))
    # PostgreSQL asks for a command that fetches the log. All of it is in pg_wal already.
    lines = ["restore_command = 'false'", "recovery_target_action = 'promote'"]
    if at is not None:
        lines.append(f"recovery_target_time = '{at.astimezone(dt.UTC).isoformat()}'")
    with open(cluster / "postgresql.auto.conf", "a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    (cluster / "recovery.signal").touch(mode=0o600)
    cluster.chmod(0o700)
    if account is not None:
        for entry in [cluster, *cluster.rglob("*")]:
            os.chown(entry, account.uid, account.gid, follow_symlinks=False)


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Name the place if it cannot be written. Raises: ConfigurationError."""
    try:
        yield
    except OSError as error:
        # A copy of a tree has a list of triples: from, to and why.
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror
        raise ConfigurationError(f"cannot write {place}: {reason}") from error


def _choose(directory: Path, at: dt.datetime | None) -> Path:
    """Return the newest backup that was complete at this moment."""
    found: list[tuple[dt.datetime, Path]] = []
    for path in (directory / "base").glob("*Z"):
        found.append((dt.datetime.strptime(path.name, _STAMP).replace(tzinfo=dt.UTC), path))
    usable = [(moment, path) for moment, path in found if at is None or moment <= at]
    if not usable:
        oldest = min(found)[0].isoformat() if found else "none at all"
        raise ConfigurationError(f"{directory} has no backup from before that moment; the oldest is {oldest}")
    return max(usable)[1]


def _segments(directory: Path, backup: Path) -> list[Path]:
    """Return the files of the log that a recovery from this backup may need, and all timeline files."""
    first = _first_segment(backup)[8:]
    names = sorted((directory / "wal").glob("*")) if (directory / "wal").is_dir() else []
    return [path for path in names if path.suffix == ".history" or path.name[8:24] >= first]


def _first_segment(backup: Path) -> str:
    # START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
    line = (backup / "backup_label").read_text(encoding="utf-8").splitlines()[0]
    return line.rpartition("(file ")[2].rstrip(")")


def _connection(database_url: str | None) -> Sequence[str]:
    """Return the arguments that name a database, without the password: everybody sees a command line."""
    if database_url is None:
        return ()
    parts = urlsplit(database_url)
    if parts.password is not None:
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return (f"--dbname={urlunsplit(parts)}",)


def _environment(database_url: str | None) -> dict[str, str]:
    password = None if database_url is None else urlsplit(database_url).password
    return dict(os.environ) | ({} if password is None else {"PGPASSWORD": unquote(password)})
