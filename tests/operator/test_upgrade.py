"""Upgrades: the next program takes the port over while clients pay, or the old one goes on."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.pages.blocks import ROOT
from tests.support.api import ask
from tests.support.doors import Certificate
from tests.support.servers import (
    SpawnServer,
    copy_cluster,
    end_server,
    execute,
    fetch,
    run_fastpay,
    start_server,
)
from tests.support.tenants import make_tenant
from tests.support.upgrades import (
    PATIENCE_MS,
    Crowd,
    Installation,
    pid_of,
    running_installation,
    upgrade,
    wait_ended,
)

_PROGRAM = Path(sys.executable).with_name("fastpay")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, _PROGRAM)


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": redis_url}


def _check_payments(database_url: str, crowd: Crowd) -> None:
    """Each acknowledged payment is there once, and no other."""
    assert not crowd.failures
    found = fetch(database_url, "select count(*) from payment_intent where status = 'succeeded'")
    assert found[0][0] == len(crowd.paid) == len(set(crowd.paid.values()))


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_clients_notice_nothing_of_upgrades(
    installation: Installation,
    tmp_path: Path,
    database_url: str,
    environment: dict[str, str],
    certificate: Certificate,
    is_tls: bool,
) -> None:
    arguments = ("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key)) if is_tls else ()
    secret = make_tenant(database_url).secret
    with running_installation(
        installation, tmp_path / "data", tmp_path, *arguments, environment=environment
    ) as running:
        crowd = Crowd(running.url, secret, certificate if is_tls else None)
        crowd.send_in(kept=2, new=1, http2=2)
        crowd.wait_paid(10)
        # A newcomer that crashes leaves the old one serving, and clients notice nothing of it either.
        installation.plant_late_death("broken")
        status, said = upgrade(running)
        assert (status, pid_of(running)) == (1, running.pid)
        assert "ended with status 3 before it served" in said
        installation.install()
        pids = [running.pid]
        # In plain text twice: the second newcomer inherits from the first.
        for _ in range(1 if is_tls else 2):
            crowd.wait_paid(10)
            status, said = upgrade(running)
            assert status == 0, said + running.output
            pids.append(pid_of(running))
            wait_ended(pids[-2], running)
        crowd.wait_paid(10)
        crowd.stop()
        assert len(set(pids)) == (2 if is_tls else 3)
        assert running.process.returncode == 0
        _check_payments(database_url, crowd)


def test_a_newcomer_that_hangs_is_ended_and_the_old_one_goes_on(
    installation: Installation, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["FASTPAY_UPGRADE_TIMEOUT_MS"] = "1000"
    with running_installation(installation, tmp_path / "data", tmp_path, environment=environment) as running:
        installation.plant("hangs", f"echo $$ > {tmp_path}/pid; exec sleep 600")
        status, said = upgrade(running)
        assert (status, pid_of(running)) == (1, running.pid)
        assert "did not serve within 1000 ms" in said
        assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
        assert ask(f"{running.url}/healthz").status_code == 200


def test_an_instance_with_embedded_servers_refuses_and_says_why(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    status, said = upgrade(server)
    assert status == 1
    assert "the embedded PostgreSQL and Redis end with this process" in said
    assert ask(f"{server.url}/healthz").status_code == 200


def test_a_unix_socket_is_handed_over_with_its_path(
    installation: Installation, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = tmp_path / "socket"
    with running_installation(
        installation, tmp_path / "data", tmp_path, "--unix", str(path), environment=environment
    ) as running:
        assert upgrade(running)[0] == 0
        wait_ended(running.pid, running)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://localhost/healthz").status_code == 200
    assert not path.exists()


def test_a_stop_while_the_newcomer_starts_ends_both(
    installation: Installation, tmp_path: Path, environment: dict[str, str]
) -> None:
    with running_installation(installation, tmp_path / "data", tmp_path, environment=environment) as running:
        installation.plant("slow", f"echo $$ > {tmp_path}/pid; exec sleep 600")
        running.process.send_signal(signal.SIGUSR2)
        assert children.wait_until((tmp_path / "pid").exists, timeout_ms=60_000)
        assert running.stop() == 0
        assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_who_has_read_the_ready_file_may_send_the_signal_at_once(
    cluster: Path, tmp_path: Path, scratch: Path
) -> None:
    eager = (
        "import os, signal; from fastpay.operations.readiness import ReadyFile; write = ReadyFile.write\n"
        "def write_and_signal(file): write(file); os.kill(os.getpid(), signal.SIGUSR2)\n"
        "ReadyFile.write = write_and_signal\n"
        "from fastpay.cli import main; main()"
    )
    copy_cluster(cluster, tmp_path / "data")
    server = start_server(tmp_path / "data", scratch, program=[sys.executable, "-c", eager])
    try:
        server.wait_ready()
        # It has embedded servers, so it says no and goes on.
        assert children.wait_until(lambda: "upgrade_failed" in server.output, timeout_ms=PATIENCE_MS)
        assert ask(f"{server.url}/healthz").status_code == 200
    finally:
        end_server(server)


def test_a_service_manager_passes_the_socket_and_is_told(
    tmp_path: Path, scratch: Path, environment: dict[str, str]
) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(60)
    with told, socket.create_server(("127.0.0.1", 0)) as listener:
        # As systemd does it: the socket is descriptor 3 of the process whose number is in LISTEN_PID.
        start = f'import os; os.dup2({listener.fileno()}, 3); os.environ["LISTEN_PID"] = str(os.getpid())'
        program = [sys.executable, "-c", f"{start}; import sys; os.execvp(sys.argv[1], sys.argv[1:])"]
        manager = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "public", "NOTIFY_SOCKET": str(tmp_path / "notify")}
        listener.set_inheritable(True)
        running = start_server(
            tmp_path / "data",
            scratch,
            environment=environment | manager | {"WATCHDOG_USEC": "20000000"},
            program=[*program, str(_PROGRAM)],
            pass_fds=[listener.fileno()],
        )
        try:
            running.wait_ready()
            host, port = listener.getsockname()
            assert running.url == f"http://{host}:{port}"
            assert ask(f"{running.url}/healthz").status_code == 200
            assert {told.recv(100), told.recv(100)} == {b"READY=1", b"WATCHDOG=1"}
            # The manager may have other processes' variables in its environment: they are for this one only.
            assert upgrade(running)[0] == 0
            assert told.recv(100) in (b"WATCHDOG=1", f"MAINPID={pid_of(running)}".encode())
            wait_ended(running.pid, running)
            assert ask(f"{running.url}/healthz").status_code == 200
        finally:
            os.kill(pid_of(running), signal.SIGTERM)
            wait_ended(pid_of(running), running)
            end_server(running)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"FASTPAY_PREDECESSOR": "anything"}, "is not for operators to set"),
        ({"FASTPAY_PREDECESSOR": "public=0"}, "is no socket"),
        ({"FASTPAY_PREDECESSOR": "public=999"}, "is no socket"),
    ],
    ids=["garbage", "not a socket", "closed"],
)
def test_a_wrong_inheritance_is_refused_before_anything_is_done(
    environment: dict[str, str], variables: dict[str, str], reason: str
) -> None:
    done = run_fastpay("serve", "--port", "0", environment=environment | variables)
    assert done.returncode == 2
    assert reason in done.stderr


def test_one_step_back_is_served(
    spawn_server: SpawnServer, environment: dict[str, str], database_url: str
) -> None:
    # What a migration of the next release leaves behind that only adds.
    execute(database_url, "update alembic_version set version_num = '9001'")
    server = spawn_server(environment=environment)
    assert "newer_schema_accepted revision=9001" in server.output
    assert ask(f"{server.url}/readyz").status_code == 200


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_are_what_systemd_understands_and_hardened(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy/systemd").iterdir():
        # Only the program is not where the unit expects it.
        text = unit.read_text(encoding="utf-8").replace("/opt/fastpay/current/bin/fastpay", sys.executable)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = sorted(map(str, tmp_path.iterdir()))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    # In tenths: 100 is a unit without any protection. The page says the same of both services.
    page = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
    (exposure,) = re.findall(r"exposure level of both\s+services is (\d\.\d)", page)
    services = [unit for unit in units if unit.endswith(".service")]
    assert len(services) == 2
    for service in services:
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={exposure[0]}{exposure[2]}"]
        judged = subprocess.run([*command, service], capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout
        assert f"exposure level for {Path(service).name}: {exposure} " in judged.stdout
