"""Kill -9 in the middle of payments: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.samples import FEES
from fastpay import limits
from fastpay.operations.embedded import children
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from tests.bank.clients import Clients
from tests.support.api import open_client
from tests.support.seeds import SEED, size
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, SpawnServer, free_port
from tests.support.tenants import make_tenant

# How often each test kills.
ROUNDS = size(1, soak=10)
CLIENTS = 16
PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


def kill_everything(server: RunningServer, chance: random.Random) -> None:
    """Kill the server and each embedded process at once, in whatever order."""
    pids = [server.pid, *server.embedded_pids()]
    chance.shuffle(pids)
    for pid in pids:
        children.send(pid, signal.SIGKILL)
    server.process.wait(PATIENCE_SECONDS)


def kill_server(server: RunningServer, _chance: random.Random) -> None:
    """Kill the server alone; its PostgreSQL is left to itself."""
    server.kill()


def postgres_pids(server: RunningServer) -> list[int]:
    """Return the postmaster and all its children."""
    return children.living_in(server.data_dir.resolve() / "postgresql")


def kill_postgres(server: RunningServer) -> None:
    """Kill the postmaster with all its backends, and nothing else."""
    pids = postgres_pids(server)
    assert len(pids) > 2
    for pid in pids:
        children.send(pid, signal.SIGKILL)


@pytest.fixture
def server(spawn_server: SpawnServer) -> RunningServer:
    """A server with embedded servers, on a port that the next one on this data directory can have as well."""
    return spawn_server("--port", str(free_port()))


@pytest.fixture
def clients(server: RunningServer, scratch: Path) -> Iterator[Clients]:
    """Clients of the bank test. FASTPAY_TEST_SEED, which a failed run prints, repeats their choices."""
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    folder = scratch / f"crash{next(NUMBERS)}"
    folder.mkdir()
    made = Clients(server.database_url, make_tenant(server.database_url, FEES).secret, folder, SEED)
    with contextlib.closing(made):
        yield made


async def wait_for_a_moment(clients: Clients, chance: random.Random) -> None:
    """Return after some successful requests, at a random moment of another."""
    await clients.wait_answered(chance.randrange(20, 80))
    await asyncio.sleep(chance.uniform(0, 0.03))


@pytest.mark.parametrize("kill", [kill_everything, kill_server])
def test_after_a_kill_every_acknowledged_payment_is_there_once(
    spawn_server: SpawnServer,
    server: RunningServer,
    clients: Clients,
    kill: Callable[[RunningServer, random.Random], None],
) -> None:
    chance = random.Random(SEED)

    async def run() -> None:
        running = [server]
        for number in range(ROUNDS):
            clients.start([server.url], CLIENTS)
            await wait_for_a_moment(clients, chance)
            kill(running[-1], chance)
            port = str(urlsplit(server.url).port)
            running.append(spawn_server("--port", port, data_dir=server.data_dir))
            await clients.wait_answered(20)
            await clients.finish()
            assert await clients.find_faults(running) == []
            # The clients were in the middle of something, or the kill has proved nothing.
            assert [operation.result for operation in clients.operations()].count("unknown") > number
        assert running[-1].stop() == 0

    asyncio.run(run())


def test_a_server_outlives_its_postgres(server: RunningServer, clients: Clients) -> None:
    chance = random.Random(SEED)

    async def run() -> None:
        clients.start([server.url], CLIENTS)
        # One that ends more often is not started again.
        for _ in range(min(ROUNDS + 1, limits.embedded_restarts_max)):
            await wait_for_a_moment(clients, chance)
            kill_postgres(server)
            # Payments go on.
            await clients.wait_answered(40)
        await clients.finish()
        assert await clients.find_faults([server]) == [], server.output

    asyncio.run(run())
    refusals = {operation.answer for operation in clients.operations() if operation.result == "unknown"}
    assert refusals <= {"503 database_unavailable retry", "503 overloaded retry"}
    assert server.stop() == 0


def test_while_postgres_is_away_every_answer_says_to_try_again(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    with open_client(server.url, server.test_key) as http:
        http.headers["Idempotency-Key"] = "order"
        paid = http.post("/v1/payment_intents", data=PAY)
        assert paid.status_code == 200
        before = set(postgres_pids(server))
        kill_postgres(server)

        def is_replaced() -> bool:
            return bool(set(postgres_pids(server)) - before)

        # What takes its place is held before it serves, so that the outage lasts for as long as we like.
        assert children.wait_until(is_replaced, timeout_ms=PATIENCE_SECONDS * 1000)
        held = set(postgres_pids(server)) - before
        for pid in held:
            children.send(pid, signal.SIGSTOP)
        try:

            def is_known() -> bool:
                return http.get("/readyz").status_code == 503

            assert children.wait_until(is_known, timeout_ms=PATIENCE_SECONDS * 1000), server.output
            for answer in (
                http.post("/v1/payment_intents", data=PAY),
                http.post("/v1/payment_intents", data=PAY, headers={"Idempotency-Key": "new"}),
                http.get(f"/v1/payment_intents/{paid.json()['id']}"),
                http.get("/v1/ledger/verify"),
                http.get("/readyz"),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.headers["stripe-should-retry"] == "true"
                assert int(answer.headers["retry-after"]) > 0
                assert answer.json()["error"]["code"] == "database_unavailable"
            assert http.get("/healthz").status_code == 200
        finally:
            for pid in held:
                children.send(pid, signal.SIGCONT)

        def is_back() -> bool:
            return http.get("/readyz").status_code == 200

        assert children.wait_until(is_back, timeout_ms=PATIENCE_SECONDS * 1000), server.output
        again = http.post("/v1/payment_intents", data=PAY)
        assert (again.status_code, again.content) == (200, paid.content)
        assert (
            http.post("/v1/payment_intents", data=PAY, headers={"Idempotency-Key": "new"}).status_code == 200
        )
    assert "request_failed" not in server.output
    assert "batch_failed" not in server.output


def test_a_postgres_that_does_not_stay_ends_the_server(spawn_server: SpawnServer) -> None:
    server = spawn_server()

    def ended() -> bool:
        for pid in postgres_pids(server):
            children.send(pid, signal.SIGKILL)
        return server.process.poll() is not None

    assert children.wait_until(ended, timeout_ms=PATIENCE_SECONDS * 1000), server.output
    assert server.process.returncode == 1
    assert server.output.count("server_restarted server=postgresql") == limits.embedded_restarts_max
    assert "server_lost server=postgresql" in server.output
    assert server.embedded_pids() == []
    assert not server.ready_file.exists()
    assert spawn_server(data_dir=server.data_dir).stop() == 0


def test_a_postgres_that_ends_once_in_a_while_is_always_started_again(scratch: Path) -> None:
    now_s = 0.0
    with DataDirectory(scratch / f"data{next(NUMBERS)}") as directory:
        servers = EmbeddedServers(directory, with_postgres=False, with_redis=False, now_s=lambda: now_s)
        for _ in range(3):
            assert [servers.may_restart("redis") for _ in range(limits.embedded_restarts_max)] == [
                True
            ] * limits.embedded_restarts_max
            assert not servers.may_restart("redis")
            now_s += limits.embedded_restarts_window_ms / 1000
