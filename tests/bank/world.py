"""A bank to break: one PostgreSQL, instances that share it through proxies, and clients elsewhere."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.samples import FEES
from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store.connections import connected
from fastpay.store.migrate import migrate
from tests.bank.clients import Clients
from tests.support.member_proxy import MemberProxy, member_proxy
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.postgres_proxy import Proxy
from tests.support.receiver import Receiver, running_receiver
from tests.support.servers import PATIENCE_SECONDS, RunningServer, end_server, free_port, start_server
from tests.support.tenants import make_tenant

# Fewer than the instances have, so that they change hands all the time.
POOLED_CONNECTIONS = 4
# Where the receiver is.
ALLOWED = {"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}


class World:
    """Everything that runs, and what is to be done to it."""

    def __init__(
        self,
        servers: EmbeddedServers,
        proxies: list[Proxy],
        clients: Clients,
        links: MemberProxy,
        receiver: Receiver,
        scratch: Path,
        seed: int,
        *,
        pooler: PgBouncer | None,
        pooled: int,
    ) -> None:
        assert servers.database_url is not None
        assert servers._postgres is not None
        self.database_url = servers.database_url
        self.postgres = servers._postgres
        self.redis = servers._redis
        self.redis_url = servers.redis_url
        # On the way out of each instance; the last one is behind the pooler, where there is one.
        self.proxies = proxies
        self.clients = clients
        self.links = links
        self.receiver = receiver
        self.pooler = pooler
        self._pooled = pooled
        self.chance = random.Random(seed)
        self.instances: list[RunningServer] = []
        # All that ever were: what a killed one said counts as well.
        self.launched: list[RunningServer] = []
        self._scratch = scratch
        self._ports = [free_port() for _ in (proxies if pooler is None else proxies[:-1])]

    async def open(self) -> None:
        """Start all instances."""
        self.instances = [self._launch(number) for number in range(len(self._ports))]
        for instance in self.instances:
            await asyncio.to_thread(instance.wait_ready)

    def close(self) -> None:
        """End what still runs."""
        for instance in self.instances:
            children.send(instance.pid, signal.SIGCONT)
            end_server(instance)

    async def restart_instance(self, number: int) -> None:
        """Start an instance that was killed, on the port that it had."""
        self.instances[number] = self._launch(number)
        await asyncio.to_thread(self.instances[number].wait_ready)

    async def make_due(self) -> None:
        """Stop all instances in order, make what waits for its next attempt due, and start them again."""
        for instance in self.instances:
            assert await asyncio.to_thread(instance.stop) == 0
        async with connected(self.database_url) as connection:
            await connection.execute("update webhook_exception set next_attempt_at = now()")
            await connection.execute("update webhook_position set resume_at = null")
        for number in range(len(self.instances)):
            await self.restart_instance(number)

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

    def _launch(self, number: int) -> RunningServer:
        environment = {"FASTPAY_DATABASE_URL": self.proxies[number].url, **ALLOWED}
        if number >= len(self._ports) - self._pooled:
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
async def world(scratch: Path, *, instances: int, seed: int, pooled: int) -> AsyncIterator[World]:
    """Run a bank for the block. The last `pooled` instances reach PostgreSQL through one PgBouncer."""
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(scratch / "data"))
        servers = EmbeddedServers(directory, with_postgres=True, with_redis=True)
        stack.callback(servers.stop)
        servers.launch()
        servers.wait_ready()
        assert servers.database_url is not None
        pooler, behind = None, []
        if pooled:
            behind = [await stack.enter_async_context(Proxy(servers.database_url))]
            account = choose_account(scratch / "data" / "postgresql")
            pooler = stack.enter_context(
                running_pgbouncer(
                    behind[0].url, scratch / "bouncer", account=account, connections=POOLED_CONNECTIONS
                )
            )
        urls = [servers.database_url] * (instances - pooled)
        urls += [] if pooler is None else [pooler.url] * pooled
        proxies = [await stack.enter_async_context(Proxy(url)) for url in urls]
        await migrate(servers.database_url)
        # In a thread, since make_tenant runs a loop of its own.
        tenant = await asyncio.to_thread(make_tenant, servers.database_url, FEES)
        receiver = stack.enter_context(running_receiver(scratch))
        clients = Clients(servers.database_url, tenant.secret, scratch, seed, receiver=receiver)
        stack.callback(clients.close)
        links = await stack.enter_async_context(member_proxy(servers.database_url))
        proxies += behind
        made = World(servers, proxies, clients, links, receiver, scratch, seed, pooler=pooler, pooled=pooled)
        stack.callback(made.close)
        await made.open()
        yield made
