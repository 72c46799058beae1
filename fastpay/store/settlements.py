"""Settlements of processors in the database: their files, and the rows of these."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from fastpay import limits
from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope, digits
from fastpay.domain.objects import StoredObject
from fastpay.domain.settlement_rows import start_of
from fastpay.domain.settlements import Settlement, Sums
from fastpay.engine.processors.settlement_ports import (
    Decided,
    Extent,
    Marked,
    RowsTaken,
    SettledFile,
    ShownRow,
    Unmatched,
)
from fastpay.store import rows
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL

_ATTEMPT, _SETTLEMENT = "att_", "stl_"
# How many pages of rows a single statement may change.
_PAGES_AT_ONCE = 10


class PostgresSettlements:
    """Satisfies `SettlementRows`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def find_objects(self, scope: Scope, identifiers: Sequence[str]) -> Mapping[str, StoredObject]:
        """Return the objects that exist, by identifier."""
        count = len(identifiers)
        wanted = [scope.tenant_id] * count, [scope.livemode] * count, [digits(one) for one in identifiers]
        found = [rows.versioned(row).object for row in await self._pool.fetch(SQL["load_objects"], *wanted)]
        return {one.id: one for one in found}

    async def newest(self, scope: Scope, limit: int) -> Sequence[Settlement]:
        """Return the newest settlements."""
        found = await self._fetch("list_settlements", scope, HIGHEST, LOWEST, False, limit)
        listed = [rows.versioned(row).object for row in found]
        return [one for one in listed if isinstance(one, Settlement)]

    async def find_file(self, scope: Scope, settlement: str) -> SettledFile | None:
        """Return the file of a settlement, None if there is no such one."""
        found = await self._fetch("settlement_find_file", scope, digits(settlement))
        if not found:
            return None
        (row,) = found
        return SettledFile(
            settlement, row["processor"], row["currency"], row["digest"].hex(), row["lag_days"]
        )

    async def extent(self, scope: Scope, settlement: str) -> Extent | None:
        """Return how far the rows of the file reach, None if it has none."""
        (row,) = await self._fetch("settlement_extent", scope, digits(settlement))
        return None if row["first"] is None else Extent(row["position"], row["first"], row["last"])

    async def clear(
        self, scope: Scope, settlement: str, revision: int, *, last: int, accepted: Sequence[int]
    ) -> None:
        """Forget how the rows up to a position were matched, except accepted ones."""
        name = digits(settlement)
        step = _PAGES_AT_ONCE * limits.settlement_page_rows
        for after in range(0, last, step):
            await self._fetch("settlement_clear", scope, name, revision, after, after + step, accepted)

    async def forget_missing(
        self, scope: Scope, settlement: str, revision: int, *, accepted: Sequence[int]
    ) -> None:
        """Remove what an earlier matching found to be missing in the file, except accepted rows."""
        await self._fetch("settlement_forget_missing", scope, digits(settlement), revision, accepted)

    async def page(self, scope: Scope, settlement: str, after: int) -> Sequence[Unmatched]:
        """Return the next rows to match."""
        found = await self._fetch(
            "settlement_page", scope, digits(settlement), after, limits.settlement_page_rows
        )
        return [Unmatched(**row) for row in found]

    async def named(
        self, scope: Scope, processor: str, processor_ids: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        """Return the attempts that the processor calls by these identifiers, the oldest first."""
        named: dict[str, list[str]] = {}
        for row in await self._fetch("settlement_named", scope, processor, processor_ids):
            named.setdefault(row["processor_id"], []).append(_attempt(row["attempt_id"]))
        return named

    async def of_days(
        self,
        scope: Scope,
        processor: str,
        currency: str,
        days: tuple[dt.date, dt.date],
        amounts: Sequence[int],
    ) -> Sequence[str]:
        """Return approved attempts of these days, both included, that took one of these amounts."""
        first, last = days
        bounds = start_of(first), start_of(last + dt.timedelta(days=1))
        most = _PAGES_AT_ONCE * limits.settlement_page_rows
        wanted = (*bounds, processor, currency, amounts, most)
        return [
            _attempt(row["attempt_id"]) for row in await self._fetch("settlement_of_days", scope, *wanted)
        ]

    async def taken(self, scope: Scope, attempts: Sequence[str], settlement: str, revision: int) -> set[str]:
        """Return those of the attempts that a row has settled, or that were written off."""
        found = await self._fetch(
            "settlement_taken", scope, [digits(one) for one in attempts], digits(settlement), revision
        )
        return {_attempt(row["attempt_id"]) for row in found}

    async def unsettled(
        self, scope: Scope, processor: str, currency: str, *, after: str, below: str
    ) -> Sequence[str]:
        """Return the next attempts that moved money, or may have, and that no row has settled."""
        wanted = (after, below, processor, currency, limits.settlement_page_rows)
        found = await self._fetch("settlement_unsettled", scope, *wanted)
        return [_attempt(row["attempt_id"]) for row in found]

    async def write(self, scope: Scope, settlement: str, revision: int, rows: Sequence[Decided]) -> None:
        """Write what became of rows. Raises: RowsTaken."""
        try:
            async with self._pool.lend() as connection:
                await connection.execute(
                    SQL["settlement_write"], *scope, digits(settlement), revision, *_columns(rows)
                )
        except asyncpg.UniqueViolationError as error:
            raise RowsTaken from error
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise self._pool.unavailable(error) from error

    async def add_missing(
        self, scope: Scope, settlement: str, revision: int, rows: Sequence[Decided]
    ) -> None:
        """Add payments that the file lacks."""
        types = [row.type for row in rows]
        await self._fetch(
            "settlement_add_missing", scope, digits(settlement), revision, *_columns(rows), types
        )

    async def sums(self, scope: Scope, settlement: str) -> Sums:
        """Return what all rows come to."""
        (row,) = await self._fetch("settlement_sums", scope, digits(settlement))
        return Sums(**row)

    async def mark(self, scope: Scope, settlement: str, position: int, *, accepted: bool) -> Marked | None:
        """Mark a row as accepted, or not, and return it. None if there is no row that differs."""
        found = await self._fetch("settlement_mark", scope, digits(settlement), position, accepted)
        return Marked(*found[0]) if found else None

    async def rows(
        self,
        scope: Scope,
        settlement: str,
        *,
        above: int,
        below: int,
        descending: bool,
        limit: int,
        status: str | None,
    ) -> Sequence[ShownRow]:
        """Return up to `limit` + 1 rows between two positions, in the order of the file."""
        page = (digits(settlement), above, below, descending, limit + 1)
        if status is None:
            found = await self._fetch("list_settlement_rows", scope, *page)
        else:
            found = await self._fetch("list_settlement_rows_by_status", scope, *page, status)
        return [_shown(row) for row in found]

    async def _fetch(self, statement: str, scope: Scope, *arguments: Any) -> list[Any]:
        return await self._pool.fetch(SQL[statement], *scope, *arguments)


class SettlementImport:
    """Writes the rows of one file of a processor, in a transaction of its own."""

    def __init__(
        self, connection: Any, scope: Scope, processor: str, digest: bytes, *, lag_days: int
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._file = processor, digest
        self._lag_days = lag_days
        # By currency.
        self._settlements: dict[str, str] = {}
        # How many of the rows of each settlement no other file had.
        self.new_rows: dict[str, int] = {}

    async def find(self) -> Sequence[str]:
        """Return the settlements that this file is imported as already, none if it is new."""
        found = await self._connection.fetch(SQL["settlement_files"], *self._scope, *self._file)
        return [_SETTLEMENT + row["settlement_id"].hex for row in found]

    def has(self, currency: str) -> bool:
        """Tell whether there is a settlement in a currency."""
        return currency in self._settlements

    async def add(self, currency: str, settlement: str) -> None:
        """Note a currency of the file, with the identifier of its settlement."""
        values = (*self._scope, *self._file, currency, digits(settlement), self._lag_days)
        await self._connection.execute(SQL["settlement_add_file"], *values)
        self._settlements[currency] = settlement
        self.new_rows[settlement] = 0

    async def write(self, page: Sequence[tuple[int, bytes, Any]]) -> None:
        """Write rows, each with its position and identity, except those that another file had."""
        columns = [
            [digits(self._settlements[row.currency]) for _, _, row in page],
            [position for position, _, _ in page],
            [row.line for _, _, row in page],
            [identity for _, identity, _ in page],
        ]
        for name in ("type", "reference", "processor_id", "gross", "fee", "net", "value_date"):
            columns.append([getattr(row, name) for _, _, row in page])
        for row in await self._connection.fetch(SQL["settlement_add_rows"], *self._scope, *columns):
            self.new_rows[_SETTLEMENT + row["settlement_id"].hex] += 1


@asynccontextmanager
async def importing(
    connection: Any, scope: Scope, processor: str, digest: bytes, *, lag_days: int
) -> AsyncIterator[SettlementImport]:
    """Import a file in a block, as a whole or not at all. No other file of the processor is meanwhile."""
    async with connection.transaction():
        await connection.execute(SQL["settlement_lock"], *scope, processor)
        yield SettlementImport(connection, scope, processor, digest, lag_days=lag_days)


def _columns(decided: Sequence[Decided]) -> Iterator[list[Any]]:
    yield [row.position for row in decided]
    yield [row.status for row in decided]
    yield [row.ours for row in decided]
    yield [None if row.attempt is None else digits(row.attempt) for row in decided]


def _shown(row: Any) -> ShownRow:
    values = dict(row)
    attempt = values.pop("attempt_id")
    return ShownRow(**values, attempt=None if attempt is None else _attempt(attempt))


def _attempt(identifier: uuid.UUID) -> str:
    return _ATTEMPT + identifier.hex
