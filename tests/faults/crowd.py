"""Many instances behind one PgBouncer: thousands of connections of theirs onto some tens to PostgreSQL.

`make soak` runs it with its defaults; the tests with few of everything.
"""

import argparse
import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import msgspec

from fastpay.clock import SystemClock
from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Filter, Page
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from fastpay.store.connections import connected
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.migrate import migrate
from fastpay.store.pool import ReaderPool, due
from tests.support.books import find_database_faults
from tests.support.engine import Engine, engine, make_tenant, read_objects
from tests.support.pgbouncer import running_pgbouncer
from tests.support.world import HOLD

# A guard against a hang.
_FILL_TIMEOUT_MS = 60_000


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """What a crowd came to: connections of instances, connections of PostgreSQL, payments, and faults."""

    connections: int
    backends: int
    payments: int
    faults: list[str]


async def gather_crowd(
    pooled_url: str, database_url: str, *, instances: int, readers: int, rounds: int
) -> Crowd:
    """Have every instance open all its connections, and read and write on all of them at once."""
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(4)]
    backends = 0
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(
                engine(pooled_url, session_state=False, reader_connections_max=readers)
            )
            for _ in range(instances)
        ]
        for one in engines:
            await fill(one.pool, readers)
        # A writer opens its connection when it first has something to write.
        connections = sum(one.pool.connections_max for one in engines) + instances
        for number in range(rounds):
            work = asyncio.gather(
                *(
                    serve(one, scopes[place % len(scopes)], f"round {number}", readers)
                    for place, one in enumerate(engines)
                )
            )
            while not work.done():
                backends = max(backends, await count_backends(database_url))
                await asyncio.sleep(0.05)
            await work
    payments = 0
    async with connected(database_url) as connection:
        payments = await connection.fetchval("select count(*) from payment_intent")
    return Crowd(
        connections=connections,
        backends=backends,
        payments=payments,
        faults=await find_database_faults(database_url),
    )


async def fill(pool: ReaderPool, size: int) -> None:
    """Have a pool open all the connections that it may have."""
    async with AsyncExitStack() as stack:
        for _ in range(size):
            await stack.enter_async_context(pool.lend(until=due(_FILL_TIMEOUT_MS)))


async def serve(one: Engine, scope: Scope, name: str, readers: int) -> None:
    """Make a payment of its own and one that all instances of the tenant ask for; read in every way."""
    own, shared = await asyncio.gather(one.submit(HOLD, scope), one.submit(HOLD, scope, key=name))
    identifier = own.answer.object_id
    assert identifier is not None
    assert shared.answer.error is None
    keys = PostgresKeyRing(one.pool, clock=SystemClock(), cache_ms=0)

    async def read(number: int) -> None:
        if number % 4 == 0:
            (found,) = await read_objects(one.reads, scope, [identifier])
            assert found.object.id == identifier
        elif number % 4 == 1:
            page = await one.reads.list_objects(scope, Filter(kind="pi"), Page(limit=100))
            assert identifier in {found.object.id for found in page} or len(page) > 100
        elif number % 4 == 2:
            assert {account.currency for account in await one.reads.list_accounts(scope)} == {"usd"}
        else:
            assert await keys.authenticate(f"sk_test_{number}") is None

    async def capture() -> None:
        captured = await one.submit(CapturePaymentIntent(id=identifier, amount=400), scope)
        assert captured.answer.error is None

    await asyncio.gather(capture(), *(read(number) for number in range(readers)))


async def count_backends(database_url: str) -> int:
    """Return how many connections PostgreSQL has from instances."""
    async with connected(database_url) as connection:
        count: int = await connection.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
    return count


def main() -> int:
    """Run a crowd on a PostgreSQL of its own and say what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=100)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=20, help="of PgBouncer to PostgreSQL")
    options = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastpay-crowd-")))
        place.chmod(0o711)
        directory = stack.enter_context(DataDirectory(place / "data"))
        servers = EmbeddedServers(directory, with_postgres=True, with_redis=False)
        stack.callback(servers.stop)
        servers.launch()
        servers.wait_ready()
        assert servers.database_url is not None
        asyncio.run(migrate(servers.database_url))
        account = choose_account(place / "data" / "postgresql")
        bouncer = stack.enter_context(
            running_pgbouncer(
                servers.database_url, place / "bouncer", account=account, connections=options.connections
            )
        )
        crowd = asyncio.run(
            gather_crowd(
                bouncer.url,
                servers.database_url,
                instances=options.instances,
                readers=options.readers,
                rounds=options.rounds,
            )
        )
    sys.stdout.write(
        f"{options.instances} instances with {crowd.connections} connections onto {crowd.backends} of "
        f"PostgreSQL: {crowd.payments} payments, {len(crowd.faults)} faults\n"
    )
    sys.stdout.writelines(f"{fault}\n" for fault in crowd.faults)
    return 1 if crowd.faults or crowd.backends > options.connections else 0


if __name__ == "__main__":
    sys.exit(main())
