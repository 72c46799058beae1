"""A bank to break: one PostgreSQL, instances that share it through proxies, and clients elsewhere."""

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from fastpay.clock import SystemClock
from fastpay.domain.rules import Rules
from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store import keys, rows
from fastpay.store.connections import connected
from fastpay.store.migrate import migrate
from tests.bank import history
from tests.bank.checker import FEE_BASIS_POINTS, FEE_FIXED
from tests.bank.history import Change, Operation
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.postgres_proxy import Proxy
from tests.support.servers import PATIENCE_SECONDS, RunningServer, end_server, start_server
from tests.support.tree import ROOT

# Fewer than the instances have, so that they change hands all the time.
POOLED_CONNECTIONS = 4


class World:
    """Everything that runs, and what is to be done to it."""

    def __init__(
        self,
        servers: EmbeddedServers,
        proxies: list[Proxy],
        scratch: Path,
        seed: int,
        *,
        pooler: PgBouncer | None = None,
    ) -> None:
        assert servers.database_url is not None
        assert servers._postgres is not None
        self.database_url = servers.database_url
        self.postgres = servers._postgres
        self.redis = servers._redis
        self.redis_url = servers.redis_url
        # On the way out of each instance; the last one is behind the pooler, where there is one.
        self.proxies = proxies
        self.pooler = pooler
        self.chance = random.Random(seed)
        self.instances: list[RunningServer] = []
        # All that ever were: what a killed one said counts as well.
        self.launched: list[RunningServer] = []
        self.key = ""
        self._scratch = scratch
        self._ports = [_free_port() for _ in (proxies if pooler is None else proxies[:-1])]
        self._clients: list[subprocess.Popen[bytes]] = []
        self._clients_started = 0
        self.history = scratch / "history.jsonl"
        self._seen = 0

    async def open(self) -> None:
        """Make the tenant and start all instances."""
        await migrate(self.database_url)
        clock = SystemClock()
        async with connected(self.database_url) as connection:
            tenant_id = await keys.create_tenant(
                connection, "bank", clock=clock, rules=Rules(FEE_BASIS_POINTS, FEE_FIXED)
            )
            made = await keys.create_key(connection, tenant_id, livemode=False, clock=clock)
        self.key = made.key
        self.instances = [self._launch(number) for number in range(len(self._ports))]
        for instance in self.instances:
            await asyncio.to_thread(instance.wait_ready)

    def close(self) -> None:
        """End what still runs."""
        for process in self._clients:
            if process.poll() is None:
                process.kill()
                process.wait()
        for instance in self.instances:
            children.send(instance.pid, signal.SIGCONT)
            end_server(instance)

    async def restart_instance(self, number: int) -> None:
        """Start an instance that was killed, on the port that it had."""
        self.instances[number] = self._launch(number)
        await asyncio.to_thread(self.instances[number].wait_ready)

    async def restart_postgres(self) -> None:
        """Start PostgreSQL after its end, and wait until it serves."""
        await asyncio.to_thread(
            children.wait_until, self.postgres.has_ended, timeout_ms=PATIENCE_SECONDS * 1000
        )
        self.postgres.launch()
        await asyncio.to_thread(self.postgres.wait_ready)

    async def restart_pooler(self) -> None:
        """Start the pooler after its end, and wait until it serves."""
        assert self.pooler is not None
        self.pooler.launch()
        await asyncio.to_thread(self.pooler.wait_ready)

    def start_clients(self, count: int) -> None:
        """Let new clients loose, in a process of their own."""
        self.history.touch()
        options = {
            "history": self.history,
            "key": self.key,
            "clients": count,
            "first": self._clients_started,
            "seed": self.chance.randrange(1 << 32),
        }
        self._clients_started += count
        arguments = [f"--{name}={value}" for name, value in options.items()]
        urls = [instance.url for instance in self.instances]
        self._clients.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.bank.client", *arguments, *urls],
                cwd=ROOT,
                stdin=subprocess.PIPE,
            )
        )

    async def finish_clients(self) -> None:
        """Let every client get its last answer, and go."""
        for process in self._clients:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._clients:
            assert await asyncio.to_thread(process.wait, 2 * PATIENCE_SECONDS) == 0
        self._clients = []

    async def wait_answered(self, count: int) -> None:
        """Return when clients were answered so many more times."""
        self._answered()
        answered = 0
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while answered < count:
                assert all(process.poll() is None for process in self._clients)
                await asyncio.sleep(0.02)
                answered += self._answered()

    def _answered(self) -> int:
        """Return how many answers were written down since the last call."""
        with open(self.history, "rb") as file:
            file.seek(self._seen)
            more = file.read()
        self._seen += len(more)
        return more.count(b'"result":"ok"')

    def operations(self) -> list[Operation]:
        """Return what clients wrote down."""
        return history.read(self.history)

    async def changes(self) -> list[Change]:
        """Return every event in the order of the sequence, with what the object at that version says."""
        async with connected(self.database_url) as connection:
            events = await connection.fetch("select * from event order by sequence")
            written = {
                (row["object_id"], row["version"]): rows.versioned(row).object
                for row in await connection.fetch("select * from object_version")
            }
        return [_change(event, written[event["object_id"], event["version"]]) for event in events]

    async def balance(self) -> int:
        """Return the balance as an instance tells it."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self.key}"}) as http:
            answer = await http.get(f"{self.instances[0].url}/v1/balance")
        assert answer.status_code == 200, answer.text
        return sum(money["amount"] for money in answer.json()["pending"])

    def _launch(self, number: int) -> RunningServer:
        environment = {"FASTPAY_DATABASE_URL": self.proxies[number].url}
        if self.pooler is not None:
            environment["FASTPAY_TRANSACTION_POOLING"] = "true"
        if self.redis_url is not None:
            environment["FASTPAY_REDIS_URL"] = self.redis_url
        instance = start_server(
            self._scratch / f"instance{number}",
            self._scratch,
            "--port",
            str(self._ports[number]),
            environment=environment,
        )
        self.launched.append(instance)
        return instance


@contextlib.asynccontextmanager
async def world(scratch: Path, *, instances: int, seed: int, has_pooler: bool) -> AsyncIterator[World]:
    """Run a bank for the block, behind a pooler or not."""
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(scratch / "data"))
        servers = EmbeddedServers(directory, with_postgres=True, with_redis=True)
        stack.callback(servers.stop)
        servers.launch()
        servers.wait_ready()
        assert servers.database_url is not None
        pooler, behind = None, []
        if has_pooler:
            behind = [await stack.enter_async_context(Proxy(servers.database_url))]
            account = choose_account(scratch / "data" / "postgresql")
            pooler = stack.enter_context(
                running_pgbouncer(
                    behind[0].url, scratch / "bouncer", account=account, connections=POOLED_CONNECTIONS
                )
            )
        url = servers.database_url if pooler is None else pooler.url
        proxies = [await stack.enter_async_context(Proxy(url)) for _ in range(instances)]
        made = World(servers, [*proxies, *behind], scratch, seed, pooler=pooler)
        stack.callback(made.close)
        await made.open()
        yield made


def _change(event: Any, stored: Any) -> Change:
    """Return an event as the checker wants it: only payments and refunds tell what was asked for."""
    amount = getattr(stored, "amount", 0)
    if event["type"].startswith("payment_intent."):
        amount = stored.amount_received or stored.amount
    is_told = not event["type"].startswith("charge.")
    return Change(
        sequence=event["sequence"],
        request_id=event["request_id"],
        type=event["type"],
        key=stored.metadata.get("order", "") if is_told else "",
        amount=amount if is_told else 0,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
