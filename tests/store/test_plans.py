"""Plans do not depend on how much there is: a lookup touches about as many buffers in a full table."""

import json
from typing import Any

import pytest

from fastpay.domain.identifiers import HIGHEST, LOWEST
from fastpay.store import reads
from fastpay.store.connections import connected
from fastpay.store.postgres import Connection, DatabaseSettings, connect
from fastpay.store.statements import SQL
from tests.store import filling
from tests.store.filling import TENANT, fill, object_digits, other_tenant

pytestmark = pytest.mark.anyio

SIZES = (30, 10_000, 60_000)
WANTED = 20
LISTED = 11
# A lookup walks down an index of at most three or four levels and then reads one row.
BUFFERS_EACH = 6
# What is looked at before the first row is found: of an inverted index the list of what is still to be sorted
# in, 256 kB at most, and a way down for each term.
BUFFERS_BEFORE = {"search_by_terms": 32 + 12, "search_tail": 4}

_PAGE = (TENANT, False, HIGHEST, LOWEST)
_FIELDS = {
    "customer": filling.CUSTOMER,
    "payment_intent": filling.PAYMENT_INTENT,
    "charge": filling.CHARGE,
    "email": filling.EMAIL,
}
_OWN = ([TENANT] * WANTED, [False] * WANTED)
_OTHERS = ([other_tenant(number) for number in range(1, WANTED + 1)], [False] * WANTED)
_CHARGES = [object_digits("charge", number) for number in range(1, WANTED + 1)]
# statement: its arguments, and how many rows it finds.
CASES: dict[str, tuple[tuple[Any, ...], int]] = {
    "load_objects": ((*_OWN, _CHARGES), WANTED),
    "load_objects_at": ((TENANT, False, _CHARGES, 10**9), WANTED),
    "load_accounts": ((*_OTHERS, _OTHERS[0]), WANTED),
    "load_idempotency": (([filling.digest(number) for number in range(1, WANTED + 1)], *_OWN), WANTED),
    "load_transfers": (
        (TENANT, False, [f"{8 << 32 | number:032x}" for number in range(1, WANTED + 1)]),
        WANTED,
    ),
    "lock_books": (_OTHERS, WANTED),
    "read_latest": ((*_OWN, _CHARGES, *_OTHERS), 2 * WANTED),
    "read_sequences": (_OTHERS, WANTED),
}
for (_kind, _field), _statement in reads._LISTS.items():
    for _ascending in (False, True):
        _value = () if _field is None else (_FIELDS[_field],)
        CASES[f"{_statement} {'up' if _ascending else 'down'}"] = (
            (*_PAGE, _ascending, LISTED, *_value),
            LISTED,
        )


for _statement, _first, _second in (
    ("list_charges_by_payment_intent_and_customer", filling.PAYMENT_INTENT, filling.CUSTOMER),
    ("list_refunds_by_charge_and_payment_intent", filling.CHARGE, filling.PAYMENT_INTENT),
):
    for _ascending in (False, True):
        CASES[f"{_statement} {'up' if _ascending else 'down'}"] = (
            (*_PAGE, _ascending, LISTED, _first, _second),
            LISTED,
        )
# One that only its terms or its amount lead to, and the newest ones of all.
_ENTRIES = (TENANT, False, 3, HIGHEST, LOWEST)
_ANY_AMOUNT = (0, 2**53)
CASES["search_by_terms"] = ((*_ENTRIES, [1, 7], [8], *_ANY_AMOUNT, LISTED), 1)
CASES["search_by_amount"] = ((*_ENTRIES, [], [8], 7, 10, LISTED), 3)
CASES["search_recent"] = ((*_ENTRIES, [1], [], *_ANY_AMOUNT, LISTED, LISTED), LISTED + 1)
CASES["search_tail"] = ((TENANT, False, 5), 0)


def statement_of(case: str) -> str:
    """Return the SQL that a case is about."""
    return SQL[case.partition(" ")[0]]


def prepared_name(case: str) -> str:
    """Return the name under which a case's statement is prepared."""
    return case.replace(" ", "_") + "_prepared"


def literal(value: object) -> str:
    """Return a value as SQL text. Only for values of this module."""
    if isinstance(value, list):
        return f"array[{', '.join(literal(item) for item in value)}]" if value else "'{}'"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, str) and len(value) == 32:
        return f"'{value}'::uuid"
    return f"'{value}'" if isinstance(value, str) else str(value)


