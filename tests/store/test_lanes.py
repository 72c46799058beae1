"""Books that somebody else holds delay their own tenants only, on a real PostgreSQL."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer, UpdateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Customer
from fastpay.errors import DatabaseUnavailable
from fastpay.store.connections import connected
from fastpay.store.migrate import migrate
from tests.support.books import check_database
from tests.support.engine import Engine, check_books, count, engine, make_tenant, read_versions
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import PAY
from tests.unit.engine.write.test_lanes import note_waits

LOCK = "select from book where tenant_id = $1 and livemode = $2 for update"
HOLDER = """
import asyncio, sys, asyncpg

async def hold():
    connection = await asyncpg.connect(sys.argv[1])
    await connection.execute("begin; select from book where tenant_id = '" + sys.argv[2] + "' for update")
    print("held", flush=True)
    await asyncio.sleep(3600)

asyncio.run(hold())
"""


@contextlib.asynccontextmanager
async def held(database_url: str, scope: Scope) -> AsyncIterator[Any]:
    """Hold a tenant's book for the block."""
    async with connected(database_url) as connection, connection.transaction():
        await connection.execute(LOCK, *scope)
        yield connection


async def park(instance: Engine) -> None:
    """Wait until a tenant is parked."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not instance.writer._queue.has_parked:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.001)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("session_state", [True, False])
async def test_a_held_book_delays_no_other_tenant_on_any_instance(
    database_url: str, session_state: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scope, *others = [await make_tenant(database_url, f"shop {number}") for number in range(4)]
    async with AsyncExitStack() as stack:
        instances = [
            await stack.enter_async_context(engine(database_url, session_state=session_state))
            for _ in range(3)
        ]
        async with held(database_url, scope):
            parked = [
                asyncio.create_task(instance.submit(PAY, scope, key=key))
                for instance in instances
                for key in ("k", None, "k")
            ]
            for _ in range(10):
                # In one batch with the parked commands, in those after it, and all instances at once.
                outcomes = await asyncio.gather(
                    *(instance.submit(PAY, other) for instance in instances for other in others)
                )
                assert {outcome.answer.error for outcome in outcomes} == {None}
            assert not [task for task in parked if task.done()]
            assert await count(database_url, "payment_intent") == 10 * len(instances) * len(others)
        answered = await asyncio.gather(*parked)
        keyed = [outcome for number, outcome in enumerate(answered) if number % 3 != 1]
        assert len({outcome.answer for outcome in keyed}) == 1
        assert [outcome.original_request_id for outcome in keyed].count(None) == 1
    assert await check_books(database_url, scope) == 3 * (1 + len(instances))
    for other in others:
        assert await check_books(database_url, other) == 3 * 10 * len(instances)
    # Waiting is no failure, and nobody had to be taken apart.
    assert not [name for name in ("retried", "isolated", "failed") if f"batch_{name}" in caplog.text]


async def test_parked_commands_are_carried_out_in_their_order(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        customer = await instance.do(CreateCustomer(fields={"name": "Ada"}), scope)
        names = [f"name {number}" for number in range(40)]
        tasks = []
        async with held(database_url, scope):
            for number, name in enumerate(names):
                rename = UpdateCustomer(id=customer.id, fields={"name": name})
                tasks.append(asyncio.create_task(instance.submit(rename, scope)))
                if number % 10 == 0:
                    await asyncio.sleep(0.02)
            await park(instance)
        await asyncio.gather(*tasks)
    async with connected(database_url) as connection:
        found = [one.object for one in await read_versions(connection, scope)]
    assert [one.name for one in found if isinstance(one, Customer)] == ["Ada", *names]
    await check_database(database_url)


async def test_a_book_that_is_held_for_longer_than_a_lane_waits_is_waited_for_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "book_wait_ms", 20)
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(2)]
    waited: list[Scope | None] = []
    async with engine(database_url) as instance:
        note_waits(instance.writer, waited, monkeypatch)
        async with held(database_url, scopes[0]), held(database_url, scopes[1]):
            parked = [asyncio.create_task(instance.submit(PAY, scope)) for scope in scopes]
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not all(waited.count(scope) >= 2 for scope in scopes):  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.005)
        await asyncio.gather(*parked)
    for scope in scopes:
        assert await check_books(database_url, scope) == 3


async def test_a_tenant_whose_book_is_never_free_for_long_is_served_in_the_databases_line(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sweep looks once, and by then it would be too late.
    monkeypatch.setattr(limits, "commit_backoff_ms", 3_600_000)
    monkeypatch.setattr(limits, "commit_backoff_max_ms", 3_600_000)
    scope = await make_tenant(database_url)
    turns = 0
    async with engine(database_url) as instance, connected(database_url) as connection:
        held_once = asyncio.Event()

        async def take_turns() -> None:
            nonlocal turns
            while True:
                async with connection.transaction():
                    await connection.execute(LOCK, *scope)
                    turns += 1
                    held_once.set()
                    await asyncio.sleep(0.02)

        turning = asyncio.create_task(take_turns())
        await held_once.wait()
        for _ in range(5):
            before = turns
            await instance.do(PAY, scope)
            assert turns - before <= 30
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        # The waiting lane sleeps on, with nobody to wait for; the sweep is not to be waited for either.
        for task in instance.writer.loop.lanes._tasks.values():
            task.cancel()
    assert await check_books(database_url, scope) == 15


async def test_what_is_parked_past_its_deadline_is_refused_and_nothing_of_it_is_written(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "begin_timeout_ms", 300)
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        async with held(database_url, scope):
            with pytest.raises(DatabaseUnavailable, match="Nothing was changed") as refused:
                await instance.submit(PAY, scope, key="k")
            assert refused.value.status == 503
        for table in ("payment_intent", "event", "idempotency"):
            assert await count(database_url, table) == 0
        monkeypatch.undo()
        assert (await instance.submit(PAY, scope, key="k")).original_request_id is None
    assert await check_books(database_url, scope) == 3


async def test_a_book_is_free_once_its_holder_was_killed(database_url: str) -> None:
    scope, other = [await make_tenant(database_url, f"shop {number}") for number in range(2)]
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, database_url, scope.tenant_id), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await holder.stdout.readline() == b"held\n"
        async with engine(database_url) as instance:
            parked = asyncio.create_task(instance.submit(PAY, scope, key="k"))
            await instance.do(PAY, other)
            assert not parked.done()
            os.kill(holder.pid, signal.SIGKILL)
            assert (await parked).original_request_id is None
    finally:
        with contextlib.suppress(ProcessLookupError):
            holder.kill()
        await holder.wait()
    assert await check_books(database_url, scope) == 3


async def test_a_lane_goes_on_behind_a_pooler(pgbouncer_url: str, empty_database_url: str) -> None:
    await migrate(empty_database_url)
    scope, other = [await make_tenant(empty_database_url, f"shop {number}") for number in range(2)]
    async with (
        engine(pgbouncer_url, session_state=False) as one,
        engine(pgbouncer_url, session_state=False) as another,
    ):
        async with held(empty_database_url, scope):
            parked = [
                asyncio.create_task(instance.submit(PAY, scope, key="k")) for instance in (one, another)
            ]
            # The pooler has two connections, and the lanes of both instances wait on one now and then.
            for _ in range(3):
                await asyncio.gather(*(instance.do(PAY, other) for instance in (one, another)))
            assert not [task for task in parked if task.done()]
        first, second = await asyncio.gather(*parked)
    assert first.answer == second.answer
    assert await check_books(empty_database_url, scope) == 3
    assert await check_books(empty_database_url, other) == 18


async def test_with_one_instance_no_lane_opens_a_connection(database_url: str) -> None:
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(3)]
    async with engine(database_url) as instance:
        for _ in range(5):
            await asyncio.gather(*(instance.submit(PAY, scope) for scope in scopes for _ in range(4)))
        assert [lane._connection for lane in instance.batches._lanes] == [None] * (1 + limits.book_waits)
