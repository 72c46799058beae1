"""The user of the embedded servers: PostgreSQL refuses root, so root runs them as an unprivileged user."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fastpay.errors import ConfigurationError

# The first is PostgreSQL's user in distributions. The second is created if there is neither.
NAMES = ("postgres", "fastpay")
ADVICE = f"run fastpay as an ordinary user, or create a system user named {NAMES[-1]}"


class Account(msgspec.Struct, frozen=True):
    """A user of this machine other than the current one."""

    name: str
    uid: int
    gid: int


def choose_account(cluster: Path) -> Account | None:
    """Return the user to run the servers as, or None for the current one.

    An existing database keeps its owner. Raises: ConfigurationError if root finds no other user.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        return Account(_name(owner), owner, cluster.stat().st_gid)
    for name in NAMES:
        if (account := _look_up(name)) is not None:
            return account
    return _create(NAMES[-1])


def require_account(cluster: Path) -> None:
    """Require that a user for PostgreSQL exists or can be created; create none.

    PostgreSQL looks up its user's name, so a user id without a name is not enough. Raises:
    ConfigurationError.
    """
    uid = os.geteuid()
    if uid == 0 and cluster.exists():
        uid = cluster.stat().st_uid
    if uid == 0:
        if not any(_look_up(name) for name in NAMES):
            _find_useradd()
        return
    if not _name(uid):
        raise ConfigurationError(
            f"the user id {uid} has no name on this machine, and PostgreSQL refuses to start without one; "
            "add the user to /etc/passwd, run fastpay as an existing user, or set FASTPAY_DATABASE_URL"
        )


def open_paths(paths: Iterable[Path], account: Account | None) -> list[Path]:
    """Let the account pass through every directory above `paths`; return the directories that were changed.

    Only the permission to pass (o+x) is added, and only if it is missing: directories stay unlisted.
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
    """Create a directory that only the account (or the current user, if there is none) can enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def make_readable(trees: Sequence[Path], directory: Path, account: Account | None) -> Path:
    """Return the first of `trees` (files or directories), or its copy under `directory`.

    Trees are copied if the installer's umask hides them from other users; the originals' permissions are
    not changed. All copies keep their relative positions, because programs find their libraries by them.
    """
    if account is None or all(_is_public(tree) for tree in trees):
        return trees[0]
    above = Path(os.path.commonpath([tree.parent for tree in trees]))
    copy = directory / f"programs-{trees[0].name}"
    # A newer installation under the same name has another time.
    stamp = copy / "installed"
    installed = " ".join(str(tree.stat().st_mtime_ns) for tree in trees)
    if not (stamp.exists() and stamp.read_text(encoding="ascii") == installed):
        shutil.rmtree(copy, ignore_errors=True)
        for tree in trees:
            target = copy / tree.relative_to(above)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if tree.is_dir() else shutil.copy2)(tree, target)
        for entry in [copy, *copy.rglob("*")]:
            os.chown(entry, account.uid, account.gid, follow_symlinks=False)
        stamp.write_text(installed, encoding="ascii")
    return copy / trees[0].relative_to(above)


def _is_public(tree: Path) -> bool:
    """Return whether everyone may read a tree, judged by samples: an installer uses one umask."""
    if tree.is_file():
        return tree.stat().st_mode & 0o5 == 0o5
    files = [file for pattern in ("bin/*", "*.so*", "share/**/*.bki") for file in tree.glob(pattern)]
    return tree.stat().st_mode & 0o1 == 0o1 and all(file.stat().st_mode & 0o4 for file in files)


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
    command = _find_useradd()
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run(  # noqa: S603 - useradd, by its full path
        [command, *arguments, "--shell", "/usr/sbin/nologin", name],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    # Another start may have created it first; only the existence of the user counts.
    if (account := _look_up(name)) is None:
        raise ConfigurationError(f"cannot create the user {name}: {made.stderr.strip()}; {ADVICE}")
    return account


def _find_useradd() -> str:
    command = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if command is None:
        raise ConfigurationError(f"PostgreSQL refuses to run as root and there is no useradd; {ADVICE}")
    return command
