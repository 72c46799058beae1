"""What `fastpay processors settle` and `settlements` do: import files, and settle without a server."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, BinaryIO, NamedTuple

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain import money
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import missing
from fastpay.domain.settlement_rows import SettlementRow
from fastpay.domain.settlements import Settlement
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.processors.settlement_ports import ShownRow
from fastpay.engine.processors.settling import Settling
from fastpay.engine.write.writer import Writer
from fastpay.errors import ConfigurationError
from fastpay.operations.database import database_settings
from fastpay.operations.processors import make_settling
from fastpay.operations.settlement_files.camt053 import read_camt053
from fastpay.operations.settlement_files.csv_file import read_csv
from fastpay.operations.settlement_files.mapping import Mapping
from fastpay.operations.settlement_files.reading import BadFile
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import database_clock
from fastpay.store.pool import ReaderPool
from fastpay.store.settlements import SettlementImport, importing
from fastpay.store.statements import SQL

COLUMNS = ("id", "processor", "status", "rows", "gross", "net", "differences")
ROW_COLUMNS = (
    "position",
    "line",
    "status",
    "type",
    "gross",
    "ours",
    "reference",
    "theirs",
    "date",
    "accepted",
)
LISTED = 100
_BYTES_AT_ONCE = 1 << 20


class Imported(NamedTuple):
    """What came of a file: its settlements, how many of its rows were new, and whether it was known."""

    settlements: tuple[str, ...]
    rows: int
    is_known: bool


async def import_file(
    connection: Any, scope: Scope, processor: str, file: BinaryIO, mapping: Mapping
) -> Imported:
    """Import the file of a processor as a whole; one that was imported before changes nothing.

    Raises: BadFile, ConfigurationError.
    """
    found = await connection.fetch(SQL["load_processors"], *scope)
    if all(row["name"] != processor for row in found):
        raise ConfigurationError(f"there is no processor named {processor!r} in this mode of the tenant")
    clock = await database_clock(connection)
    is_xml, digest = _examine(file)
    rows = read_camt053(file) if is_xml else read_csv(file, mapping)
    async with importing(connection, scope, processor, digest, lag_days=mapping.lag_days) as writing:
        known = await writing.find()
        if known:
            return Imported(tuple(known), 0, is_known=True)
        await _write(writing, rows, processor, clock)
    new = {settlement: count for settlement, count in writing.new_rows.items() if count}
    return Imported(tuple(new), sum(new.values()), is_known=False)


class SettlementDesk:
    """Settles for an operator: one mode of a tenant, over a connection and a writer of its own."""

    def __init__(self, settling: Settling, scope: Scope, connection: Any) -> None:
        self._settling = settling
        self._scope = scope
        self._connection = connection

    async def settle(
        self, processor: str, file: BinaryIO, mapping: Mapping, tell: Callable[[str], None]
    ) -> Sequence[Settlement]:
        """Import a file and match its rows, and return its settlements. Raises: as `import_file`."""
        imported = await import_file(self._connection, self._scope, processor, file, mapping)
        tell("this file was imported before" if imported.is_known else f"{imported.rows} new rows")
        found: list[Settlement] = []
        for identifier in imported.settlements:
            one = await self._settling.find(self._scope, identifier)
            if one is None or one.status == "matching":
                # New, or left by an import that was interrupted.
                one = await self._settling.match(self._scope, identifier)
            found += [] if one is None else [one]
        return found

    async def newest(self) -> Sequence[Settlement]:
        """Return the newest settlements."""
        return await self._settling.rows.newest(self._scope, LISTED)

    async def require(self, identifier: str) -> Settlement:
        """Return a settlement. Raises: NotFound."""
        found = await self._settling.find(self._scope, identifier)
        if found is None:
            raise missing(Settlement, identifier)
        return found

    async def rows(self, settlement: Settlement, *, after: int, status: str | None) -> Sequence[ShownRow]:
        """Return the next rows behind a position."""
        return await self._settling.rows.rows(
            self._scope,
            settlement.id,
            above=after,
            below=limits.settlement_positions_max,
            descending=False,
            limit=LISTED - 1,
            status=status,
        )

    async def match(self, identifier: str) -> Settlement | None:
        """Match all rows again. Raises: NotFound, UnexpectedState."""
        return await self._settling.match(self._scope, identifier)

    async def accept(self, identifier: str, position: int, *, by: str, reason: str) -> Settlement:
        """Accept the difference of a row. Raises: NotFound, UnexpectedState."""
        return await self._settling.accept(self._scope, identifier, position, by=by, reason=reason)

    async def close(self, identifier: str) -> Settlement:
        """Close a settlement. Raises: NotFound, UnexpectedState."""
        return await self._settling.close(self._scope, identifier)


@asynccontextmanager
async def open_desk(
    settings: Settings, database_url: str, connection: Any, scope: Scope
) -> AsyncIterator[SettlementDesk]:
    """Return what settles in a mode of a tenant, with a writer beside those of servers."""
    database = database_settings(settings, database_url)
    clock = await database_clock(connection)
    async with AsyncExitStack() as stack:
        batches = PostgresBatches(database)
        stack.push_async_callback(batches.close)
        pool = ReaderPool(database)
        stack.push_async_callback(pool.close)
        writer = Writer(batches, clock=clock)
        writer.start()
        stack.push_async_callback(writer.close)
        settling = make_settling(settings, pool, writer, IdentifierFactory(clock))
        yield SettlementDesk(settling, scope, connection)


def summary(settlement: Settlement) -> tuple[str, ...]:
    """Return a row with `COLUMNS`."""
    amounts = (settlement.gross, settlement.net)
    return (
        *(settlement.id, settlement.processor, settlement.status),
        str(settlement.rows),
        *(money.show_amount(amount, settlement.currency) for amount in amounts),
        str(settlement.differences),
    )


def details(settlement: Settlement) -> Iterator[str]:
    """Yield the lines that show a settlement, and each difference that was accepted."""
    yield f"{settlement.id}: {settlement.status}, {settlement.processor}, {settlement.rows} rows"
    named = (
        ("gross", settlement.gross),
        ("fee", settlement.fee),
        ("net", settlement.net),
        ("booked here", settlement.ours),
    )
    for name, amount in (*named, ("accepted", settlement.accepted)):
        yield f"{name}: {money.show_amount(amount, settlement.currency)}"
    yield f"differences: {settlement.differences}"
    for one in settlement.acceptances:
        shown = money.show_amount(one.amount, settlement.currency)
        yield f"accepted row {one.position} ({one.status}): {shown}, by {one.by}: {one.reason}"


def shown_row(row: ShownRow, currency: str) -> tuple[str, ...]:
    """Return a row with `ROW_COLUMNS`."""
    return (
        *(str(row.position), "" if row.line is None else str(row.line), row.status, row.type),
        *(money.show_amount(amount, currency) for amount in (row.gross, row.ours)),
        *(row.reference or row.attempt or "", row.processor_id or ""),
        *("" if row.value_date is None else row.value_date.isoformat(), "yes" if row.accepted else ""),
    )


def _examine(file: BinaryIO) -> tuple[bool, bytes]:
    """Return whether a file is XML, and its digest. Raises: ConfigurationError if it is too large."""
    digest, size, first = hashlib.sha256(), 0, b""
    while part := file.read(_BYTES_AT_ONCE):
        first = first or part.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        size += len(part)
        if size > limits.settlement_file_bytes_max:
            raise ConfigurationError(f"the file has more than {limits.settlement_file_bytes_max} bytes")
        digest.update(part)
    file.seek(0)
    return first == b"<", digest.digest()


async def _write(
    writing: SettlementImport, rows: Iterator[SettlementRow], processor: str, clock: Clock
) -> None:
    """Write all rows of a file. Raises: BadFile for too many of them, or of their currencies."""
    identifiers = IdentifierFactory(clock)
    occurrences: dict[bytes, int] = {}
    page: list[tuple[int, bytes, SettlementRow]] = []
    currencies = 0
    for position, row in enumerate(rows, 1):
        if position > limits.settlement_rows_max:
            raise BadFile(row.line, 1, f"the file has more than {limits.settlement_rows_max} rows")
        if not writing.has(row.currency):
            currencies += 1
            if currencies > limits.settlement_currencies_max:
                raise BadFile(row.line, 1, f"more than {limits.settlement_currencies_max} currencies")
            stamp = identifiers.stamp()
            made = IdentifierSequence(stamp.head, stamp.tail).next(Settlement.prefix)
            await writing.add(row.currency, made)
        said = row.identity(processor, 0)
        occurrence = occurrences[said] = occurrences.get(said, -1) + 1
        page.append((position, said if occurrence == 0 else row.identity(processor, occurrence), row))
        if len(page) == limits.settlement_page_rows:
            await writing.write(page)
            page = []
    if page:
        await writing.write(page)
