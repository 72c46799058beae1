"""The write of a batch: encoded ahead of its transaction, and sent inside it."""

import asyncio
from typing import Any

import msgspec
import pytest

from benchmarks import samples
from fastpay import limits
from fastpay.domain.ledger_batches import run_steps
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.plan import Book
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.failures import OutdatedBatch, RefusedBatch, WrongMoment
from fastpay.engine.ports import Changes
from fastpay.store import columns
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.statements import BATCH_MARK, combine
from tests.store.test_batches_alike import writing
from tests.support.engine import check_books, count, engine, make_tenant, read_versions
from tests.support.servers import PATIENCE_SECONDS
from tests.support.world import card


async def run(
    batches: PostgresBatches,
    changes: Changes,
    *,
    sequence: int = 0,
    moments: tuple[int, int] = (0, 1 << 62),
) -> None:
    """Commit changes that were encoded ahead, and decided on books that stand at `sequence`."""
    encoded = run_steps(batches.encode(changes))
    found = [Book(scope, sequence, samples.FEES) for scope in changes.sequences]

    try:
        await batches.write_decided(found, encoded, moments, timeout_ms=limits.commit_timeout_ms)
    finally:
        await batches.close()


async def test_changes_encoded_before_the_transaction_are_written_in_it(database_url: str) -> None:
    scope = await make_tenant(database_url)
    changes = samples.new_changes(3, scope)
    await run(PostgresBatches(DatabaseSettings(url=database_url)), changes)
    async with connected(database_url) as connection:
        found = await read_versions(connection, scope)
        sequence = await connection.fetchval(
            "select sequence from book where tenant_id = $1 and livemode = $2", *scope
        )
    assert sorted(found, key=str) == sorted((versioned for _, versioned in changes.versions), key=str)
    assert sequence == changes.sequences[scope] == 9


async def test_what_cannot_be_encoded_is_refused_before_anything_is_sent() -> None:
    changes = samples.new_changes(1)
    draft = changes.drafts[0][1]
    versioned = draft.versions[0]
    unspeakable = msgspec.structs.replace(
        versioned.object, id="pm_" + "0" * 31 + "\ud800", metadata={"\ud800": ""}
    )
    draft.versions = [msgspec.structs.replace(versioned, object=unspeakable)]
    with pytest.raises(RefusedBatch) as refused:
        run_steps(PostgresBatches(DatabaseSettings(url="nowhere")).encode(changes))
    assert refused.value.sqlstate == "22000"


def test_combined_statements_number_their_parameters_one_after_the_other() -> None:
    text = combine(("write_new_payment_methods", "write_payment_methods", "write_books"))
    assert text.startswith(f"{BATCH_MARK}with write_new_payment_methods as (\ninsert into payment_method (")
    assert "select unnest($1::uuid[])" in text
    assert "select unnest($6::uuid[]) as tenant_id" in text
    assert "select unnest($11::uuid[]) as tenant_id, unnest($12::boolean[])" in text
    assert text.rstrip().endswith("order by newest.livemode desc\n    limit 1\n)")
    assert "--" not in text
    assert combine(("write_books",)).startswith(f"{BATCH_MARK}update book")


def test_rows_of_new_objects_are_told_from_those_of_changed_ones() -> None:
    """By the batch's own versions: what is new and changed again in one batch is new."""
    changes = samples.new_changes(2)
    methods = [written for written in changes.versions if isinstance(written[1].object, PaymentMethod)]
    (scope, method), (_, other) = methods
    again = msgspec.structs.replace(method, version=2)
    changed = msgspec.structs.replace(other, version=7)
    submission, draft = changes.drafts[0]
    draft.versions = [method, again, changed]
    written = dict(columns.writes(msgspec.structs.replace(changes, drafts=[(submission, draft)])))
    assert written["write_new_payment_methods"] == ([scope], [again], [again.object])
    assert written["write_payment_methods"] == ([scope], [changed], [changed.object])
    assert written["write_versions"][:2] == ([scope] * 3, [method, again, changed])


def test_new_objects_and_changed_ones_of_a_kind_have_statements_of_their_own() -> None:
    changes = samples.new_changes(2)
    methods = [written for written in changes.versions if isinstance(written[1].object, PaymentMethod)]
    (scope, method), (_, other) = methods
    changed = msgspec.structs.replace(other, version=2)
    submission, draft = changes.drafts[0]
    draft.versions = [changed, method]
    written = dict(columns.writes(msgspec.structs.replace(changes, drafts=[(submission, draft)])))
    assert written["write_new_payment_methods"] == ([scope], [method], [method.object])
    assert written["write_payment_methods"] == ([scope], [changed], [changed.object])


