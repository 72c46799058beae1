"""What comparing the answers of both sides has found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from fastpay.engine.rollout.finding_ports import Count, Example, RouteKey
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL


class Finding(msgspec.Struct, frozen=True):
    """A count as an operator sees it."""

    count: Count
    first_at: datetime
    last_at: datetime


class PostgresFindings:
    """Satisfies `FindingsStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def add_findings(self, counts: Sequence[Count], examples: Sequence[Example]) -> None:
        """Add to what is counted, and keep the first examples of each name.

        Raises: DatabaseUnavailable, Overloaded.
        """
        await self._pool.fetch(SQL["rollout_add_findings"], *_columns(5, counts), *_columns(8, examples))

    async def purge_findings(self, days: int) -> None:
        """Forget findings that nothing was added to for so long. Raises: DatabaseUnavailable, Overloaded."""
        await self._pool.fetch(SQL["rollout_purge_findings"], days)


# Connections are `Any`, since asyncpg has no types.


async def list_findings(connection: Any, changes: Sequence[int]) -> tuple[list[Finding], list[Example]]:
    """Return what was found since these changes, and examples."""
    found = await connection.fetch(SQL["rollout_findings"], list(changes))
    shown = await connection.fetch(SQL["rollout_examples"], list(changes))
    return (
        [
            Finding(
                Count(RouteKey(row["change_id"], row["route"]), row["measure"], row["name"], row["count"]),
                row["first_at"],
                row["last_at"],
            )
            for row in found
        ],
        [
            Example(
                RouteKey(row["change_id"], row["route"]),
                *(row[name] for name in ("name", "number", "request", "request_id", "legacy", "fastpay")),
            )
            for row in shown
        ],
    )


def _columns(width: int, records: Sequence[Count] | Sequence[Example]) -> list[list[Any]]:
    """Return the columns of records, in the order of their fields."""
    rows = [(*record.key, *msgspec.structs.astuple(record)[1:]) for record in records]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
