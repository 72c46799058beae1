"""`fastpay serve` from the outside: start, stop, crash, restart."""

import contextlib
import json
import os
import signal
import socket
import stat
import threading
from pathlib import Path

import asyncpg
import httpx
import pytest

from fastpay import limits
from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import choose_account
from tests.support.api import ask
from tests.support.servers import RunningServer, SpawnServer, copy_cluster, execute, fetch, run_fastpay

# From the command line to the last line of the log. What the others look at is the same in a fork:
# tests/operator/test_forks.py.
STARTS_PROGRAMS = (
    "test_a_crash_leaves_the_stack_in_the_log",
    "test_a_signal_stops_everything_cleanly",
    "test_a_stop_during_the_start_leaves_nothing_behind",
    "test_data_and_key_survive_restarts",
)


def healthy(server: RunningServer) -> bool:
    return bool(ask(f"{server.url}/healthz").json() == {"status": "ok"})


def test_a_server_serves_and_says_how_to_pay(server: RunningServer) -> None:
    assert healthy(server)
    assert server.test_key.startswith("sk_test_")
    output = server.output
    assert server.url in output
    assert f"curl {server.url}/v1/payment_intents -u {server.test_key}: " in output
    assert "-H 'Idempotency-Key: order-1'" in output
    assert f"{server.test_key} (tenant 'test')" in output
    assert "amount=1999 -d currency=usd -d payment_method=pm_card_visa -d confirm=true" in output


def test_the_ready_file_says_how_to_reach_everything(server: RunningServer) -> None:
    said = json.loads(server.ready_file.read_bytes())
    assert set(said) == {"url", "admin_url", "pid", "test_key", "database_url", "redis_url"}
    assert said["pid"] == server.pid
    assert stat.S_IMODE(server.ready_file.stat().st_mode) == 0o600
    assert fetch(server.database_url, "select count(*) from tenant where name = 'test'") == [(1,)]


def test_only_we_can_read_what_is_secret(server: RunningServer) -> None:
    for name in ("test_key", "addresses.json", "lock", "postgresql.log", "redis.log"):
        assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o600, name
    for name in ("run", "postgresql", "redis"):
        assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o700, name


def test_the_embedded_postgres_keeps_what_it_acknowledged(server: RunningServer) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert fetch(server.database_url, "select current_setting($1)", name) == [("on",)]


def test_a_crash_leaves_no_memory_behind(server: RunningServer) -> None:
    for pid in (server.pid, *server.embedded_pids()):
        (line,) = [
            line
            for line in Path(f"/proc/{pid}/limits").read_text(encoding="utf-8").splitlines()
            if line.startswith("Max core file size")
        ]
        # Of one byte: no file is that small, and a program in core_pattern gets nothing either.
        assert line.split()[-3:] == ["1", "1", "bytes"]


def test_the_embedded_servers_listen_on_no_port(server: RunningServer) -> None:
    listening = set()
    for pid in server.embedded_pids():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                listening.add(os.readlink(link))
    # Of the listening TCP sockets of this machine (state 0A), none is theirs.
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            assert not (fields[3] == "0A" and f"socket:[{fields[9]}]" in listening)


def test_data_and_key_survive_restarts(spawn_server: SpawnServer) -> None:
    first = spawn_server()
    data_dir = first.data_dir
    execute(first.database_url, "insert into tenant values (gen_random_uuid(), 'kept', sha256('x'), now())")
    assert first.stop() == 0
    second = spawn_server(data_dir=data_dir)
    assert f"data_directory_opened path={data_dir} new=True" in first.output
    assert f"data_directory_opened path={data_dir} new=False" in second.output
    assert second.test_key == first.test_key
    assert fetch(second.database_url, "select name from tenant order by 1") == [("kept",), ("test",)]
    assert "migrations_applied" not in second.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_cleanly(spawn_server: SpawnServer, number: signal.Signals) -> None:
    server = spawn_server()
    assert server.embedded_pids()
    assert server.stop(number) == 0
    assert server.embedded_pids() == []
    assert not server.ready_file.exists()
    assert sorted(path.name for path in (server.data_dir / "run").iterdir()) == []
    assert not (server.data_dir / "addresses.json").exists()
    log = (server.data_dir / "postgresql.log").read_text(encoding="utf-8")
    assert "received fast shutdown request" in log
    assert log.rstrip().endswith("database system is shut down")


