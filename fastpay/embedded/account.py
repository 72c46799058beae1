"""Who runs the embedded servers: PostgreSQL refuses root, so root hands them to an unprivileged user."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fastpay.errors import ConfigurationError

# The first is what distributions call PostgreSQL's own user; the second is made when there is neither.
NAMES = ("postgres", "fastpay")


class Account(msgspec.Struct, frozen=True):
    """A user of this machine that is not us."""

    name: str
    uid: int
    gid: int


def choose_account(cluster: Path) -> Account | None:
    """Return the user to run the servers as, or None for the one that we are.

    A database that exists keeps its owner. Raises: ConfigurationError when root can find no other user.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        return Account(_name(owner), owner, cluster.stat().st_gid)
    for name in NAMES:
        if (account := _look_up(name)) is not None:
            return account
    return _create(NAMES[-1])


def open_paths(paths: Iterable[Path], account: Account | None) -> list[Path]:
    """Let the account pass through every directory above `paths`; return those that had to be changed.

    Only the permission to pass (o+x) is given, and only where it is missing: names stay unlisted.
    """
    changed: list[Path] = []
    if account is None:
        return changed
    groups = set(os.getgrouplist(account.name, account.gid)) if account.name else {account.gid}
    for path in paths:
        for directory in reversed([path.resolve(), *path.resolve().parents]):
            status = directory.stat()
            if not _may_pass(status, account, groups):
                directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
                changed.append(directory)
    return changed


def make_directory(path: Path, account: Account | None) -> None:
    """Make a directory that only the account (or we, when there is none) can enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _may_pass(status: os.stat_result, account: Account, groups: set[int]) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid in groups and not status.st_mode & stat.S_IXOTH:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _look_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _create(name: str) -> Account:
    command = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    advice = f"run fastpay as an ordinary user, or create a system user named {name}"
    if command is None:
        raise ConfigurationError(f"PostgreSQL refuses to run as root and there is no useradd; {advice}")
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run(  # noqa: S603 - useradd, by its full path
        [command, *arguments, "--shell", "/usr/sbin/nologin", name],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    # Another start may have been quicker: what counts is that the user is there now.
    if (account := _look_up(name)) is None:
        raise ConfigurationError(f"cannot create the user {name}: {made.stderr.strip()}; {advice}")
    return account
