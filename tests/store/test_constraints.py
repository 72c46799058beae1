"""Every constraint refuses, by its name, what it is there to refuse."""

from typing import Any

import asyncpg
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.store.connections import connected
from tests.store.constraint_cases import CASES, FIRST
from tests.store.good_rows import GOOD, Row
from tests.support.engine import make_tenant
from tests.support.servers import fetch

# What triggers hold up, a statement at a time.
TRIGGERED = {
    "cash_transaction_payment_intent_fkey",
    "cash_transaction_refund_fkey",
    "ledger_transfer_accounts_fkey",
    "ledger_transfer_hold_fkey",
    "transfer_credit_account_fkey",
    "transfer_debit_account_fkey",
}
TABLES_OF_OTHERS = (
    *("tenant", "book", "api_key", "signing_secret", "cache_seal", "member", "alembic_version"),
    *("schema_compatibility", "webhook_instance", "webhook_attempt", "request_log"),
    *("operator", "operator_invitation", "operator_session", "operator_action"),
    *("operator_passkey", "operator_challenge"),
)


def table_of(constraint: str) -> str:
    """Return the table whose name a constraint's begins with."""
    return max((table for table in GOOD if constraint.startswith(f"{table}_")), key=len)


async def insert(connection: Any, scope: Scope, table: str, changed: Row) -> None:
    """Write a good row with some of it changed."""
    row = {"tenant_id": scope.tenant_id, "livemode": scope.livemode, **GOOD[table], **changed}
    types = {
        record["attname"]: record["type"]
        for record in await connection.fetch(
            "select attname, format_type(atttypid, null) as type from pg_attribute "
            "where attrelid = $1::text::regclass and attnum > 0",
            table,
        )
    }
    places = ", ".join(
        f"${number}::{'bytea' if types[column] == 'bytea' else 'text'}::{types[column]}"
        for number, column in enumerate(row, start=1)
    )
    values = [value if value is None or isinstance(value, bytes) else str(value) for value in row.values()]
    await connection.execute(f"insert into {table} ({', '.join(row)}) values ({places})", *values)


async def prepare(connection: Any, scope: Scope) -> None:
    """Write the rows that others refer to."""
    for table, changed in FIRST:
        await insert(connection, scope, table, changed)


def test_every_constraint_has_a_case(database_url: str) -> None:
    """Constraints, unique indexes that no constraint made, and triggers that act as foreign keys."""
    found = fetch(
        database_url,
        "select conname as name from pg_constraint where connamespace = 'public'::regnamespace "
        "and contype in ('c', 'f', 'p', 'u', 'x') and conrelid::regclass::text <> all($1) "
        "union select index.relname from pg_index join pg_class as index on index.oid = indexrelid "
        "where indisunique and index.relnamespace = 'public'::regnamespace "
        "and indrelid::regclass::text <> all($1) "
        "union select tgname from pg_trigger where tgname ~ '_fkey$' and not tgisinternal",
        TABLES_OF_OTHERS,
    )
    # Its trigger speaks for two, and has a name of its own.
    assert {row["name"] for row in found} - {"transfer_account_fkey"} == set(CASES) - TRIGGERED


async def test_the_good_rows_are_taken(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        for table in GOOD:
            await insert(connection, scope, table, {})


async def test_each_constraint_refuses_by_its_name(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        wrong = []
        for constraint, cases in CASES.items():
            for changed in cases:
                said = await refusal(connection, scope, table_of(constraint), changed)
                if said != constraint:
                    wrong.append((constraint, changed, said))
    assert wrong == []


async def refusal(connection: Any, scope: Scope, table: str, changed: Row) -> str | None:
    """Return the name of the constraint that refuses the row."""
    try:
        async with connection.transaction():
            await insert(connection, scope, table, changed)
            raise LookupError("taken")
    except asyncpg.IntegrityConstraintViolationError as error:
        return str(error.constraint_name)
    except LookupError:
        return None


@pytest.mark.parametrize("table", ["object_version", "transfer", "ledger_transfer", "event"])
@pytest.mark.parametrize(
    "statement",
    [
        "update {table} set tenant_id = tenant_id",
        "update {table} set livemode = true where false",
        "delete from {table}",
        "truncate {table} cascade",
        "insert into {table} select * from {table} limit 1 on conflict (tenant_id, livemode, {key}) "
        "do update set livemode = excluded.livemode",
    ],
)
async def test_what_is_written_once_is_never_changed(database_url: str, table: str, statement: str) -> None:
    scope = await make_tenant(database_url)
    keys = {"object_version": "object_id, version", "transfer": "transfer_id", "event": "sequence"}
    key = keys.get(table, "sequence, position")
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        with pytest.raises(asyncpg.RestrictViolationError) as refused:
            await connection.execute(statement.format(table=table, key=key))
        assert refused.value.constraint_name == f"{table}_immutable"
        assert await connection.fetchval(f"select count(*) from {table}") > 0