async def prepare(connection: Connection) -> None:
    """Prepare every statement as the driver would, and use it once."""
    for case, (arguments, _) in CASES.items():
        await connection.execute(f"set enable_bitmapscan = {'on' if case.startswith('search_') else 'off'}")
        await connection.execute(f"prepare {prepared_name(case)} as {statement_of(case)}")
        await connection.execute(f"execute {prepared_name(case)} ({', '.join(map(literal, arguments))})")


async def measure(connection: Connection, text: str, *arguments: Any) -> tuple[int, int]:
    """Return how many rows an explained statement found and how many buffers it touched."""
    # As searches set it; for the others it is off.
    await connection.execute(f"set enable_bitmapscan = {'on' if 'search_' in text else 'off'}")
    explained = await connection.fetchval(f"explain (analyze, buffers, format json) {text}", *arguments)
    plan = json.loads(explained)[0]["Plan"]
    return plan["Actual Rows"], plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def check(connection: Connection, moment: str, *, is_prepared: bool = True) -> list[str]:
    """Return the cases that touch more buffers than their rows explain."""
    faults = []
    for case, (arguments, count) in CASES.items():
        if is_prepared:
            values = ", ".join(map(literal, arguments))
            rows, buffers = await measure(connection, f"execute {prepared_name(case)} ({values})")
        else:
            rows, buffers = await measure(connection, statement_of(case), *arguments)
        assert rows == count, (case, rows)
        if buffers > count * BUFFERS_EACH + BUFFERS_BEFORE.get(case, 0):
            faults.append(f"{moment}: {case} touched {buffers} buffers for {count} rows")
    return faults


async def test_statements_touch_as_many_buffers_in_full_tables_as_in_empty_ones(database_url: str) -> None:
    settings = DatabaseSettings(url=database_url)
    early = await connect(settings)
    await prepare(early)
    faults, filled = [], 0
    try:
        async with connected(database_url) as filler:
            for size in SIZES:
                await fill(filler, filled + 1, size)
                filled = size
                faults += await check(early, f"prepared on empty tables, {size} rows")
                late = await connect(settings)
                await prepare(late)
                faults += await check(late, f"prepared on {size} rows without statistics")
                await late.close()
            await filler.execute("analyze")
            faults += await check(early, "prepared on empty tables, statistics made since")
            late = await connect(settings)
            await prepare(late)
            faults += await check(late, "prepared with statistics")
            await late.close()
    finally:
        await early.close()
    assert faults == []


@pytest.mark.parametrize("size", SIZES)
async def test_statements_do_as_well_behind_a_pooler(database_url: str, size: int) -> None:
    """Where no setting outlives a transaction, the planner sees the values and has all its means."""
    connection = await connect(DatabaseSettings(url=database_url, session_state=False))
    try:
        async with connected(database_url) as filler:
            # Statistics from when there was nothing are the worst to go by.
            await filler.execute("analyze")
            await fill(filler, 1, size)
            faults = await check(connection, "without statistics", is_prepared=False)
            await filler.execute("analyze")
            faults += await check(connection, "with statistics", is_prepared=False)
    finally:
        await connection.close()
    assert faults == []


async def test_verification_reads_each_table_a_few_times_however_much_there_is(database_url: str) -> None:
    """Also where the statistics are of empty tables, or say nothing of what a group comes to."""
    connection = await connect(DatabaseSettings(url=database_url))
    loops = []
    try:
        async with connected(database_url) as filler:
            await filler.execute("analyze")
            await fill(filler, 1, 2_000)
            for statement in ("verify_accounts", "verify_ledger", "verify_payments"):
                async with connection.transaction(readonly=True):
                    await connection.execute(reads._PLAN_FOR_MANY)
                    explained = await connection.fetchval(
                        f"explain (analyze, format json) {SQL[statement]}", TENANT, False
                    )
                loops.append(most_loops(json.loads(explained)[0]["Plan"]))
    finally:
        await connection.close()
    assert loops == [1, 1, 1]


def most_loops(plan: dict[str, Any]) -> int:
    """Return how often the busiest part of a plan was run."""
    loops: int = plan["Actual Loops"]
    return max(loops, *(most_loops(part) for part in plan.get("Plans", ())), 0)
