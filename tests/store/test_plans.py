"""Plans do not depend on how much there is: as many buffers are touched among a million rows."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from fastpay.domain.identifiers import HIGHEST, LOWEST
from fastpay.domain.plan import Book
from fastpay.engine.ports import Changes
from fastpay.store import columns, ledger_rows, reads
from fastpay.store.connections import connected
from fastpay.store.postgres import Connection, DatabaseSettings, connect
from fastpay.store.statements import SQL, combine
from fastpay.store.tables import BY_PREFIX
from tests.store import written
from tests.store.filling import (
    ACCOUNT,
    BUSY,
    CHARGE,
    CODE,
    CUSTOMER,
    DESTINATION,
    EMAIL,
    ENDPOINT,
    FEE,
    FEW,
    GROUP,
    PAYMENT_INTENT,
    PAYMENT_METHOD,
    PROCESSOR,
    SETTLEMENT,
    SETUP_INTENT,
    SEVENTH,
    STATUS,
    TENANT,
    TRANSFER,
    digest,
    digits_of,
    fill,
)
from tests.store.touching import Case, Touched, make_case, prepare, touch
from tests.support.seeds import size

# Ten thousand rows in the tables that grow fastest, a million in `make soak`.
MORE = size(5_000, soak=500_000)
WANTED = 20
LISTED = 11
# From one level of an index to three or four, and the row. What reads a table would touch it a thousandfold.
GROWTH = 3
# Of indexes as many entries are read, whatever their size, and now and then what an undone write has left.
ENTRIES_GROWTH, ENTRIES_UNDONE = 2, 128
# Of an inverted index the list of what is still to be sorted in is read as well: 256 kB at most.
PENDING = {"search_by_terms": 32}

_NUMBERS = range(1, WANTED + 1)
_SCOPE = (TENANT, False)
_OWN = ([TENANT] * WANTED, [False] * WANTED)
_TENANTS = [digits_of("tenant", number) for number in _NUMBERS]
_OTHERS = (_TENANTS, [False] * WANTED)
_CHARGES = [digits_of("charge", number) for number in _NUMBERS]
# By the column, since a transfer's destination is an account, and a payout's is none.
_VALUES = {
    "application_fee_id": FEE,
    "charge_id": CHARGE,
    "code": CODE,
    "customer_id": CUSTOMER,
    "destination": DESTINATION,
    "destination_id": ACCOUNT,
    "email": EMAIL,
    "payment_intent_id": PAYMENT_INTENT,
    "payment_method_id": PAYMENT_METHOD,
    "processor": PROCESSOR,
    "setup_intent_id": SETUP_INTENT,
    "status": STATUS,
    "attempt.status": "open",
    "transfer_group": GROUP,
    "transfer_id": TRANSFER,
    "webhook_endpoint_id": ENDPOINT,
}
_LATER = 4_000_000_000
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
# What one search looks for only its terms or its amount lead to; the other one finds all.
_ENTRIES = (*_SCOPE, 3, HIGHEST, LOWEST)
_ANY_AMOUNT = (0, 2**53)
# Below every position in the sequence and above none.
_POSITIONS = (ledger_rows.NOW, 0, 0, 0)

# The first and the last moment of what may be committed now.
ANY_TIME = (0, 1 << 62)
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "console_balances": (*_SCOPE, [digits_of("transfer", number) for number in _NUMBERS], LOWEST, WANTED),
    "console_deliveries": (*_SCOPE, _CHARGES, 10, 5),
    "console_events": (*_SCOPE, [FEW - 5], 16),
    "console_object": (*_SCOPE, CHARGE, WANTED),
    "console_requests": (*_SCOPE, [f"pi_{7:032x}"], WANTED),
    "console_versions": (*_SCOPE, PAYMENT_INTENT, WANTED),
    "event_written": (*_SCOPE, 7, digits_of("tenant", 7)),
    "find_sequence": (*_SCOPE, 55_500),
    "idempotency_written": (digest(7), *_SCOPE, "req"),
    "key_find": ([2 * digest(7)],),
    "list_accounts": (digits_of("tenant", 7), False, ["fees", "pending"]),
    # Behind the endpoints that the write of payments changes: an undone change leaves dead entries.
    "list_enabled_endpoints": (TENANT, False, digits_of("webhook_endpoint", 2 * WANTED), LISTED),
    "load_endpoints": (*_OTHERS, [digits_of("webhook_endpoint", number) for number in _NUMBERS]),
    "rollout_bind": (*_OWN, [digest(number) for number in _NUMBERS], ["legacy"] * WANTED),
    "rollout_captured": (*_OWN, [digits_of("transfer", number) for number in _NUMBERS]),
    "load_processors": (digits_of("tenant", 7), False),
    "load_processor_scopes": ("stripe", LISTED),
    "load_payment_method_token": (digits_of("tenant", 7), False, digits_of("payment_method", 7)),
    "list_due_funds": (TENANT, True, WANTED),
    "list_due_holds": (LISTED,),
    "list_due_payments": (LOWEST, 0, 5),
    "list_processing_debits": (LOWEST, 5),
    "list_unreleased": (*_SCOPE, LISTED),
    "request_log_find": (*_SCOPE, f"req_{7:024x}"),
    "load_accounts": (*_OWN, [digits_of("account", number) for number in _NUMBERS]),
    "load_accounts_at": (*_SCOPE, [*BUSY], _LATER),
    "load_books": _OTHERS,
    "load_events": (
        *(["charge.failed"], False, [TENANT], [False], [TENANT] * LISTED, [False] * LISTED, [1] * LISTED),
        *(list(range(FEW - LISTED, FEW)), ["charge.failed", "charge.succeeded"]),
    ),
    "load_events with endpoints": (
        *([], True, [SEVENTH], [False], [SEVENTH] * LISTED, [False] * LISTED, [1] * LISTED),
        *(list(range(1, LISTED + 1)), ["charge.failed"]),
    ),
    "load_idempotency": ([digest(number) for number in _NUMBERS], *_OWN),
    "load_ledger_transfers": (*_OWN, list(_NUMBERS), [0] * WANTED, ledger_rows.NOW),
    "load_objects": (*_OWN, _CHARGES),
    "load_objects_as_of": (*_SCOPE, _CHARGES, [_LATER] * WANTED),
    "load_objects_at": (*_SCOPE, _CHARGES, _LATER),
    "load_transfers": (*_SCOPE, [digits_of("transfer", number) for number in _NUMBERS]),
    "lock_books": _OTHERS,
    "take_books": _OTHERS,
    "require_books": (*_OTHERS, [0] * WANTED, ['[0,0,true,2,{},"manual",0]'] * WANTED, *ANY_TIME),
    "relay_pending": (SEVENTH, False, _LATER, 0),
    "relay_states": (*_SCOPE, [ENDPOINT]),
    "read_latest": (*_OWN, _CHARGES, *_OTHERS),
    "read_profile": (digits_of("tenant", 7), False),
    "read_sequences": _OTHERS,
    "search_by_terms": (*_ENTRIES, [1, 7], [8], *_ANY_AMOUNT, LISTED),
    "search_by_amount": (*_ENTRIES, [], [8], 7, 10, LISTED),
    "search_recent": (*_ENTRIES, [1], [], *_ANY_AMOUNT, LISTED, LISTED),
    "search_tail": (*_SCOPE, 5),
}
for _table in BY_PREFIX.values():
    if _table.due is not None:
        ARGUMENTS[_table.due_statement] = (LISTED,)
    for _owner in _table.owners:
        _each = [digits_of(_owner.attribute, number) for number in _NUMBERS]
        ARGUMENTS[_table.each_statement(_owner)] = (*_SCOPE, _each, [HIGHEST] * WANTED, LISTED)
for _is_ascending, _way in ((True, "up"), (False, "down")):
    for _table in BY_PREFIX.values():
        for _filters in _table.filter_combinations():
            ARGUMENTS[f"{_table.list_statement(_filters)} {_way}"] = (
                *(*_SCOPE, *_table.bounds(HIGHEST), *_table.bounds(LOWEST), _is_ascending, LISTED),
                *(_VALUES.get(f"{_table.name}.{one.name}", _VALUES[one.name]) for one in _filters),
            )
    _balance_page = (*_SCOPE, HIGHEST, LOWEST, _is_ascending, LISTED)
    ARGUMENTS[f"list_balance_transfers {_way}"] = (*_balance_page, ["capture", "refund"], "usd")
    ARGUMENTS[f"list_payout_transfers {_way}"] = (
        *_balance_page,
        *(["capture", "refund"], "usd", LOWEST, HIGHEST, 0, _LATER, BUSY[1], CHARGE),
    )
    # Undone writes leave entries at the end of the sequence: the way along it begins where all is as it was.
    _bounds = (["charge.failed"], False, *_SCOPE)
    ARGUMENTS[f"list_events_{_way}"] = (
        *_bounds,
        *(FEW - 5, 0, LISTED, ["charge.succeeded"], *_EVER, 1_000),
    )
    ARGUMENTS[f"list_rare_events_{_way}"] = (*_bounds, 1 << 40, 0, LISTED, ["charge.failed"], *_EVER)
    for _name in ("list_events", "list_rare_events"):
        _others_of = ARGUMENTS[f"{_name}_{_way}"][4:]
        for _case in (f"{_name}_with_endpoints_{_way}", f"{_name}_{_way} looking for endpoints"):
            ARGUMENTS[_case] = (["charge.failed"], True, SEVENTH, False, *_others_of)
    _rows = (*_SCOPE, SETTLEMENT, 0, _LATER >> 2, _is_ascending, LISTED)
    ARGUMENTS[f"list_settlement_rows {_way}"] = _rows
    ARGUMENTS[f"list_settlement_rows_by_status {_way}"] = (*_rows, "duplicate")
    _nothing_more = (None, None, None)
    ARGUMENTS[f"relay_attempts {_way}"] = (
        *(*_SCOPE, ENDPOINT, HIGHEST, LOWEST, _is_ascending, LISTED),
        *_nothing_more,
    )
    ARGUMENTS[f"list_entries {_way}"] = (*_SCOPE, BUSY[1], *_POSITIONS, _is_ascending, LISTED)
WRITTEN: dict[str, Changes] = {
    "write of payments": written.payments(WANTED),
    "write of the ledger": written.ledger(WANTED),
}

# What is not held to this, and why. A name stands for all that begin with it.
ELSEWHERE = {
    "adds rows to the request log, and reads nothing": ("request_log_write",),
    "adds up, or reads from end to end, all that it is about": (
        *("list_own_entries", "load_own_accounts_at", "list_search_backlogs", "relay_survey", "verify_"),
    ),
    "is of an operator or of the process, and of tables that stay small": (
        *(
            *("database_connections", "database_inspect", "database_speed"),
            *("key_create", "key_expire", "key_list", "key_lock", "key_require_signatures", "key_revoke"),
        ),
        *(
            *("import_", "member_", "payment_method_token_add", "processor_", "reseal_"),
            *("rollout_add_findings", "rollout_examples", "rollout_findings", "rollout_history"),
            *("rollout_guards", "rollout_keep_guards", "rollout_purge_findings", "rollout_roll_back"),
            *("rollout_lock", "rollout_mistaken_", "rollout_moved", "rollout_routes", "rollout_set"),
            *("sealed_survey", "signing_secret_", "tenant_"),
        ),
        # A few rows for each endpoint.
        *(
            "relay_beat",
            "relay_claim",
            "relay_exceptions",
            "relay_held",
            "relay_leave",
            "relay_make_partitions",
            "relay_drop_partitions",
            "relay_positions",
        ),
        *("relay_record", "relay_release", "relay_watch"),
        *("request_log_drop_partitions", "request_log_make_partitions"),
    ),
    "keeps the search index beside the payments": (
        *("delete_search_entries", "search_lock", "search_open", "write_search_"),
    ),
    "goes through one settlement, for an operator": ("settlement_",),
    "asks each tenant, for an operator": ("console_find", "count_held_attempts"),
    "is about operators, who are few": ("operator_",),
    "inserts without a look at anything": ("write_operator_actions",),
    "asks no table": ("end_backend", "own_backend", "probe_", "read_moment", "transaction_status"),
    "asks for the one row of a table, once a start or a connection to Redis": (
        *("read_incarnation", "read_seal_key"),
    ),
    "has a test of its own in test_housekeeping": ("purge_idempotency",),
    "reads what a book has of the last seconds": ("rollout_booked",),
    "finds keys by the ages of blocks": ("rollout_charged_twice", "rollout_purge"),
}
# A plan that is made for the values believes the statistics. For these they have to be true.
LISTS = ("console_balances", "list_", "relay_pending")
# Who asks in vain touches little, however much there is. A book has one balance, and no list shows it. Nobody
# has tried to deliver these events. Too much was moved since these transfers.
IN_VAIN = {"console_balances", "console_deliveries", "list_balances up", "list_balances down"}


def test_every_statement_is_held_to_this_or_named_as_one_that_is_not() -> None:
    held = {name.partition(" ")[0] for name in ARGUMENTS}
    for changes in WRITTEN.values():
        held |= {name for name, _ in columns.writes(changes)}
    held.add("write_ledger_transfers")
    named = tuple(name for names in ELSEWHERE.values() for name in names)
    others = SQL.keys() - held
    assert [name for name in others if not name.startswith(named)] == []
    assert [name for name in named if not any(other.startswith(name) for other in others)] == []


async def make_cases(connection: Connection) -> list[Case]:
    """Return everything that is asked and written all day."""
    cases = [
        await make_case(connection, name, SQL[name.partition(" ")[0]], arguments)
        for name, arguments in ARGUMENTS.items()
    ]
    for name, changes in WRITTEN.items():
        encoded = columns.encode(changes)
        # As their books are laid down: nothing was ever committed.
        books = columns.encode_books([Book(scope, 0) for scope in changes.sequences])
        statement = combine((*encoded.names, "require_books"))
        cases.append(await make_case(connection, name, statement, [*encoded.arguments, *books, *ANY_TIME]))
    return cases


@contextlib.asynccontextmanager
async def session(database_url: str, cases: Sequence[Case], mode: str) -> AsyncIterator[Connection]:
    """Open a session with everything prepared.

    Its plans are made without a look at the values ("generic"), with one ("custom"), or also with all means
    that the planner has ("pooled", where no setting outlives a transaction).
    """
    connection = await connect(DatabaseSettings(url=database_url, session_state=mode != "pooled"))
    try:
        await connection.execute(
            f"set plan_cache_mode = force_{'generic' if mode == 'generic' else 'custom'}_plan"
        )
        for case in cases:
            await prepare(connection, case)
        yield connection
    finally:
        await connection.close()


async def check(
    connection: Connection, cases: Sequence[Case], least: dict[str, Touched], *, may_scan: bool
) -> list[tuple[str, Touched, Touched]]:
    """Return the cases that touch more than they do among few rows, or scan, with what they touch."""
    faults = []
    for case in cases:
        before, found = least[case.name], await touch(connection, case)
        assert found.rows == before.rows, (case.name, found)
        is_grown = (
            found.buffers > before.buffers * GROWTH + PENDING.get(case.name, 0)
            or found.entries > before.entries * ENTRIES_GROWTH + ENTRIES_UNDONE
        )
        if is_grown or (not may_scan and (found.rows_scanned or found.tables_scanned)):
            faults.append((case.name, before, found))
    return faults


@pytest.mark.parametrize("at_first", ["none", "of few"])
async def test_statements_touch_no_more_among_many_rows(database_url: str, at_first: str) -> None:
    """With statistics and with none, with plans made for a nearly empty database, and behind a pooler.

    Writes go through all triggers.
    """
    faults = []
    async with contextlib.AsyncExitStack() as stack:
        filler = await stack.enter_async_context(connected(database_url))
        await fill(filler, 0, FEW)
        if at_first == "of few":
            await filler.execute("analyze")
        # The driver's own arrays would not take what is encoded by us.
        cases = await make_cases(await stack.enter_async_context(session(database_url, [], "generic")))
        early = await stack.enter_async_context(session(database_url, cases, "generic"))
        least = {case.name: await touch(early, case) for case in cases}
        assert {name for name, touched in least.items() if not touched.rows} == IN_VAIN
        await fill(filler, FEW, MORE)
        for statistics in (at_first, "of all"):
            if statistics == "of all":
                await filler.execute("analyze")
            assert bool(await filler.fetchval(_STATISTICS)) == (statistics != "none")
            found = await check(early, cases, least, may_scan=False)
            faults += [(f"statistics: {statistics}", "early", *fault) for fault in found]
            # With all statistics new sessions come to the same in both runs.
            for mode in ("generic", "custom", "pooled") if at_first in {"none", statistics} else ():
                is_told = mode == "generic" or statistics == "of all"
                suited = [case for case in cases if is_told or not case.name.startswith(LISTS)]
                async with session(database_url, cases, mode) as late:
                    # With all its means the planner reads what is small from end to end.
                    found = await check(late, suited, least, may_scan=mode == "pooled")
                faults += [(f"statistics: {statistics}", mode, *fault) for fault in found]
    assert faults == [], "\n".join(map(str, faults))


# With more than fifty migrations, autovacuum may have looked at the table with their number.
_STATISTICS = "select count(*) from pg_stats where schemaname = 'public' and tablename <> 'alembic_version'"


@dataclass(frozen=True)
class Damage:
    """Something that makes a statement go through a whole table: done to the database, or to the session."""

    case: str
    database: str = "select 1"
    session: str = "select 1"
    old: str = ""
    new: str = ""


DAMAGES = (
    Damage("list_charges_by_customer down", database="drop index charge_by_customer"),
    Damage("list_rare_events_down", database="drop index event_by_type"),
    Damage(
        "write of payments",
        database="create or replace function check_book() returns trigger language plpgsql as "
        "$$begin perform count(*) from event; return null; end$$",
    ),
    Damage("read_latest", session="set enable_indexscan = off; set enable_seqscan = on"),
    Damage(
        "load_objects",
        old="object_version.object_id = wanted.object_id",
        new="object_version.object_id::text = wanted.object_id::text",
    ),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.case)
async def test_what_reads_a_whole_table_shows(database_url: str, damage: Damage) -> None:
    async with contextlib.AsyncExitStack() as stack:
        filler = await stack.enter_async_context(connected(database_url))
        await fill(filler, 0, FEW)
        cases = await make_cases(await stack.enter_async_context(session(database_url, [], "generic")))
        (case,) = (case for case in cases if case.name == damage.case)
        assert damage.old in case.statement
        damaged = case._replace(statement=case.statement.replace(damage.old, damage.new))
        early = await stack.enter_async_context(session(database_url, [case], "generic"))
        least = {case.name: await touch(early, case)}
        await fill(filler, FEW, MORE)
        assert await check(early, [case], least, may_scan=False) == []
        await filler.execute(damage.database)
        late = await stack.enter_async_context(session(database_url, [damaged], "generic"))
        await late.execute(damage.session)
        assert [name for name, *_ in await check(late, [damaged], least, may_scan=False)] == [case.name]


async def test_verification_reads_each_table_a_few_times_however_much_there_is(database_url: str) -> None:
    """Also where the statistics are of empty tables, or say nothing of what a group comes to."""
    connection = await connect(DatabaseSettings(url=database_url))
    loops = []
    try:
        async with connected(database_url) as filler:
            await filler.execute("analyze")
            await fill(filler, 0, 2_000)
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
