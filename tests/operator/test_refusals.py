"""What `fastpay serve` refuses, in one line, before it makes or starts anything."""

import socket
from pathlib import Path

import pytest

from tests.support.servers import run_fastpay


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--port", "http"], "--port is not allowed; it must be a whole number from 0 to 65535"),
        (["--tls-cert", "c.pem"], "tls_cert and tls_key go together"),
        (["--tls-cert", "/no.pem", "--tls-key", "/no.key"], "tls_cert /no.pem cannot be read: No such file"),
        (["--tls-cert", "LICENSE", "--tls-key", "LICENSE"], "tls_cert LICENSE contains no certificate; give"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--unix", "/no/where"], "/no is not a directory that this user may write to; create it"),
        (["--unix", "LICENSE"], "cannot listen on LICENSE: the file there is not a socket"),
        (["--config", "/nonexistent.toml"], "cannot read the settings file /nonexistent.toml"),
        (["--ready-file", "/nonexistent/ready"], "cannot write the ready file /nonexistent/ready"),
    ],
)
def test_what_the_operator_must_put_right_is_one_line_and_a_status(
    postgres_url: str, redis_url: str, arguments: list[str], part: str
) -> None:
    environment = {"FASTPAY_DATABASE_URL": postgres_url, "FASTPAY_REDIS_URL": redis_url}
    done = run_fastpay("serve", "--port", "0", *arguments, environment=environment)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_tls_pair_is_found_before_anything_is_made(tmp_path: Path) -> None:
    done = run_fastpay("serve", "--tls-cert", "a", "--tls-key", "b", "--data-dir", str(tmp_path / "new"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_found_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_fastpay("serve", "--port", port, "--data-dir", str(tmp_path / "new"))
    assert done.returncode == 2
    advice = "stop what listens there, or give another --port (0 picks a free one)"
    reason = "Address already in use"
    assert done.stderr == f"fastpay: cannot listen on 127.0.0.1:{port}: {reason}; {advice}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_variable_stops_the_start() -> None:
    done = run_fastpay("serve", environment={"FASTPAY_PROT": "1"})
    assert done.returncode == 2
    assert "unknown setting prot = '1' from the environment variable FASTPAY_PROT" in done.stderr


def test_an_external_database_that_is_away_leaves_no_directory_behind(tmp_path: Path) -> None:
    environment = {"FASTPAY_DATABASE_URL": "postgresql://me@127.0.0.1:1/x"}
    done = run_fastpay("serve", "--port", "0", "--data-dir", str(tmp_path / "new"), environment=environment)
    assert done.returncode == 2
    assert "cannot reach the database postgresql://me@127.0.0.1:1/x" in done.stderr
    assert list(tmp_path.iterdir()) == []
