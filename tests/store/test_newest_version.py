"""Rows that each batch writes anew are found from their newest version, whatever old snapshots keep."""

import asyncio
import re

import asyncpg
import pytest

from fastpay.domain.plan import Book
from fastpay.store import columns, rows
from fastpay.store.connections import connected
from fastpay.store.failures import OUTDATED
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statements import SQL, combine
from tests.relay.instances import until
from tests.support.engine import make_tenant

# Of operators, who wait, of accounts that are opened, of many accounts from end to end, of no table, and
# what has no plan.
OTHERS = (
    *("console_", "tenant_", "verify_", "write_accounts"),
    *("list_ledger_accounts", "load_own_accounts_at"),
    *("probe_", "rollout_lock"),
)
IS_WAITING = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
SEQUENCE = "select sequence from book where tenant_id = $1 and not livemode"
HOT = re.compile(r"^.*(?:Index Scan|Index Only Scan) using (?:book|account)_pkey on .*$", re.MULTILINE)


async def test_every_look_at_a_book_or_an_account_begins_with_the_newest_version(database_url: str) -> None:
    connection = await connect(DatabaseSettings(url=database_url))
    try:
        found = {}
        for name, statement in SQL.items():
            if name.startswith(OTHERS):
                continue
            await connection.execute(f"prepare one as {statement}")
            numbers = map(int, re.findall(r"\$(\d+)", statement))
            values = ", ".join(["null"] * max(numbers, default=0))
            plan = await connection.fetch(
                f"explain (costs off) execute one {f'({values})' if values else ''}"
            )
            await connection.execute("deallocate one")
            found[name] = HOT.findall("\n".join(line[0] for line in plan))
    finally:
        await connection.close()
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("is_written", [False, True])
async def test_a_book_that_was_written_since_the_snapshot_is_not_taken(
    database_url: str, is_written: bool
) -> None:
    """The other parts of the statement would look for the version of the snapshot, and write to no row."""
    scope = await make_tenant(database_url)
    # The snapshot is there when the statement waits for its first parameter, and nothing is locked yet.
    before, start, after = combine(("write_books", "require_books")).rpartition("from unnest(")
    parameter, _, after = after.partition(",")
    gate = "(select pg_advisory_lock(1) offset 0) as gate"
    statement = f"{before}{start}(select {parameter} from {gate}),{after}"
    async with connected(database_url) as other:
        connection = await connect(DatabaseSettings(url=database_url))
        try:
            (book,) = await connection.fetch(SQL["load_books"], [scope.tenant_id], [scope.livemode])
            arguments = ([scope.tenant_id], [scope.livemode], [7])
            expected = columns.encode_books([Book(scope, 0, rows.book(book).rules)])
            await other.execute("select pg_advisory_lock(1)")
            written = asyncio.create_task(connection.execute(statement, *arguments, *expected, 0, 1 << 62))
            await until(lambda: other.fetchval(IS_WAITING))
            if is_written:
                # As an operator does who sets a rule to what it is.
                await other.execute("update book set fee_fixed = fee_fixed")
            await other.execute("select pg_advisory_unlock(1)")
            if is_written:
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await written
                assert refused.value.sqlstate == OUTDATED
            else:
                await written
        finally:
            await connection.close()
        found = await other.fetchval(SEQUENCE, scope.tenant_id)
    assert found == (0 if is_written else 7)
