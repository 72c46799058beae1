"""First answers go once they are old, of every tenant, a bounded piece of the table at a time."""

import asyncio
import json
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.identifiers import Scope
from fastpay.engine.housekeeping import Housekeeper
from fastpay.engine.ports import Purged
from fastpay.store.connections import connected
from fastpay.store.housekeeping import PostgresHousekeeping
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statements import SQL
from tests.support.database_clock import give_clock, move_clock
from tests.support.engine import CLOCK, Engine, engine, make_tenant

HOUR_MS = 3_600_000
RETENTION_HOURS = 24
STEP = limits.purge_blocks_max
# Rows are older than they must be kept, or younger, by an hour.
OLD, YOUNG = RETENTION_HOURS + 1, RETENTION_HOURS - 1
# Commands that are committed while others sweep.
WRITTEN = 40


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps go on at once."""
    for name in ("pause_ms", "pause_factor"):
        monkeypatch.setattr(limits, f"purge_{name}", 0)


async def insert(connection: Any, scope: Scope, count: int, hours: int, *, name: str = "k") -> None:
    """Write first answers that are so many hours old, of the size that they have for a payment."""
    await connection.execute(
        "insert into idempotency select decode(md5(concat($1::uuid, $2::boolean, $5::text, number)), 'hex'), "
        "$1, $2, $5 || number, repeat('f', 32)::bytea, repeat('a', 40)::bytea, 'req_0123456789abcdef', "
        "now() - $4 * interval '1 hour' from generate_series(1, $3::integer) as number",
        *scope,
        count,
        hours,
        name,
    )


async def count_rows(connection: Any) -> dict[str, tuple[int, int]]:
    """Return, by tenant, how many rows are too old and how many are not."""
    found = await connection.fetch(
        "select tenant_id, count(*) filter (where created_at < now() - interval '24 hours') as old, "
        "count(*) filter (where created_at >= now() - interval '24 hours') as young "
        "from idempotency group by tenant_id"
    )
    return {row["tenant_id"].hex: (row["old"], row["young"]) for row in found}


def keeper(instance: Engine) -> Housekeeper:
    """Return who keeps house in an instance."""
    store = PostgresHousekeeping(instance.pool)
    return Housekeeper(store, clock=CLOCK, retention_hours=RETENTION_HOURS)


async def step(instance: Engine, first_block: int, *, ahead_hours: int = 0) -> Purged:
    """Take one step, as an instance whose clock is so far ahead."""
    return await PostgresHousekeeping(instance.pool).purge_idempotency(
        first_block,
        STEP,
        retention_hours=RETENTION_HOURS,
        now_ms=CLOCK.now_ms() + ahead_hours * HOUR_MS,
    )


async def sweep_all(instance: Engine) -> int:
    """Sweep over the whole table, wherever the first sweep begins."""
    sweeps = keeper(instance)
    return await sweeps.sweep() + await sweeps.sweep()


async def test_what_is_old_goes_of_every_tenant_and_nothing_younger(database_url: str) -> None:
    scopes = [await make_tenant(database_url, f"shop {number}", livemode=number > 1) for number in range(4)]
    async with engine(database_url) as instance, connected(database_url) as connection:
        for hours in (OLD, YOUNG, OLD):
            for scope in scopes:
                await insert(connection, scope, 500, hours, name=f"{hours} {await mark(connection)} ")
        assert await sweep_all(instance) == 4 * 1_000
        assert await count_rows(connection) == {scope.tenant_id: (0, 500) for scope in scopes}
        assert await sweep_all(instance) == 0


async def mark(connection: Any) -> int:
    """Return a number that no other call returns while rows are written."""
    number: int = await connection.fetchval("select count(*) from idempotency")
    return number


async def test_old_rows_go_from_among_young_ones_that_took_free_space(database_url: str) -> None:
    """Nothing relies on rows lying in the order of their age."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        await insert(connection, scope, 3_000, OLD, name="first ")
        await insert(connection, scope, 3_000, YOUNG, name="second ")
        blocks = await connection.fetchval("select pg_relation_size('idempotency')")
        assert await sweep_all(instance) == 3_000
        await connection.execute("vacuum idempotency")
        await insert(connection, scope, 1_500, YOUNG, name="third ")
        await insert(connection, scope, 1_000, OLD, name="fourth ")
        assert await connection.fetchval("select pg_relation_size('idempotency')") == blocks
        assert await sweep_all(instance) == 1_000
        assert await count_rows(connection) == {scope.tenant_id: (0, 4_500)}


