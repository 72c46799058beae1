"""A tenant's events, read along its sequence."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastpay import limits
from fastpay.domain import events
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.objects import StoredObject
from fastpay.engine.event_ports import EventPage, EventRead, Occurrence
from fastpay.store import event_rows, rows
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_LATEST_S = int(_LATEST.timestamp())


class PostgresEvents:
    """Satisfies `Events`."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads
        # Those that had no webhook endpoints at the last look: their pages are read without them first.
        self._without_endpoints: set[Scope] = set()

    async def list(self, scope: Scope, page: EventPage) -> EventRead:
        """Return a page of events, newest first. The extra one tells that there are more.

        A page of a tenant whose events clients mostly do not see may end before it is full: `is_complete`
        is False then.
        """
        below, above = await self._bounds(scope, page)
        found: list[Occurrence] = []
        sequence = 0
        for _ in range(limits.event_scans_max):
            rows_max = page.limit + 1 - len(found)
            more, sequence = await self._scan(scope, page, below=below, above=above, rows_max=rows_max)
            found = [*more, *found] if page.ascending else [*found, *more]
            if page.ascending:
                above += limits.event_numbers_examined_max
            else:
                below = min(below, sequence + 1) - limits.event_numbers_examined_max
            is_through = above + 1 >= min(below, sequence + 1)
            if is_through or len(more) == rows_max or _is_rare(page):
                return EventRead(found, sequence)
        return EventRead(found, sequence, is_complete=False)

    async def _scan(
        self, scope: Scope, page: EventPage, *, below: int, above: int, rows_max: int
    ) -> tuple[Sequence[Occurrence], int]:
        """Return the first events between two numbers, and the last number of the sequence."""
        # What is along the sequence anyway needs no second look.
        is_rare = _is_rare(page)
        arguments = (
            *(event_rows.WITH_PREVIOUS, page.counts_pending, *scope, below, above, rows_max),
            event_rows.SEEN if page.types is events.TYPES else sorted(page.types),
            *(_moment(page.since_s, _EARLIEST), _moment(page.until_s, _LATEST)),
            *(() if is_rare else (limits.event_numbers_examined_max,)),
        )
        name, direction = "list_rare_events" if is_rare else "list_events", "up" if page.ascending else "down"
        read = None
        if not page.counts_pending or scope in self._without_endpoints:
            found = await self._reads.fetch_for(scope, SQL[f"{name}_{direction}"], *arguments)
            read = event_rows.read(found)
        if read is None or read.with_endpoints:
            found = await self._reads.fetch_for(scope, SQL[f"{name}_with_endpoints_{direction}"], *arguments)
            read = event_rows.read(found)
            self._note_endpoints(scope, bool(read.with_endpoints))
        return read.found.get(1, ()), read.sequences.get(1, 0)

    def _note_endpoints(self, scope: Scope, has_some: bool) -> None:
        if has_some:
            self._without_endpoints.discard(scope)
        elif len(self._without_endpoints) < limits.cached_scopes_max:
            self._without_endpoints.add(scope)

    async def find(
        self, scope: Scope, numbers: Sequence[int], *, counts_pending: bool = False
    ) -> Sequence[Occurrence]:
        """Return those of the events with these numbers that clients see, newest first."""
        wanted = event_rows.wanted([(scope, number) for number in numbers], counts_pending=counts_pending)
        found = await self._reads.fetch_for(scope, SQL["load_events"], *wanted.arguments)
        return event_rows.read(found).found.get(1, ())

    async def load_at(
        self, scope: Scope, wanted: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], StoredObject]:
        """Return objects by their identifiers, each as of a number of the sequence."""
        found = await self._reads.fetch_for(
            scope,
            SQL["load_objects_as_of"],
            *scope,
            [digits(identifier) for identifier, _ in wanted],
            [sequence for _, sequence in wanted],
        )
        return {wanted[row["number"] - 1]: rows.stored(row["kind"], row["snapshot"]) for row in found}

    async def _bounds(self, scope: Scope, page: EventPage) -> tuple[int, int]:
        """Return the bounds in the sequence, narrowed to where events of the wanted time can be.

        Events are not quite in the order of their times. But a command is written at most `creation_ms_max`
        after its time, and at most `clock_skew_ms_max` before it, and what is written later comes later.
        """
        below, above = page.below, page.above
        slack_ms = limits.creation_ms_max + limits.clock_skew_ms_max
        if page.since_s is not None:
            above = max(above, await self._sequence_at(scope, page.since_s * 1000 - slack_ms - 1))
        if page.until_s is not None:
            below = min(below, 1 + await self._sequence_at(scope, page.until_s * 1000 + slack_ms))
        return below, above

    async def _sequence_at(self, scope: Scope, moment_ms: int) -> int:
        moment_ms = min(max(moment_ms, 0), _LATEST_S * 1000)
        found = await self._reads.fetch_for(scope, SQL["find_sequence"], *scope, moment_ms)
        return int(found[0]["sequence"])


def _is_rare(page: EventPage) -> bool:
    return not page.types & events.FREQUENT


def _moment(second: int | None, otherwise: datetime) -> datetime:
    if second is None:
        return otherwise
    return datetime.fromtimestamp(min(max(second, 0), _LATEST_S), UTC)
