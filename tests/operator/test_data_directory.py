"""Which ledger a command means: the data directory is said, and none is created by mistake."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpay.config import Settings, load_settings
from fastpay.errors import ConfigurationError
from fastpay.operations.preflight import require_intended_ledger
from tests.support.forked import run_forked
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer, clean_environment, run_fastpay

CREATE = ("keys", "create", "--tenant", "acme", "--mode", "test")


def run_in(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a fastpay command in this working directory."""
    variables = clean_environment(**environment)
    return run_forked(arguments, variables, timeout_s=PATIENCE_SECONDS, folder=folder)


def port_of(server: RunningServer) -> str:
    return server.url.rpartition(":")[2]


@pytest.mark.parametrize("command", [CREATE, ("migrate",), ("serve", "--reuse-port")], ids=lambda x: x[0])
def test_no_second_ledger_is_created_in_another_folder(
    request: pytest.FixtureRequest, tmp_path: Path, command: tuple[str, ...]
) -> None:
    if command[0] == "serve":
        # Otherwise it is refused for the port that is in use.
        server: RunningServer = request.getfixturevalue("spawn_server")("--reuse-port")
    else:
        server = request.getfixturevalue("server")
    done = run_in(tmp_path, *command, FASTPAY_PORT=port_of(server))
    assert done.returncode == 2
    assert f"there is no data directory at {tmp_path / '.fastpay'}" in done.stderr
    assert f"a server listens on 127.0.0.1:{port_of(server)} already" in done.stderr
    assert "--data-dir" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_the_second_ledger(server: RunningServer, tmp_path: Path) -> None:
    done = run_in(tmp_path, "doctor", FASTPAY_PORT=port_of(server), COLUMNS="300")
    assert done.returncode == 1
    assert "to make a second ledger give" in done.stdout


@contextlib.contextmanager
def listening(family: socket.AddressFamily, address: str | tuple[str, int]) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(1)
        yield listener


def test_a_ledger_that_was_named_may_be_created_beside_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The default is in the working directory, where somebody may have served.
    monkeypatch.chdir(tmp_path)
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        require_intended_ledger(Settings(port=port, data_dir=str(tmp_path / "named")))
        require_intended_ledger(Settings(port=port, database_url="postgresql://elsewhere/x"))
        with pytest.raises(ConfigurationError, match="there is no data directory"):
            require_intended_ledger(Settings(port=port))
    require_intended_ledger(Settings(port=port))


def test_a_server_on_a_unix_socket_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The default is in the working directory, where somebody may have served.
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "s")
    with listening(socket.AF_UNIX, path), pytest.raises(ConfigurationError, match=f"listens on {path}"):
        require_intended_ledger(Settings(unix=path))


def test_a_flag_counts_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environment={}, flags={"data_dir": "here"}).data_dir == str(tmp_path / "here")
    assert load_settings(environment={"FASTPAY_DATA_DIR": "here"}).data_dir == "here"


def test_paths_in_a_settings_file_count_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    names = ("data_dir", "ready_file", "sealing_key_file", "tls_cert", "tls_key", "unix")
    (folder / "fastpay.toml").write_text("\n".join(f'{name} = "x"' for name in names), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(config="etc/fastpay.toml", environment={})
    assert {getattr(settings, name) for name in names} == {str(folder / "x")}
    (folder / "fastpay.toml").write_text('data_dir = "/var/lib/fastpay"', encoding="utf-8")
    assert load_settings(config="etc/fastpay.toml", environment={}).data_dir == "/var/lib/fastpay"


def test_a_command_says_that_it_creates_a_ledger(data_dir: Path) -> None:
    done = run_fastpay(*CREATE, "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stderr
    assert f"ledger_created data_dir={data_dir}" in done.stderr
    assert done.stdout.startswith("sk_test_")
    again = run_fastpay(*CREATE, "--data-dir", str(data_dir))
    assert "ledger_created" not in again.stderr


def test_the_servers_of_an_operator_can_be_named_by_flags(
    spawn_server: SpawnServer, database_url: str, redis_url: str, data_dir: Path
) -> None:
    flags = ("--database-url", database_url, "--redis-url", redis_url)
    server = spawn_server(*flags, data_dir=data_dir)
    assert (server.database_url, server.redis_url) == (database_url, redis_url)
    assert not data_dir.exists()
    done = run_fastpay("keys", "create", "--tenant", "acme", "--mode", "test", "--database-url", database_url)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: only root can become a user id without a name")
def test_a_user_id_without_a_name_is_refused_and_found(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o777)
    prefix = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--")
    own = str(data_dir / "own")
    for command in ("serve", "doctor"):
        done = run_fastpay(command, "--data-dir", own, prefix=prefix, environment={"COLUMNS": "300"})
        assert done.returncode != 0
        assert "the user id 54321 has no name on this machine" in done.stdout + done.stderr
    assert list(data_dir.iterdir()) == []
    url = "postgresql://127.0.0.1:1/x"
    environment = {"COLUMNS": "300", "USER": "", "LOGNAME": "", "LNAME": "", "USERNAME": ""}
    for command in ("serve", "doctor"):
        done = run_fastpay(command, "--database-url", url, prefix=prefix, environment=environment)
        assert "names no user" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
