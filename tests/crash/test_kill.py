"""Kill -9 in the middle of payments: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import functools
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from fastpay import limits
from fastpay.operations.embedded import children
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from tests.crash.load import Clients, Order, audit, first_step
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, SpawnServer

SEED = int(os.environ.get("FASTPAY_TEST_SEED", random.randrange(1 << 32)))


@pytest.fixture
def clients() -> Clients:
    """Clients whose chance can be had again: FASTPAY_TEST_SEED is what the failed run printed."""
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    return Clients(SEED)


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


def after_a_while(clients: Clients, act: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """Return a disaster that strikes once some payments were acknowledged, at a moment of chance."""

    async def disaster() -> None:
        await clients.wait_acknowledged(clients.chance.randrange(20, 80))
        await asyncio.sleep(clients.chance.uniform(0, 0.03))
        act()

    return disaster


@pytest.mark.parametrize("kill", [kill_everything, kill_server])
def test_after_a_kill_every_acknowledged_payment_is_there_once(
    spawn_server: SpawnServer,
    data_dir: Path,
    clients: Clients,
    kill: Callable[[RunningServer, random.Random], None],
) -> None:
    for _ in range(3):
        server = spawn_server(data_dir=data_dir)
        strike = after_a_while(clients, functools.partial(kill, server, clients.chance))
        asyncio.run(clients.pay_through(server.url, server.test_key, strike))
        # The clients were in the middle of something, or the kill has proved nothing.
        assert clients.unanswered
        server = spawn_server(data_dir=data_dir)
        asyncio.run(audit(server.url, server.test_key, clients))
        assert server.stop() == 0
    assert clients.failures == []


def test_a_server_outlives_its_postgres(spawn_server: SpawnServer, data_dir: Path, clients: Clients) -> None:
    server = spawn_server(data_dir=data_dir)
    for _ in range(3):
        strike = after_a_while(clients, lambda: kill_postgres(server))

        async def strike_and_see(strike: Callable[[], Awaitable[None]] = strike) -> None:
            await strike()
            # Payments go on.
            await clients.wait_acknowledged(40)

        asyncio.run(clients.pay_through(server.url, server.test_key, strike_and_see))
        assert clients.failures == [], server.output
        asyncio.run(audit(server.url, server.test_key, clients))
    assert server.process.poll() is None
    for answer in clients.refusals:
        assert answer.headers["stripe-should-retry"] == "true"
        assert answer.json()["error"]["code"] in {"database_unavailable", "overloaded"}
    assert "request_failed" not in server.output
    assert "batch_failed" not in server.output
    assert server.stop() == 0


def test_while_postgres_is_away_every_answer_says_to_try_again(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    order = Order("o", random.Random(SEED))
    step = first_step(order)
    headers = {"Authorization": f"Bearer {server.test_key}", "Idempotency-Key": step.key}
    with httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE_SECONDS) as http:
        paid = http.post(step.path, data=step.form)
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
                http.post(step.path, data=step.form),
                http.post(step.path, data=step.form, headers={"Idempotency-Key": "new"}),
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
        again = http.post(step.path, data=step.form)
        assert (again.status_code, again.content) == (200, paid.content)
        assert http.post(step.path, data=step.form, headers={"Idempotency-Key": "new"}).status_code == 200
    assert "request_failed" not in server.output
    assert "batch_failed" not in server.output


def test_a_postgres_that_does_not_stay_ends_the_server(spawn_server: SpawnServer, data_dir: Path) -> None:
    server = spawn_server(data_dir=data_dir)

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
    assert spawn_server(data_dir=data_dir).stop() == 0


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