def test_a_stop_is_bounded_while_connections_hang(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    host, _, port = server.url.removeprefix("http://").partition(":")
    hanging = [socket.create_connection((host, int(port))) for _ in range(20)]
    for place in hanging:
        place.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert server.stop() == 0
    assert server.embedded_pids() == []
    for place in hanging:
        place.close()


def test_a_stop_is_bounded_while_the_database_hangs(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    form = b"amount=1&currency=usd&payment_method=pm_card_visa&confirm=true"
    request = (
        f"POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.test_key}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
    ).encode() + form
    host, _, port = server.url.removeprefix("http://").partition(":")
    frozen = server.embedded_pids()
    with socket.create_connection((host, int(port))) as waiting:
        try:
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            waiting.sendall(request)
            assert healthy(server)
            server.process.send_signal(signal.SIGTERM)
            # Far more than it may take, and less than what one statement may.
            ended = children.wait_until(
                lambda: server.process.poll() is not None, timeout_ms=1.5 * limits.statement_timeout_ms
            )
            assert ended, server.output
        finally:
            for pid in frozen:
                children.send(pid, signal.SIGKILL)


def test_a_stop_during_the_start_leaves_nothing_behind(spawn_server: SpawnServer, data_dir: Path) -> None:
    server = spawn_server(data_dir=data_dir, wait=False)
    assert children.wait_until((data_dir / "lock").exists, timeout_ms=30_000)
    server.stop()
    assert server.embedded_pids() == []
    assert healthy(spawn_server(data_dir=data_dir))


def test_a_ctrl_c_at_the_terminal_reaches_only_us(server: RunningServer) -> None:
    ours = os.getsid(server.pid)
    sessions = {os.getsid(pid) for pid in server.embedded_pids()}
    assert sessions
    assert ours not in sessions


def test_a_second_server_on_the_same_directory_is_refused(
    server: RunningServer, spawn_server: SpawnServer
) -> None:
    done = run_fastpay("serve", "--port", "0", "--data-dir", str(server.data_dir))
    assert done.returncode == 2
    assert f"in use by the fastpay with pid {server.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert healthy(server)


@pytest.mark.parametrize("everything", [True, False], ids=["all processes", "only the parent"])
def test_after_a_kill_the_next_start_works(spawn_server: SpawnServer, everything: bool) -> None:
    server = spawn_server()
    for round_number in range(2):
        assert fetch(server.database_url, "select count(*) from book") == [(2 * (round_number + 1),)]
        execute(
            server.database_url,
            f"with t as (insert into tenant values (gen_random_uuid(), 't{round_number}', sha256('x'), now())"
            " returning tenant_id) insert into book"
            " select tenant_id, mode from t, (values (true), (false)) as modes (mode)",
        )
        pids = server.embedded_pids()
        server.kill()
        if everything:
            for pid in pids:
                children.send(pid, signal.SIGKILL)
        server = spawn_server(data_dir=server.data_dir)
    assert healthy(server)
    assert fetch(server.database_url, "select count(*) from tenant") == [(3,)]


def test_a_crash_leaves_the_stack_in_the_log(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    server.process.send_signal(signal.SIGSEGV)
    server.process.wait()
    assert "Fatal Python error: Segmentation fault" in server.output
    assert "fastpay/operations/process.py" in server.output


def test_killed_embedded_servers_are_started_again(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    before = set(server.embedded_pids())
    for pid in before:
        children.send(pid, signal.SIGKILL)

    def back() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            return fetch(server.database_url, "select name from tenant") == [("test",)]
        return False

    assert children.wait_until(back, timeout_ms=30_000), server.output
    assert server.process.poll() is None
    assert "server_restarted" in server.output
    assert server.stop() == 0
    assert server.embedded_pids() == []


def test_a_stale_pid_file_with_the_number_of_another_process_does_no_harm(
    spawn_server: SpawnServer,
) -> None:
    server = spawn_server()
    data_dir = server.data_dir
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    lines = pid_file.read_text(encoding="utf-8").splitlines()
    server.stop()
    # A process of PostgreSQL's own user: of any other it would know that it is not a PostgreSQL.
    other = children.launch(
        ["/bin/sleep", "600"],
        account=choose_account(data_dir / "postgresql"),
        log=data_dir / "other.log",
        death_signal=signal.SIGKILL,
    )
    try:
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n", encoding="utf-8")
        assert healthy(spawn_server(data_dir=data_dir))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_half_made_cluster_is_made_anew(spawn_server: SpawnServer, data_dir: Path) -> None:
    half = data_dir / "postgresql.new-abc"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n", encoding="ascii")
    assert healthy(spawn_server(data_dir=data_dir))
    assert not half.exists()


def test_the_ready_file_is_never_seen_half_written(spawn_server: SpawnServer) -> None:
    server = spawn_server(wait=False)
    seen: list[bytes] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):
                seen.append(server.ready_file.read_bytes())
                # Once it is there, requests are served.
                assert ask(json.loads(seen[-1])["url"] + "/healthz").status_code == 200
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        server.wait_ready()
        watcher.join(30)
    finally:
        stop.set()
    assert [set(json.loads(content)) >= {"url", "pid"} for content in seen] == [True]


def test_a_unix_socket_takes_the_place_of_a_port(spawn_server: SpawnServer, scratch: Path) -> None:
    path = scratch / "door.sock"
    server = spawn_server("--unix", str(path))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://localhost/healthz").json() == {"status": "ok"}
    assert f"--unix-socket {path}" in server.output
    assert server.stop() == 0
    assert not path.exists()


def test_a_socket_that_another_instance_has_taken_over_is_left(
    spawn_server: SpawnServer, scratch: Path
) -> None:
    path = scratch / "taken.sock"
    first = spawn_server("--unix", str(path))
    second = spawn_server("--unix", str(path))
    assert first.stop() == 0
    assert path.exists()
    assert second.stop() == 0
    assert not path.exists()


def test_a_long_data_directory_name_gets_short_sockets(
    spawn_server: SpawnServer, data_dir: Path, cluster: Path
) -> None:
    long = data_dir / ("d" * 60) / ("e" * 60)
    long.parent.mkdir(parents=True)
    copy_cluster(cluster, long)
    server = spawn_server(data_dir=long)
    assert healthy(server)
    assert fetch(server.database_url, "select 1") == [(1,)]
    place = Path(server.redis_url.removeprefix("unix://")).parent
    assert long not in place.parents
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    server.kill()
    assert children.wait_until(lambda: not server.embedded_pids(), timeout_ms=30_000)
    again = spawn_server(data_dir=long)
    assert not place.exists()
    other = Path(again.redis_url.removeprefix("unix://")).parent
    assert again.stop() == 0
    assert not other.exists()


def test_a_data_directory_behind_a_symbolic_link_works(
    spawn_server: SpawnServer, data_dir: Path, cluster: Path
) -> None:
    real = data_dir / "real"
    data_dir.mkdir()
    copy_cluster(cluster, real)
    (data_dir / "link").symlink_to(real)
    server = spawn_server(data_dir=data_dir / "link")
    server.kill()
    assert healthy(spawn_server(data_dir=data_dir / "link"))


def test_an_external_database_and_redis_need_no_data_directory(
    spawn_server: SpawnServer, empty_database_url: str, redis_url: str, data_dir: Path
) -> None:
    environment = {"FASTPAY_DATABASE_URL": empty_database_url, "FASTPAY_REDIS_URL": redis_url}
    server = spawn_server(data_dir=data_dir, environment=environment)
    said = json.loads(server.ready_file.read_bytes())
    assert "test_key" not in said
    assert (said["database_url"], said["redis_url"]) == (empty_database_url, redis_url)
    assert "fastpay keys create" in server.output
    assert not data_dir.exists()


def test_two_instances_may_start_at_once_on_one_database(
    spawn_server: SpawnServer, empty_database_url: str, redis_url: str
) -> None:
    environment = {"FASTPAY_DATABASE_URL": empty_database_url, "FASTPAY_REDIS_URL": redis_url}
    servers = [spawn_server(environment=environment, wait=False) for _ in range(2)]
    for server in servers:
        server.wait_ready()
        assert healthy(server)
    assert len(fetch(empty_database_url, "select * from alembic_version")) == 1


def test_an_unsafe_database_is_refused_unless_told_by_name(
    spawn_server: SpawnServer, database_url: str, redis_url: str
) -> None:
    name = database_url.partition("@/")[2].partition("?")[0]
    execute(database_url, f"alter database {name} set synchronous_commit = off")
    environment = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": redis_url}
    done = run_fastpay("serve", "--port", "0", environment=environment)
    assert done.returncode == 2
    assert "synchronous_commit is off" in done.stderr
    assert "--allow-unsafe-database" in done.stderr
    server = spawn_server("--allow-unsafe-database", environment=environment)
    assert healthy(server)
    assert "database_risk_accepted" in server.output


def test_what_is_worth_a_warning_is_said_once_at_the_start(
    spawn_server: SpawnServer, database_url: str
) -> None:
    environment = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": "redis://127.0.0.1:1"}
    server = spawn_server(environment=environment, prefix=("prlimit", "--nofile=1000:1000"))
    assert healthy(server)
    assert children.wait_until(lambda: "dependency_lost dependency=redis" in server.output, timeout_ms=30_000)
    assert server.output.count("dependency_") == 1
    assert "Connection refused" in server.output
    assert "open_files_limited limit=1000 wanted=4096" in server.output


def test_the_start_takes_all_the_open_files_that_it_may(server: RunningServer) -> None:
    for line in Path(f"/proc/{server.pid}/limits").read_text(encoding="ascii").splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            assert soft == hard


def test_a_hangup_is_a_reload_and_not_the_end(server: RunningServer) -> None:
    server.process.send_signal(signal.SIGHUP)
    assert children.wait_until(lambda: "certificate_reloaded" in server.output, timeout_ms=30_000)
    assert healthy(server)


def test_the_bounds_of_a_stop_fit_into_its_promise() -> None:
    assert limits.stop_timeout_ms <= 5_000