@pytest.mark.parametrize("ahead_hours", [25, 8 * 24, -25])
async def test_a_clock_that_is_off_makes_no_answer_older(ahead_hours: int, database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        await insert(connection, scope, 100, YOUNG, name="young ")
        await insert(connection, scope, 100, OLD, name="old ")
        purged = await step(instance, 0, ahead_hours=ahead_hours)
        # One that is behind forgets what it must later: what is forgotten does not come back.
        assert purged.rows == (100 if ahead_hours > 0 else 0)
        assert (await count_rows(connection))[scope.tenant_id][1] == 100


async def test_a_database_whose_clock_is_off_makes_no_answer_older(database_url: str) -> None:
    await give_clock(database_url)
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        await connection.execute("set search_path = public")
        await insert(connection, scope, 100, YOUNG)
        await move_clock(database_url, hours=25)
        assert (await step(instance, 0)).rows == 0
        assert (await step(instance, 0, ahead_hours=25)).rows == 100


async def test_a_step_leaves_all_other_blocks_alone(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        await insert(connection, scope, 4_000, OLD)
        where = "select array_agg(distinct (ctid::text::point)[0]::integer) from idempotency"
        before = set(await connection.fetchval(where))
        assert len(before) > 4 * STEP
        purged = await step(instance, STEP)
        assert before - set(await connection.fetchval(where)) == set(range(STEP, 2 * STEP))
        assert purged.blocks == len(before)
        assert purged.rows == 4_000 - await connection.fetchval("select count(*) from idempotency")


@pytest.mark.parametrize("session_state", [True, False])
async def test_a_step_touches_as_much_of_a_large_table_as_of_a_small_one(
    session_state: bool, database_url: str
) -> None:
    """Also with a plan from when the table was empty, and without the settings that a pooler forbids."""
    scope = await make_tenant(database_url)
    connection = await connect(DatabaseSettings(url=database_url, session_state=session_state))
    try:
        await connection.execute(f"prepare purge as {SQL['purge_idempotency']}")
        for count in (1_000, 60_000):
            await insert(connection, scope, count, OLD, name=f"{count} ")
            touched = await buffers(connection, first_block=0)
            assert STEP <= touched["Scan"] <= 2 * STEP, count
            # A row is found and then marked in its block.
            assert touched["all"] <= 2 * touched["rows"] + 4 * STEP, count
        await connection.execute("analyze idempotency")
        for block in (STEP, 20 * STEP):
            touched = await buffers(connection, first_block=block)
            assert STEP <= touched["Scan"] <= 2 * STEP
            assert touched["all"] <= 2 * touched["rows"] + 4 * STEP
            # What was deleted costs no more than to see that it is gone.
            assert (await buffers(connection, first_block=block))["all"] <= 2 * STEP
    finally:
        await connection.close()


async def buffers(connection: Any, *, first_block: int) -> dict[str, int]:
    """Take a step; return the buffers that its scan and the whole statement touched, and its rows."""
    arguments = f"'({first_block},0)', '({first_block + STEP},0)', {RETENTION_HOURS}, {CLOCK.now_ms()}"
    (plan,) = json.loads(
        await connection.fetchval(f"explain (analyze, buffers, format json) execute purge ({arguments})")
    )
    nodes = [plan["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
    (scan,) = (
        node for node in nodes if node.get("Relation Name") == "idempotency" and "Scan" in node["Node Type"]
    )
    assert scan["Node Type"] == "Tid Range Scan"
    touched = {
        name: node["Shared Hit Blocks"] + node["Shared Read Blocks"]
        for name, node in (("Scan", scan), ("all", plan["Plan"]))
    }
    return {**touched, "rows": int(scan["Actual Rows"])}


@pytest.mark.parametrize("session_state", [True, False])
async def test_neither_a_step_nor_a_batch_waits_for_the_other(
    session_state: bool,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A step that has not ended holds nothing that a batch wants, and a batch nothing that a step wants."""
    # Whoever waits for a lock does not get it, and says so.
    monkeypatch.setattr(limits, "lock_timeout_ms", 20)
    scope = await make_tenant(database_url)
    async with (
        engine(database_url, session_state=session_state) as instance,
        connected(database_url) as sweeper,
        connected(database_url) as writer,
    ):
        await instance.submit(CreateCustomer(fields={}), scope, key="old")
        async with sweeper.transaction(), writer.transaction():
            await sweeper.execute(f"set local lock_timeout = {limits.lock_timeout_ms}")
            # What others have under way: a book that is locked, and a first answer that is not committed.
            other = await make_tenant(database_url, "other")
            await writer.fetch(SQL["lock_books"], [other.tenant_id], [False])
            await insert(writer, other, 10, OLD)
            later_ms = CLOCK.now_ms() + HOUR_MS
            (row,) = await sweeper.fetch(SQL["purge_idempotency"], (0, 0), (STEP, 0), 0, later_ms)
            assert row["rows"] == 1
            # As long as that stands, the old key still has its first answer, and new ones get theirs.
            again = await instance.submit(CreateCustomer(fields={}), scope, key="old")
            assert again.original_request_id is not None
            for number in range(WRITTEN):
                outcome = await instance.submit(CreateCustomer(fields={}), scope, key=f"key {number}")
                assert outcome.answer.error is None
        new = await instance.submit(CreateCustomer(fields={}), scope, key="key 0")
        assert new.original_request_id is not None
    assert "batch_retried" not in caplog.text
    assert "prefetch_retried" not in caplog.text


async def test_a_step_forgets_no_more_rows_than_fit_into_its_blocks(database_url: str) -> None:
    """However small the rows are: what a statement deletes, and logs, and locks, is bounded."""
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance, connected(database_url) as connection:
        await connection.execute(
            "insert into idempotency select decode(lpad(to_hex(number), 32, '0'), 'hex'), $1, $2, 'k', '', "
            "'', '', now() - interval '25 hours' from generate_series(1, 20000) as number",
            *scope,
        )
        found = [await step(instance, number * STEP) for number in range(3)]
        # 8 kB in a block, 72 bytes in a row with all that is empty in it, and its head.
        assert all(0 < purged.rows <= STEP * 8_192 // 72 for purged in found)
        assert await connection.fetchval("select count(*) from idempotency") == 20_000 - sum(
            purged.rows for purged in found
        )


async def test_writers_go_on_and_lose_nothing_while_two_instances_sweep(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with (
        engine(database_url) as one,
        engine(database_url) as other,
        connected(database_url) as connection,
    ):
        await insert(connection, scope, 12_000, OLD)

        async def write() -> None:
            for number in range(WRITTEN):
                outcome = await one.submit(CreateCustomer(fields={}), scope, key=f"key {number}")
                assert outcome.answer.error is None

        async def sweep(instance: Engine) -> int:
            count = 0
            while not writing.done():
                count += await sweep_all(instance)
            return count

        writing = asyncio.create_task(write())
        counts = await asyncio.gather(*(sweep(instance) for instance in (one, other, one)))
        await writing
        # What one has forgotten no other counts again, and nothing is left to any of them.
        assert sum(counts) == 12_000
        assert await count_rows(connection) == {scope.tenant_id: (0, WRITTEN)}
        for number in range(WRITTEN):
            again = await other.submit(CreateCustomer(fields={}), scope, key=f"key {number}")
            assert again.original_request_id is not None
