"""Every constraint refuses, by its name, what it is there to refuse."""

from typing import Any

import asyncpg
import pytest

from fastpay.domain.identifiers import Scope
from fastpay.store.connections import connected
from tests.support.engine import make_tenant
from tests.support.servers import fetch

pytestmark = pytest.mark.anyio

Row = dict[str, object]


def name(number: int) -> str:
    """Return the digits of an identifier."""
    return f"{number:032x}"


# One good row of each table; what they refer to is there (see `_FIRST`).
GOOD: dict[str, Row] = {
    "object_version": {"object_id": name(1), "version": 1, "sequence": 1, "kind": 1, "snapshot": b"x"},
    "customer": {"customer_id": name(2), "version": 1, "deleted": False, "email": None},
    "payment_method": {"payment_method_id": name(3), "version": 1, "customer_id": None},
    "payment_intent": {
        "payment_intent_id": name(4),
        "version": 1,
        "status": "succeeded",
        "currency": "usd",
        "amount": 100,
        "amount_capturable": 0,
        "amount_received": 100,
        "customer_id": None,
    },
    "charge": {
        "charge_id": name(5),
        "version": 1,
        "status": "succeeded",
        "captured": True,
        "currency": "usd",
        "amount": 100,
        "amount_captured": 90,
        "amount_refunded": 80,
        "fee": 3,
        "payment_intent_id": name(104),
        "customer_id": None,
    },
    "refund": {
        "refund_id": name(6),
        "version": 1,
        "status": "succeeded",
        "currency": "usd",
        "amount": 5,
        "charge_id": name(105),
        "payment_intent_id": name(104),
    },
    "account": {
        "account_id": name(7),
        "code": "fees",
        "currency": "usd",
        "normal_side": "C",
        "debits_posted": 5,
        "credits_posted": 5,
        "debits_pending": 0,
        "credits_pending": 0,
        "min_balance": 0,
    },
    "transfer": {
        "transfer_id": name(8),
        "sequence": 1,
        "kind": "capture",
        "phase": "posted",
        "debit_account_id": name(107),
        "credit_account_id": name(117),
        "currency": "usd",
        "amount": 5,
        "source_id": name(105),
        "hold_id": None,
        "created_at": "2024-01-01",
    },
    "ledger_transfer": {
        "sequence": 1,
        "place": 0,
        "created_at": "2024-01-01",
        "phase": 1,
        "debit_account_id": name(107),
        "credit_account_id": name(117),
        "currency": "usd",
        "amount": 5,
        "debits_posted": 5,
        "debits_pending": 0,
        "credits_posted": 5,
        "credits_pending": 0,
        "expires_at": None,
        "hold_sequence": None,
        "hold_place": None,
        "metadata": None,
    },
    "ledger_expiry": {"sequence": 1, "place": 0, "expires_at": "2024-01-01"},
    "event": {
        "sequence": 2,
        "event_id": name(9),
        "type": "charge.succeeded",
        "object_id": name(105),
        "version": 1,
        "request_id": "req_1",
        "created_at": "2024-01-01",
    },
    "idempotency": {
        "digest": b"0" * 16,
        "idempotency_key": "k",
        "fingerprint": b"f",
        "answer": b"a",
        "request_id": "req_1",
        "created_at": "2024-01-01",
    },
    "search_entry": {"kind": 1, "object_id": name(10), "amount": None, "terms": "{}"},
    "search_progress": {"sequence": 0},
}
# Rows that the others refer to or clash with, written first.
FIRST: list[tuple[str, Row]] = [
    ("object_version", {"object_id": name(101)}),
    ("customer", {"customer_id": name(102)}),
    ("payment_method", {"payment_method_id": name(103)}),
    ("payment_intent", {"payment_intent_id": name(104)}),
    ("payment_intent", {"payment_intent_id": name(114)}),
    ("charge", {"charge_id": name(105), "status": "failed", "captured": False, "amount_captured": 0,
                "amount_refunded": 0, "fee": 0}),
    ("charge", {"charge_id": name(115), "payment_intent_id": name(114)}),
    ("refund", {"refund_id": name(106)}),
    ("account", {"account_id": name(107), "code": "processor", "normal_side": "D"}),
    ("account", {"account_id": name(117), "code": "pending"}),
    ("transfer", {"transfer_id": name(108), "phase": "hold"}),
    ("transfer", {"transfer_id": name(118), "phase": "post", "hold_id": name(108)}),
    ("transfer", {"transfer_id": name(128), "phase": "hold"}),
    ("account", {"account_id": name(127), "code": "euro", "currency": "eur"}),
    ("ledger_transfer", {"sequence": 108, "phase": 2}),
    ("ledger_transfer", {"sequence": 118, "phase": 3, "hold_sequence": 108, "hold_place": 0}),
    ("ledger_transfer", {"sequence": 128, "phase": 2}),
    ("ledger_expiry", {"sequence": 108}),
    ("event", {"sequence": 1}),
    ("idempotency", {"digest": b"1" * 16}),
    ("search_entry", {"object_id": name(110)}),
    ("search_progress", {"livemode": True}),
]  # fmt: skip
STRANGER: Row = {"tenant_id": name(0)}
# constraint: what of a good row is changed so that this constraint, and no other, refuses it.
CASES: dict[str, list[Row]] = {
    "object_version_pkey": [{"object_id": name(101)}],
    "object_version_book_fkey": [STRANGER],
    "object_version_from_one": [{"version": 0}],
    "object_version_sequence_from_one": [{"sequence": 0}],
    "object_version_kind_known": [{"kind": 0}, {"kind": 8}],
    "customer_pkey": [{"customer_id": name(102)}],
    "customer_book_fkey": [STRANGER],
    "customer_version_from_one": [{"version": 0}],
    "payment_method_pkey": [{"payment_method_id": name(103)}],
    "payment_method_book_fkey": [STRANGER],
    "payment_method_customer_fkey": [{"customer_id": name(999)}],
    "payment_method_version_from_one": [{"version": 0}],
    "payment_intent_pkey": [{"payment_intent_id": name(104)}],
    "payment_intent_book_fkey": [STRANGER],
    "payment_intent_customer_fkey": [{"customer_id": name(999)}],
    "payment_intent_version_from_one": [{"version": 0}],
    "payment_intent_status_known": [{"status": "paid", "amount_received": 0}],
    "payment_intent_currency_form": [{"currency": "USD"}, {"currency": "us"}, {"currency": "usd\n"}],
    "payment_intent_amount_positive": [
        {"amount": 0, "amount_received": 0, "status": "canceled"},
    ],
    "payment_intent_received_within_amount": [{"amount_received": 101}],
    "payment_intent_capturable_within_amount": [
        {"amount_received": 0, "amount_capturable": 101, "status": "requires_capture"}
    ],
    "payment_intent_received_when_captured": [{"amount_received": 0}, {"status": "canceled"}],
    "payment_intent_parts_within_amount": [
        {"amount_received": 60, "amount_capturable": 41, "status": "requires_capture"}
    ],
    "payment_intent_capturable_when_held": [
        {"amount_capturable": 1},
        {"status": "requires_capture", "amount_received": 0},
    ],
    "charge_pkey": [{"charge_id": name(105)}],
    "charge_payment_intent_fkey": [{"payment_intent_id": name(999)}, STRANGER],
    "charge_customer_fkey": [{"customer_id": name(999)}],
    "charge_version_from_one": [{"version": 0}],
    "charge_status_known": [
        {"status": "paid", "captured": False, "amount_captured": 0, "amount_refunded": 0, "fee": 0}
    ],
    "charge_currency_form": [{"currency": "U$D"}],
    "charge_amount_positive": [
        {"amount": 0, "captured": False, "amount_captured": 0, "amount_refunded": 0, "fee": 0}
    ],
    "charge_captured_within_amount": [{"amount_captured": 101}],
    "charge_refunded_within_captured": [{"amount_refunded": 91}, {"amount_refunded": -1}],
    "charge_fee_within_captured": [{"fee": 91}, {"fee": -1}],
    "charge_captured_has_amount": [{"captured": False}],
    "charge_captured_only_when_succeeded": [{"status": "failed"}],
    "charge_succeeds_once": [{"payment_intent_id": name(114)}],
    "refund_pkey": [{"refund_id": name(106)}],
    "refund_charge_fkey": [{"charge_id": name(999)}, {"currency": "eur"}, STRANGER],
    "refund_payment_intent_fkey": [{"payment_intent_id": name(999)}],
    "refund_version_from_one": [{"version": 0}],
    "refund_status_known": [{"status": "done"}],
    "refund_currency_form": [{"currency": ""}],
    "refund_amount_positive": [{"amount": 0}, {"amount": -5}],
    "account_pkey": [{"account_id": name(117), "code": "pending", "currency": "eur"}],
    "account_book_fkey": [STRANGER],
    "account_currency_form": [{"currency": "dollar"}],
    "account_normal_side_known": [{"normal_side": "X", "min_balance": None}],
    "account_debits_posted_not_negative": [{"debits_posted": -1}],
    "account_credits_posted_not_negative": [{"credits_posted": -1, "min_balance": None}],
    "account_debits_pending_not_negative": [{"debits_pending": -1}],
    "account_credits_pending_not_negative": [{"credits_pending": -1}],
    "account_within_min_balance": [
        {"debits_posted": 6},
        {"debits_pending": 1},
        {"normal_side": "D", "credits_pending": 1},
        {"normal_side": "D", "credits_posted": 6},
        {"min_balance": 1},
    ],
    "transfer_pkey": [{"transfer_id": name(108)}],
    "transfer_debit_account_fkey": [
        {"debit_account_id": name(999)},
        {"debit_account_id": name(127)},
    ],
    "transfer_credit_account_fkey": [{"credit_account_id": name(999)}, {"credit_account_id": name(127)}],
    "transfer_hold_fkey": [{"phase": "void", "hold_id": name(999)}],
    "transfer_amount_positive": [{"amount": 0}, {"amount": -1}],
    "transfer_between_two_accounts": [{"credit_account_id": name(107)}],
    "transfer_kind_known": [{"kind": "gift"}],
    "transfer_phase_known": [{"phase": "maybe"}],
    "transfer_ends_a_hold": [{"phase": "post"}, {"hold_id": name(128)}],
    "transfer_sequence_from_one": [{"sequence": 0}],
    "transfer_ends_hold_once": [{"phase": "void", "hold_id": name(108)}],
    "ledger_transfer_pkey": [{"sequence": 108}],
    "ledger_transfer_accounts_fkey": [
        STRANGER,
        {"debit_account_id": name(999)},
        {"credit_account_id": name(999)},
        {"debit_account_id": name(127)},
        {"credit_account_id": name(127)},
        {"currency": "eur"},
    ],
    "ledger_transfer_hold_fkey": [
        {"phase": 4, "hold_sequence": 999, "hold_place": 0},
        {"phase": 4, "hold_sequence": 118, "hold_place": 0},
        {"phase": 4, "hold_sequence": 128, "hold_place": 1},
        {"phase": 3, "hold_sequence": 128, "hold_place": 0, "amount": 6},
        {
            "phase": 4,
            "hold_sequence": 128,
            "hold_place": 0,
            "debit_account_id": name(117),
            "credit_account_id": name(107),
        },
    ],
    "ledger_transfer_ends_hold_once": [{"phase": 5, "hold_sequence": 108, "hold_place": 0}],
    "ledger_transfer_sequence_from_one": [{"sequence": 0}],
    "ledger_transfer_place_from_zero": [{"place": -1}],
    "ledger_transfer_phase_known": [{"phase": 0}, {"phase": 6, "hold_sequence": 128, "hold_place": 0}],
    "ledger_transfer_amount_positive": [{"amount": 0}, {"amount": -1}],
    "ledger_transfer_between_two_accounts": [{"credit_account_id": name(107)}],
    "ledger_transfer_counters_not_negative": [
        {"debits_posted": -1},
        {"debits_pending": -1},
        {"credits_posted": -1},
        {"credits_pending": -1},
    ],
    "ledger_transfer_ends_a_hold": [
        {"phase": 4},
        {"hold_sequence": 128, "hold_place": 0},
        {"phase": 4, "hold_sequence": 128},
    ],
    "ledger_transfer_only_holds_expire": [{"expires_at": "2024-01-01"}],
    "ledger_expiry_pkey": [{"sequence": 108}],
    "event_pkey": [{"sequence": 1}],
    "event_book_fkey": [STRANGER],
    "event_sequence_from_one": [{"sequence": 0}],
    "event_version_from_one": [{"version": 0}],
    "idempotency_pkey": [{"digest": b"1" * 16}],
    "idempotency_book_fkey": [STRANGER],
    "idempotency_digest_length": [{"digest": b"0" * 15}, {"digest": b"0" * 17}],
    "idempotency_key_length": [{"idempotency_key": ""}, {"idempotency_key": "k" * 256}],
    "search_entry_pkey": [{"object_id": name(110)}],
    "search_progress_pkey": [{"livemode": True}],
    "search_progress_book_fkey": [STRANGER],
    "search_progress_sequence_not_negative": [{"sequence": -1}],
}
# What triggers hold up, a statement at a time.
TRIGGERED = {
    "ledger_transfer_accounts_fkey",
    "ledger_transfer_hold_fkey",
    "transfer_credit_account_fkey",
    "transfer_debit_account_fkey",
}
TABLES_OF_OTHERS = ("tenant", "book", "api_key", "signing_secret", "cache_seal", "alembic_version")


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
    """Constraints, unique indexes that no constraint made, and triggers in a foreign key's place."""
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
    key = keys.get(table, "sequence, place")
    async with connected(database_url) as connection:
        await prepare(connection, scope)
        with pytest.raises(asyncpg.RestrictViolationError) as refused:
            await connection.execute(statement.format(table=table, key=key))
        assert refused.value.constraint_name == f"{table}_immutable"
        assert await connection.fetchval(f"select count(*) from {table}") > 0
