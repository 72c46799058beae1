"""Pages of events for who asks for a list: from a replica where it may answer.

Streams and deliveries of webhooks follow the sequence of the primary, and do not come here.
"""

from collections.abc import Callable

from fastpay.domain.identifiers import Scope
from fastpay.engine.event_ports import EventPage, EventRead, Events
from fastpay.engine.ports import ReaderStore
from fastpay.engine.read.reader import Reader


class ListedEvents:
    """Satisfies `EventLists`. `events_of` returns the events of a store that the reader may choose."""

    def __init__(self, reader: Reader, events_of: Callable[[ReaderStore], Events]) -> None:
        self._reader = reader
        self._events_of = events_of

    async def list(self, scope: Scope, page: EventPage) -> EventRead:
        """Return a page of events as `Events.list` does."""
        return await self._reader.choose(
            scope, lambda store: self._events_of(store).list(scope, page), lambda read: read.sequence
        )
