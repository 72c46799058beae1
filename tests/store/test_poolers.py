"""Through a real PgBouncer in transaction mode: no session outlives a transaction."""

import asyncio

import msgspec
import pytest

from fastpay.domain.payment_intents import CapturePaymentIntent, CreatePaymentIntent
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.ports import Filter, Page
from fastpay.store.connections import connected
from fastpay.store.migrate import migrate
from tests.store.support import check_books, engine, make_tenant
from tests.unit.domain.world import card

pytestmark = pytest.mark.anyio

PAY = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)
HOLD = msgspec.structs.replace(PAY, fields={"capture_method": "manual"})


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
        found = await asyncio.gather(*(one.reads.get_objects(scope, [held.id]) for _ in range(8)))
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
            assert await instance.reads.get_objects(scope, [paid.id])
    assert await check_books(empty_database_url, scope) == 4 * 3
