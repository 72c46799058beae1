"""Through a real PgBouncer in transaction mode: no session outlives a transaction."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from fastpay.domain.captures import CapturePaymentIntent
from fastpay.domain.identifiers import Scope
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Filter, Page
from fastpay.store.connections import connected
from fastpay.store.keyring import PostgresKeyRing
from fastpay.store.migrate import migrate
from tests.faults.crowd import gather_crowd
from tests.support.engine import CLOCK, Engine, check_books, engine, make_tenant, read_objects
from tests.support.postgres_proxy import Proxy
from tests.support.world import HOLD, PAY


async def test_payments_go_through_a_pooler_in_transaction_mode(
    pgbouncer_url: str, empty_database_url: str
) -> None:
    await migrate(empty_database_url)
    scope = await make_tenant(empty_database_url)
    async with (
        engine(pgbouncer_url, session_state=False) as one,
        engine(pgbouncer_url, session_state=False) as other,
    ):
        instances = (one, other)
        outcomes = await asyncio.gather(
            *(instance.submit(PAY, scope, key=f"k{number}") for number in range(40) for instance in instances)
        )
        held = await one.do(HOLD, scope)
        await other.do(CapturePaymentIntent(id=held.id, amount=400), scope)
        await one.do(CreateRefund(payment_intent=held.id, amount=400), scope)
        pages = await asyncio.gather(
            *(
                instance.reads.list_objects(scope, Filter(kind="pi"), Page(limit=50))
                for instance in instances
                for _ in range(8)
            )
        )
        found = await asyncio.gather(*(read_objects(one.reads, scope, [held.id]) for _ in range(8)))
        verification = await other.reads.verify(scope)
    assert [outcome.original_request_id is None for outcome in outcomes].count(True) == 40
    assert {len(page) for page in pages} == {41}
    assert {versions[0].object.id for versions in found} == {held.id}
    assert verification.problems == ()
    assert await check_books(empty_database_url, scope) == 40 * 3 + 3 + 2 + 2


async def test_a_writer_survives_the_loss_of_the_poolers_connections(
    pgbouncer_url: str, empty_database_url: str
) -> None:
    await migrate(empty_database_url)
    scope = await make_tenant(empty_database_url)
    async with engine(pgbouncer_url, session_state=False) as instance:
        paid = await instance.do(PAY, scope)
        for _ in range(3):
            async with connected(empty_database_url) as connection:
                await connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            assert (await instance.submit(PAY, scope)).answer.error is None
            assert await read_objects(instance.reads, scope, [paid.id])
    assert await check_books(empty_database_url, scope) == 4 * 3


@pytest.mark.usefixtures("patient")
async def test_reads_that_share_the_poolers_connections_do_not_get_each_others_answers(
    pgbouncer_url: str, empty_database_url: str
) -> None:
    await migrate(empty_database_url)
    scopes = [await make_tenant(empty_database_url, f"shop {number}") for number in range(2)]
    async with AsyncExitStack() as stack:
        # Many more connections than the pooler has to the database.
        instances = [
            await stack.enter_async_context(engine(pgbouncer_url, session_state=False)) for _ in range(6)
        ]
        paid = {scope: await instances[0].do(PAY, scope) for scope in scopes}

        async def read(instance: Engine, scope: Scope, kind: int) -> None:
            reads, identifier = instance.reads, paid[scope].id
            if kind == 0:
                (found,) = await read_objects(reads, scope, [identifier])
                assert found.object == paid[scope]
            elif kind == 1:
                (found,) = await reads.get_objects_at(scope, [identifier], 3)
                assert found.object == paid[scope]
            elif kind == 2:
                page = await reads.list_objects(scope, Filter(kind="pi"), Page(limit=5))
                assert page[-1].object == paid[scope]
            elif kind == 3:
                assert {account.code for account in await reads.list_accounts(scope)} >= {"pending"}
            elif kind == 4:
                assert (await instance.submit(PAY, scope, key="again")).answer.error is None
            else:
                keys = PostgresKeyRing(instance.pool, clock=CLOCK, cache_ms=0)
                assert await keys.authenticate("sk_test_nobody") is None

        for _ in range(10):
            await asyncio.gather(
                *(
                    read(instance, scope, kind)
                    for kind in range(6)
                    for instance in instances
                    for scope in scopes
                )
            )
    for scope in scopes:
        await check_books(empty_database_url, scope)


async def test_a_statement_runs_in_the_transaction_that_it_was_parsed_in(database_url: str) -> None:
    """A pooler gives the connection to somebody else at each Sync that ends a transaction."""
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, engine(proxy.url, session_state=False) as instance:
        paid = await instance.do(PAY, scope)
        keys = PostgresKeyRing(instance.pool, clock=CLOCK, cache_ms=0)
        # The first time, the driver asks about types as well, and the key ring for the secret of its tags.
        for _ in range(2):
            proxy.arm()
            assert await read_objects(instance.reads, scope, [paid.id])
            assert await keys.authenticate("sk_test_nobody") is None
    transactions = " ".join(step.partition(" ")[0] for step in proxy.log).split("Sync")
    assert len(transactions) == 3
    for steps in transactions[:-1]:
        assert "Parse" in steps.partition("Bind")[0], proxy.log


@pytest.mark.usefixtures("patient")
async def test_a_hundred_connections_share_two_of_the_database(
    pgbouncer_url: str, empty_database_url: str
) -> None:
    await migrate(empty_database_url)
    crowd = await gather_crowd(pgbouncer_url, empty_database_url, instances=12, readers=8, rounds=2)
    assert crowd.connections == 12 * 9
    assert crowd.backends == 2
    # In each round one payment of every instance, and one of every tenant that all its instances ask for.
    assert crowd.payments == 2 * (12 + 4)
    assert crowd.faults == []
