"""Root and ordinary users: who runs the servers, and what is opened for them."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay.operations.embedded.account import Account, open_paths
from tests.support.api import ask
from tests.support.servers import RunningServer, SpawnServer, run_fastpay

IS_ROOT = os.geteuid() == 0


def healthy(server: RunningServer) -> bool:
    return bool(ask(f"{server.url}/healthz").json() == {"status": "ok"})


@pytest.fixture
def nobody(data_dir: Path) -> Iterator[tuple[str, ...]]:
    """A command prefix that makes us an ordinary user, and a directory of his own for data."""
    if not IS_ROOT:
        pytest.skip("not root: the ordinary user is who runs all the other tests")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (Debian package util-linux)")
    entry = pwd.getpwnam("nobody")
    data_dir.mkdir()
    os.chown(data_dir, entry.pw_uid, entry.pw_gid)
    prefix = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--")
    tried = subprocess.run(
        [*prefix, sys.executable, "-c", "import fastpay.cli"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip("an ordinary user cannot read this checkout or its Python")
    yield prefix
    shutil.rmtree(data_dir, ignore_errors=True)


def test_an_ordinary_user_can_run_it(
    spawn_server: SpawnServer, data_dir: Path, nobody: tuple[str, ...]
) -> None:
    server = spawn_server(data_dir=data_dir / "own", prefix=nobody)
    assert healthy(server)
    uids = {Path(f"/proc/{pid}").stat().st_uid for pid in [server.pid, *server.embedded_pids()]}
    assert uids == {pwd.getpwnam("nobody").pw_uid}
    assert "paths_opened" not in server.output
    assert stat.S_IMODE((data_dir / "own").stat().st_mode) == 0o700
    assert server.stop() == 0


def test_another_user_is_told_that_the_directory_is_not_his(
    server: RunningServer, nobody: tuple[str, ...]
) -> None:
    done = run_fastpay("serve", "--data-dir", str(server.data_dir), prefix=nobody)
    assert done.returncode == 2
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not IS_ROOT, reason="not root: only root hands the servers to another user")
def test_root_hands_the_servers_to_another_user_through_closed_directories(
    spawn_server: SpawnServer, data_dir: Path
) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700, parents=True)
    server = spawn_server(data_dir=closed / "data")
    uids = {Path(f"/proc/{pid}").stat().st_uid for pid in server.embedded_pids()}
    assert len(uids) == 1
    assert 0 not in uids
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert server.output.count("paths_opened") == 1
    assert str(closed) in server.output


@pytest.mark.skipif(not IS_ROOT, reason="not root: only root may open directories for another user")
def test_only_the_missing_permission_to_pass_is_given(tmp_path: Path) -> None:
    account = Account("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    for name, mode in (("open", 0o755), ("group", 0o750), ("closed", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    changed = open_paths([tmp_path / name for name in ("open", "group", "closed")], account)
    assert {path.name for path in changed} >= {"group", "closed"}
    assert tmp_path / "open" not in changed
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open", "group", "closed")]
    assert modes == [0o755, 0o751, 0o701]
    assert open_paths([tmp_path / "closed"], account) == []
