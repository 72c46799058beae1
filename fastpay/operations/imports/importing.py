"""Imports a file page by page, and compares what it says with what is in the books afterwards.

A page is one command: all of it is committed or nothing. An import that was interrupted begins again at the
first line; what was imported is found by its older identifier, and does not change. So the second run of a
file changes nothing, and two that run at the same time do no harm.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import Any, BinaryIO

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain import imports, money
from fastpay.domain.identifiers import Scope
from fastpay.domain.imports import Entry, ImportedObject, ImportEntries, Opening
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.timed_commands import TimedCommands
from fastpay.engine.write.writer import Writer
from fastpay.errors import ConfigurationError, UnexpectedState
from fastpay.operations.database import database_settings
from fastpay.operations.imports.reading import BadLine, Lines
from fastpay.store import imports as store
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import database_clock

COLUMNS = ("type", "currency", "in the file", "amount", "in the ledger", "amount", "difference")
_Page = Sequence[tuple[int, Sequence[Entry]]]


class Sum(msgspec.Struct):
    """How many of a type and currency there are, and what they come to: in the file, and in the ledger."""

    said: int = 0
    said_amount: int = 0
    found: int = 0
    found_amount: int = 0

    @property
    def differs(self) -> bool:
        """Whether the ledger has anything else than the file."""
        return (self.said, self.said_amount) != (self.found, self.found_amount)


class Report(msgspec.Struct):
    """What a file says and what the ledger has, by type and currency; "" for what has no amount.

    `imported` counts what was new, and `left_out` the attributes of objects that this server does not keep.
    """

    sums: dict[tuple[str, str], Sum] = {}
    imported: int = 0
    left_out: dict[str, int] = {}

    @property
    def differs(self) -> bool:
        """Whether the ledger has anything else than the file."""
        return any(one.differs for one in self.sums.values())

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield rows with `COLUMNS`."""
        for (kind, currency), one in sorted(self.sums.items()):
            amounts = (one.said_amount, one.found_amount, one.found_amount - one.said_amount)
            said, found, difference = (
                money.show_amount(amount, currency) if currency else "" for amount in amounts
            )
            missing = str(one.found - one.said)
            yield (kind, currency, str(one.said), said, str(one.found), found, difference or missing)


class Importer:
    """Imports for a mode of a tenant, over a connection and a writer of its own."""

    def __init__(self, connection: Any, writer: Writer, clock: Clock, scope: Scope) -> None:
        self._connection = connection
        self._commands = TimedCommands(writer, IdentifierFactory(clock))
        self._clock = clock
        self._scope = scope

    async def check(self, file: BinaryIO) -> int:
        """Read all of a file, and return how much of it is new. Raises: BadLine."""
        new, lines = 0, self._lines(file)
        for page in _pages(lines.entries()):
            entries = [entry for _, said in page for entry in said]
            found = await self._find_imported(entries)
            missing = lines.outside - (await self._find_imported_by(lines.outside)).keys()
            lines.outside.clear()
            new += sum(entry.theirs not in found for entry in entries)
            for number, entry in ((number, entry) for number, said in page for entry in said):
                for theirs in sorted(missing & set(entry.refers.values())):
                    raise BadLine(number, f"{theirs} stands neither above nor was it imported before")
                if entry.theirs in found:
                    try:
                        imports.refuse_other(found[entry.theirs], entry)
                    except UnexpectedState as error:
                        raise BadLine(number, error.message) from error
        return new

    async def import_(self, file: BinaryIO) -> Report:
        """Import a file if all of it is right, and return what it comes to. Raises: ConfigurationError."""
        report = Report(imported=await self.check(file))
        await store.begin_import(self._connection, self._scope)
        lines = self._lines(file)
        for page in _pages(lines.entries()):
            entries = [entry for _, said in page for entry in said]
            outcome = await self._commands.carry_out(self._scope, ImportEntries(entries=tuple(entries)))
            if outcome.answer.error is not None:
                first, last = page[0][0], page[-1][0]
                raise ConfigurationError(f"lines {first} to {last}: {outcome.answer.error.message}")
            await self._compare(report, entries)
        report.left_out = dict(lines.left_out)
        return report

    def _lines(self, file: BinaryIO) -> Lines:
        return Lines(file, self._scope, self._clock.now_ms() // 1000)

    async def _find_imported(self, entries: Iterable[Entry]) -> dict[str, ImportedObject]:
        """Return what was imported of these, by the identifier of the older API."""
        return await self._find_imported_by(entry.theirs for entry in entries)

    async def _find_imported_by(self, theirs: Iterable[str]) -> dict[str, ImportedObject]:
        wanted = [imports.imported_id(self._scope, one) for one in theirs]
        found = await store.find_objects(self._connection, self._scope, wanted)
        return {one.theirs: one for one in found.values() if isinstance(one, ImportedObject)}

    async def _compare(self, report: Report, entries: Sequence[Entry]) -> None:
        """Add what entries say to the report, and what the database has of them, which is read anew."""
        imported = await self._find_imported(entries)
        ours = [one.ours for one in imported.values() if one.ours is not None]
        moved = [one.transfer for one in imported.values() if one.transfer is not None]
        objects = await store.find_objects(self._connection, self._scope, ours)
        transfers = {one.id: one for one in await store.find_transfers(self._connection, self._scope, moved)}
        for entry in entries:
            currency = "" if entry.opening is None else entry.opening.currency
            one = report.sums.setdefault((entry.type, currency), Sum())
            one.said += 1
            one.said_amount += _change(entry.opening)
            found = imported.get(entry.theirs)
            if found is None:
                continue
            transfer = None if found.transfer is None else transfers.get(found.transfer)
            made = None if transfer is None else imports.made_by(self._scope, transfer)
            one.found += (entry.object is None or found.ours in objects) and made == entry.opening
            one.found_amount += _change(made)


@asynccontextmanager
async def open_importer(
    settings: Settings, database_url: str, connection: Any, scope: Scope
) -> AsyncIterator[Importer]:
    """Return what imports into a mode of a tenant, with a writer beside those of servers."""
    clock = await database_clock(connection)
    async with AsyncExitStack() as stack:
        batches = PostgresBatches(database_settings(settings, database_url))
        stack.push_async_callback(batches.close)
        writer = Writer(batches, clock=clock)
        writer.start()
        stack.push_async_callback(writer.close)
        yield Importer(connection, writer, clock, scope)


def _pages(entries: Iterator[tuple[int, Sequence[Entry]]]) -> Iterator[_Page]:
    while page := list(islice(entries, limits.import_page_lines)):
        yield page


def _change(opening: Opening | None) -> int:
    return 0 if opening is None else opening.change
