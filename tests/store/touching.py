"""What a statement touches: its own part of it, and that of the triggers that it sets off."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fastpay.store.postgres import Connection

_PARAMETER = re.compile(r"\$(\d+)::(\w+(?:\[\])?)")


class Case(NamedTuple):
    """A statement with its arguments, as text that can follow EXECUTE."""

    name: str
    statement: str
    values: str

    @property
    def handle(self) -> str:
        """What it is prepared as: PostgreSQL takes 63 characters, and long names differ at their ends."""
        return self.name.replace(" ", "_")[-54:] + "_prepared"


class Touched(NamedTuple):
    """The rows that a statement found, and what was touched for them.

    `buffers` are those of tables and indexes, `entries` what was read of indexes, by triggers as well.
    `rows_scanned` counts the rows of tables that were read without an index, by triggers as well;
    `tables_scanned` has the names of those that the statement's own plan reads so.
    """

    rows: int
    buffers: int
    entries: int
    rows_scanned: int
    tables_scanned: tuple[str, ...]


async def make_case(connection: Connection, name: str, statement: str, arguments: Sequence[Any]) -> Case:
    """Return a case. Its name begins with that of the statement."""
    types = dict(_PARAMETER.findall(statement))
    casts = [f"${number}::{types[str(number)]}::text" for number in range(1, len(arguments) + 1)]
    texts = await connection.fetchrow(f"select {', '.join(casts)}", *arguments)
    values = ("null" if text is None else "'" + text.replace("'", "''") + "'" for text in texts)
    return Case(name, statement, ", ".join(values))


async def prepare(connection: Connection, case: Case) -> None:
    """Prepare a statement; whether its plan is kept is for the session's settings to say."""
    await connection.execute(f"prepare {case.handle} as {case.statement}")


async def touch(connection: Connection, case: Case) -> Touched:
    """Run a statement that was prepared, undo it, and return what it touched."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        if case.name.startswith("search_"):
            # As searches set it.
            await connection.execute("set local enable_bitmapscan = on")
        before = await counters(connection)
        explained = await connection.fetchval(
            f"explain (analyze, buffers, format json) execute {case.handle} ({case.values})"
        )
        after = await counters(connection)
    finally:
        await transaction.rollback()
    plan = json.loads(explained)[0]["Plan"]
    scans = tuple(part["Relation Name"] for part in _parts(plan) if part["Node Type"] == "Seq Scan")
    buffers, entries, rows_scanned = (now - then for now, then in zip(after, before, strict=True))
    return Touched(int(plan["Actual Rows"]), buffers, entries, rows_scanned, scans)


async def counters(connection: Connection) -> tuple[int, int, int]:
    """Return how many buffers of ours, entries of indexes, and rows without an index were read so far.

    A plan tells nothing of the triggers that it sets off. These counters do.
    """
    found = await connection.fetchrow(
        "select sum(pg_stat_get_xact_blocks_fetched(oid))::bigint, "
        "sum(pg_stat_get_xact_tuples_returned(oid)) filter (where relkind = 'i')::bigint, "
        "sum(pg_stat_get_xact_tuples_returned(oid)) filter (where relkind = 'r')::bigint "
        "from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')"
    )
    return found[0], found[1], found[2]


def _parts(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _parts(part)
