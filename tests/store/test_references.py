"""References between rows: found among many rows of one statement, and never broken from the other side."""

from typing import Any

import asyncpg
import pytest

from fastpay.store.connections import connected
from tests.store.constraint_cases import insert, prepare
from tests.store.good_rows import name
from tests.support.engine import make_tenant


async def copy_with(connection: Any, table: str, column: str, values: list[object]) -> None:
    """Write copies of a table's first row in one statement, each with its own key and one of the values."""
    key = {"payment_method": "payment_method_id", "charge": "charge_id", "transfer": "transfer_id"}[table]
    more = ", 'status', 'failed', 'captured', false, 'amount_captured', 0, 'amount_refunded', 0, 'fee', 0"
    await connection.execute(
        f"insert into {table} select copy.* "
        f"from (select {table} as whole from {table} order by {key} limit 1) as first "
        f"cross join unnest($1::text[]) as value "
        f"cross join jsonb_populate_record(first.whole, jsonb_build_object("
        f"'{key}', gen_random_uuid(), '{column}', value{more if table == 'charge' else ''})) as copy",
        values,
    )


@pytest.mark.parametrize(
    ("table", "column", "good", "bad"),
    [
        ("payment_method", "customer_id", name(102), name(999)),
        ("charge", "payment_intent_id", name(104), name(999)),
        ("transfer", "debit_account_id", name(107), name(127)),
        ("transfer", "credit_account_id", name(117), name(999)),
    ],
)
async def test_one_bad_row_among_good_ones_refuses_the_statement(
    database_url: str, table: str, column: str, good: str, bad: str
) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        before = await connection.fetchval(f"select count(*) from {table}")
        await copy_with(connection, table, column, [good] * 5)
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await copy_with(connection, table, column, [good, good, bad, good])
        assert refused.value.constraint_name == f"{table}_{column.removesuffix('_id')}_fkey"
        assert refused.value.table_name == table
        assert await connection.fetchval(f"select count(*) from {table}") == before + 5


@pytest.mark.parametrize("table", ["payment_method", "payment_intent"])
async def test_a_customer_that_is_not_there_is_refused_on_update_as_well(
    database_url: str, table: str
) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        await connection.execute(f"update {table} set customer_id = '{name(102)}'")
        await connection.execute(f"update {table} set customer_id = null")
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await connection.execute(f"update {table} set customer_id = '{name(999)}'")
        assert refused.value.constraint_name == f"{table}_customer_fkey"


async def test_a_customer_of_another_tenant_is_not_there(database_url: str) -> None:
    scope, other = await make_tenant(database_url), await make_tenant(database_url, "other")
    async with connected(database_url) as connection:
        await insert(connection, other, "customer", {"customer_id": name(102)})
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await insert(connection, scope, "payment_method", {"customer_id": name(102)})


async def test_what_one_statement_writes_may_refer_to_what_it_writes(database_url: str) -> None:
    """In whatever order its parts run: what counts is how things stand at its end."""
    scope = await make_tenant(database_url)
    new_method = (
        "insert into payment_method (tenant_id, livemode, payment_method_id, version, customer_id) "
        "values ($1, $2, gen_random_uuid(), 1, $3)"
    )
    new_customer = (
        "insert into customer (tenant_id, livemode, customer_id, version, deleted) "
        "values ($1, $2, $3, 1, false)"
    )
    async with connected(database_url) as connection:
        for number, (first, second) in enumerate([(new_method, new_customer), (new_customer, new_method)]):
            await connection.execute(f"with one as ({first}) {second}", *scope, name(number))


KEPT = {
    "book": "livemode",
    "customer": "customer_id",
    "payment_method": "payment_method_id",
    "payment_intent": "payment_intent_id",
    "charge": "currency",
    "refund": "charge_id",
    "account": "currency",
}


@pytest.mark.parametrize("table", KEPT)
@pytest.mark.parametrize(
    "statement",
    [
        "delete from {table}",
        "truncate {table} cascade",
        "update {table} set tenant_id = tenant_id",
        "update {table} set {column} = {column}",
    ],
)
async def test_what_others_refer_to_is_never_removed(written_url: str, table: str, statement: str) -> None:
    async with connected(written_url) as connection:
        with pytest.raises(asyncpg.RestrictViolationError) as refused:
            await connection.execute(statement.format(table=table, column=KEPT[table]))
        assert refused.value.constraint_name == f"{table}_kept"
        assert await connection.fetchval(f"select count(*) from {table}") > 0


async def test_every_table_that_is_referred_to_is_kept_or_immutable(database_url: str) -> None:
    """Nothing refers to first answers, instances, what is due, what searches look up by, or deliveries."""
    async with connected(database_url) as connection:
        found = await connection.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace "
            "and relname not in ('tenant', 'api_key', 'signing_secret', 'cache_seal', 'alembic_version', "
            "'schema_compatibility') "
            "and not exists ("
            # Of the bits of a trigger: before (2), delete (8) and truncate (32).
            "select from pg_trigger where tgrelid = pg_class.oid and tgtype & 42 = 42 and tgenabled = 'O')"
        )
        gone = {"idempotency", "ledger_expiry", "member", "search_entry", "search_progress"}
        gone |= {"rollout_key", "rollout_finding", "rollout_example", "rollout_guard", "rollout_mistaken"}
        gone |= {"import_scope", "payment_method_token", "processor_routing", "settlement_row"}
        gone |= {"operator_invitation", "operator_session", "operator_passkey", "operator_challenge"}
        gone |= {"webhook_cursor", "webhook_exception", "webhook_instance", "webhook_position"}
        assert {row["relname"] for row in found} == gone


async def test_a_first_answer_is_never_changed(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("update idempotency set answer = answer")
        assert await connection.execute("delete from idempotency") == "DELETE 1"