def test_an_object_that_a_batch_changes_twice_has_one_row_with_its_last_version() -> None:
    changes = samples.new_changes(2)
    methods = [written for written in changes.versions if isinstance(written[1].object, PaymentMethod)]
    (scope, method), (_, other) = methods
    third, fourth = (msgspec.structs.replace(method, version=version) for version in (3, 4))
    once = msgspec.structs.replace(other, version=7)
    submission, draft = changes.drafts[0]
    draft.versions = [third, once, fourth]
    written = dict(columns.writes(msgspec.structs.replace(changes, drafts=[(submission, draft)])))
    assert "write_new_payment_methods" not in written
    assert written["write_payment_methods"] == ([scope] * 2, [fourth, once], [fourth.object, once.object])


async def test_all_that_a_batch_writes_is_one_statement(database_url: str) -> None:
    scope = await make_tenant(database_url)
    pay = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)
    seen: list[str] = []

    def note(query: Any) -> None:
        # A record of the driver's.
        seen.append(query.query)

    async with engine(database_url) as instance:
        paid = await instance.submit(pay, scope)
        connection = instance.batches._connection
        assert connection is not None
        connection.add_query_logger(note)
        await instance.submit(pay, scope, key="k")
        await instance.submit(CreateRefund(payment_intent=paid.answer.object_id, amount=5), scope)
        connection.remove_query_logger(note)
    payment, refund = (query for query in seen if "write_versions" in query)
    assert "insert into idempotency" in payment
    assert "insert into refund" in refund
    assert "update charge" in refund
    assert [query for query in seen if "insert" in query or "update book" in query] == [payment, refund]
    await check_books(database_url, scope)


async def test_a_batch_decided_ahead_locks_its_books_before_it_touches_anything(database_url: str) -> None:
    scope = await make_tenant(database_url)
    batches = PostgresBatches(DatabaseSettings(url=database_url))
    await run(batches, samples.new_changes(1, scope))
    changes = samples.new_changes(3, scope)
    later = msgspec.structs.replace(changes, drafts=[], idempotency=[])
    async with connected(database_url) as other, connected(database_url) as third:
        async with other.transaction():
            # Whoever holds the book may change all that belongs to it, and meets nobody there.
            await other.execute("select from book for update")
            await other.execute("select from account for update")
            with pytest.raises(OutdatedBatch):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await run(batches, later, sequence=3)
            await other.execute("update book set sequence = 77")
        with pytest.raises(OutdatedBatch):
            await run(batches, later, sequence=3)
        assert (
            await third.fetchval("select sequence from book where tenant_id = $1 and not livemode", scope[0])
            == 77
        )


@pytest.mark.parametrize(
    "moved",
    [
        "sequence = 1",
        "fee_basis_points = 291",
        "fee_fixed = 31",
        "refunds_may_overdraw = not refunds_may_overdraw",
        "funds_delay_days = 3",
        "amount_minimums = '{\"usd\": 50}'",
    ],
)
async def test_a_book_that_has_changed_in_anything_refuses_what_was_decided_ahead(
    database_url: str, moved: str
) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await connection.execute(f"update book set {moved}")
        with pytest.raises(OutdatedBatch):
            await run(PostgresBatches(DatabaseSettings(url=database_url)), samples.new_changes(3, scope))
        assert await connection.fetchval("select count(*) from object_version") == 0


@pytest.mark.parametrize("moments", [(0, 1_700_000_000_000), (1 << 60, 1 << 61)])
@pytest.mark.parametrize("session_state", [True, False])
async def test_what_was_decided_at_another_time_is_refused(
    database_url: str, session_state: bool, moments: tuple[int, int]
) -> None:
    scope = await make_tenant(database_url)
    batches = PostgresBatches(DatabaseSettings(url=database_url, session_state=session_state))
    with pytest.raises(WrongMoment):
        await run(batches, samples.new_changes(1, scope), moments=moments)
    assert await count(database_url, "object_version") == 0


async def test_batches_that_follow_each_other_need_one_round_trip_each(database_url: str) -> None:
    scope = await make_tenant(database_url)
    seen: list[str] = []
    async with engine(database_url) as instance, writing(instance.batches, 1) as writer:
        instance.writer = writer
        pay = CreatePaymentIntent(amount=1, currency="usd", secret="s", payment_method=card(), confirm=True)
        await instance.do(pay, scope)
        connection = instance.batches._connection
        assert connection is not None
        connection.add_query_logger(
            lambda query: seen.append(query.query.removeprefix(BATCH_MARK).split(None, 1)[0])
        )
        await asyncio.gather(*(instance.do(pay, scope) for _ in range(10)))
        assert seen == ["with"] * 10
        async with connected(database_url) as other:
            idle = "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
            assert await other.fetchval(idle) == 0
        # And it can go on after that.
        await instance.do(pay, scope)
    assert await check_books(database_url, scope) == 36
