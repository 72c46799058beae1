"""The events of tenants as they are delivered, read along the sequence and rendered once for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits
from fastpay.engine.event_ports import EventPage, Events, Occurrence
from fastpay.engine.relay.progress import Logged


class Form(msgspec.Struct, frozen=True):
    """How an endpoint wants to have its events rendered."""

    payload: str = "full"
    api_version: str | None = None


# Returns events in JSON, the same bytes at every call.
Render = Callable[[Scope, Sequence[Occurrence], Form], Awaitable[list[bytes]]]


class LogPage(NamedTuple):
    """The wanted events above a number up to `through`. `end` is the last number of the sequence."""

    events: Sequence[Logged]
    through: int
    end: int


class EventLog:
    """Reads events for endpoints. Endpoints that want the same at the same time share a read."""

    def __init__(self, events_port: Events, render: Render) -> None:
        self._events = events_port
        self._render = render
        self._reads: dict[tuple[Scope, int, frozenset[str], Form, int], asyncio.Task[LogPage]] = {}
        self.reads = 0

    async def read(
        self,
        scope: Scope,
        after: int,
        types: frozenset[str],
        form: Form,
        *,
        limit: int = limits.relay_page_events,
    ) -> LogPage:
        """Return the events of these types that follow a number, a page at most.

        Raises: DatabaseUnavailable, Overloaded.
        """
        key = (scope, after, types, form, limit)
        task = self._reads.get(key)
        if task is None:
            self.reads += 1
            task = self._reads[key] = asyncio.create_task(self._read(*key), name="relay read")
            task.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(task)

    async def read_one(self, scope: Scope, sequence: int, form: Form) -> Logged | None:
        """Return the event with this number, None if clients do not see it.

        Raises: DatabaseUnavailable, Overloaded.
        """
        self.reads += 1
        found = await self._events.find(scope, [sequence])
        return next(iter(await self._logged(scope, found, form)), None)

    async def previous(self, scope: Scope, sequence: int, types: frozenset[str]) -> int:
        """Return the number of the last event of these types below a number, 0 if there is none."""
        below = sequence
        while types and below > 1:
            self.reads += 1
            page = EventPage(limit=1, below=below, above=0, types=types)
            read = await self._events.list(scope, page)
            if read.found:
                return read.found[0].event.sequence
            if read.is_complete:
                break
            below -= limits.event_numbers_examined_max * limits.event_scans_max
        return 0

    async def _read(self, scope: Scope, after: int, types: frozenset[str], form: Form, limit: int) -> LogPage:
        page = EventPage(
            limit=limit,
            below=after + limits.event_numbers_examined_max + 1,
            above=after,
            ascending=True,
            types=types,
        )
        read = await self._events.list(scope, page)
        found = read.found[::-1]
        through = max(after, min(page.below - 1, read.sequence))
        if len(found) > page.limit:
            found = found[: page.limit]
            through = found[-1].event.sequence
        return LogPage(await self._logged(scope, found, form), through, read.sequence)

    async def _logged(self, scope: Scope, found: Sequence[Occurrence], form: Form) -> list[Logged]:
        if not found:
            return []
        bodies = await self._render(scope, found, form)
        return [
            Logged(event.sequence, event.id, event.type, digits(event.object_id), body, event.request_id)
            for event, body in zip((one.event for one in found), bodies, strict=True)
        ]

    def _forget(
        self, key: tuple[Scope, int, frozenset[str], Form, int], task: "asyncio.Task[LogPage]"
    ) -> None:
        del self._reads[key]
        if not task.cancelled():
            # If every endpoint is gone, nobody else looks at the error.
            task.exception()
