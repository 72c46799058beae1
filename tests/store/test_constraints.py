"""Every constraint refuses, by its name, what it is there to refuse."""

from typing import Any

import asyncpg
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.store.connections import connected
from tests.store.constraint_cases import CASES, insert, prepare
from tests.store.good_rows import GOOD, Row
from tests.support.engine import make_tenant
from tests.support.servers import fetch

# References that a trigger checks, a statement at a time, beside those that functions of `..._checks` name.
TRIGGERED = {"cash_transaction_payment_intent_fkey", "cash_transaction_refund_fkey"}
# Updates that break a constraint, as of the rows of `FIRST`.
CHANGED = {
    "payment_method set version = 0": "payment_method_version_from_one",
    "payment_intent set amount_received = 121": "payment_intent_received_within_overcapture",
    "charge set amount_refunded = 91": "charge_refunded_within_captured",
    "refund set status = 'done'": "refund_status_known",
    "account set debits_pending = -1": "account_debits_pending_not_negative",
    "account set min_balance = 1, credits_posted = 5, debits_posted = 5": "account_within_min_balance",
}
TABLES_OF_OTHERS = (
    *("tenant", "book", "api_key", "signing_secret", "cache_seal", "member", "alembic_version"),
    *("schema_compatibility", "webhook_instance", "webhook_attempt", "request_log"),
    *("operator", "operator_invitation", "operator_session", "operator_action"),
    *("operator_passkey", "operator_challenge", "processor", "processor_routing"),
    *("rollout_change", "rollout_key", "rollout_finding", "rollout_example", "rollout_guard"),
    "rollout_mistaken",
    *("import_scope", "payment_method_token", "settlement_file", "settlement_row"),
)


def table_of(constraint: str) -> str:
    """Return the table whose name a constraint's begins with."""
    return max((table for table in GOOD if constraint.startswith(f"{table}_")), key=len)


def test_every_constraint_has_a_case(database_url: str) -> None:
    """Constraints, unique indexes that no constraint made, and what triggers refuse in their place."""
    found = fetch(
        database_url,
        "select conname as name from pg_constraint where connamespace = 'public'::regnamespace "
        "and contype in ('c', 'f', 'p', 'u', 'x') and conrelid::regclass::text <> all($1) "
        "union select index.relname from pg_index join pg_class as index on index.oid = indexrelid "
        "where indisunique and index.relnamespace = 'public'::regnamespace "
        "and indrelid::regclass::text <> all($1) "
        "union select tgname from pg_trigger where tgname ~ '_fkey$' and not tgisinternal "
        # The functions of the triggers that check all rows of a statement name what they refuse.
        "union select names[1] from pg_trigger join pg_proc on pg_proc.oid = tgfoid "
        "cross join regexp_matches(prosrc, $q$(?:then|select|fault,)\\s+'([a-z_]+)'$q$, 'g') as names "
        "where tgname ~ '_checks(_update)?$'",
        TABLES_OF_OTHERS,
    )
    assert {row["name"] for row in found} == set(CASES) - TRIGGERED


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


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("book_fee_basis_points_range", ("fee_basis_points = -1", "fee_basis_points = 10001")),
        ("book_fee_fixed_range", ("fee_fixed = -1", "fee_fixed = 100000000")),
        ("book_dispute_fee_range", ("dispute_fee = -1", "dispute_fee = 100000000")),
        ("book_funds_delay_days_range", ("funds_delay_days = -1", "funds_delay_days = 366")),
        ("book_payout_interval_known", ("payout_interval = 'hourly'",)),
        (
            "book_amount_minimums_shape",
            (
                "amount_minimums = '[]'",
                """amount_minimums = '{"usd": 0}'""",
                """amount_minimums = '{"us": 1}'""",
            ),
        ),
        ("book_sequence_range", ("sequence = -1",)),
    ],
)
async def test_rules_out_of_their_range_are_refused(
    written_url: str, constraint: str, values: tuple[str, ...]
) -> None:
    async with connected(written_url) as connection:
        for value in values:
            with pytest.raises(asyncpg.CheckViolationError) as refused:
                await connection.execute(f"update book set {value}")
            assert refused.value.constraint_name == constraint


async def test_the_rules_of_a_book_are_always_those_of_its_columns(database_url: str) -> None:
    """Batches compare them as one text."""
    await make_tenant(database_url)
    async with connected(database_url) as connection:
        # A generated column would also follow where other triggers are off.
        await connection.execute("set session_replication_role = replica")
        await connection.execute("update book set rules = '[]'")
        await connection.execute("update book set fee_fixed = 31 where livemode")
        found = await connection.fetch("select livemode, fee_basis_points, fee_fixed, rules from book")
        for livemode, basis_points, fixed, rules in found:
            assert rules.startswith(f"[{basis_points},{fixed},")
            assert (fixed == 31) == livemode
        with pytest.raises(asyncpg.NotNullViolationError):
            await connection.execute("update book set payout_interval = null")


async def test_what_an_update_may_change_is_checked_again(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        for statement, constraint in CHANGED.items():
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
                await connection.execute(f"update {statement}")
            assert refused.value.constraint_name == constraint
            assert refused.value.table_name == statement.split()[0]


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
async def test_what_is_written_once_is_never_changed(written_url: str, table: str, statement: str) -> None:
    keys = {"object_version": "object_id, version", "transfer": "transfer_id", "event": "sequence"}
    key = keys.get(table, "sequence, position")
    async with connected(written_url) as connection:
        with pytest.raises(asyncpg.RestrictViolationError) as refused:
            await connection.execute(statement.format(table=table, key=key))
        assert refused.value.constraint_name == f"{table}_immutable"
        assert await connection.fetchval(f"select count(*) from {table}") > 0
