"""What the API reads of a tenant's events."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol

import msgspec

from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import StoredObject


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """An event with the version of its object that its command wrote, and for some types the one before.

    `sequence` is that of the version: what belongs to the object is shown as of it.
    """

    event: RecordedEvent
    object: StoredObject
    previous: StoredObject | None
    sequence: int


class StoredEvent(StoredObject, frozen=True, gc=False, kw_only=True):
    """An event as it is read by its identifier. It never changes, but for the count of pending webhooks."""

    prefix: ClassVar[str] = "evt"
    noun: ClassVar[str] = "event"

    occurrence: Occurrence

    @property
    def is_pending(self) -> bool:
        """Whether the count may change with no commit of the tenant: when a delivery goes well."""
        return self.occurrence.event.pending_webhooks > 0


class EventPage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which events are wanted: strictly between two numbers of the sequence, newest first.

    `ascending` asks for those nearest above `above`, still newest first. `types` are the types that are
    shown. Events were created at `since_s` or later and before `until_s`; None does not bound them. With
    `counts_pending` events say how many endpoints have not acknowledged them.
    """

    limit: int
    below: int
    above: int
    types: frozenset[str]
    ascending: bool = False
    since_s: int | None = None
    until_s: int | None = None
    counts_pending: bool = False

    def has(self, event: RecordedEvent) -> bool:
        """Tell whether an event between the two numbers is wanted."""
        return (
            event.type in self.types
            and (self.since_s is None or event.created >= self.since_s)
            and (self.until_s is None or event.created < self.until_s)
        )


class EventRead(NamedTuple):
    """Up to one event more than the page's limit, and the last number of the sequence as of that moment.

    If the read is not complete, there may be more events than it found.
    """

    found: Sequence[Occurrence]
    sequence: int
    is_complete: bool = True


class EventLists(Protocol):
    """Pages of a tenant's events."""

    async def list(self, scope: Scope, page: EventPage) -> EventRead:
        """Return a page of events, newest first. The extra one tells that there are more."""


class Events(Protocol):
    """The events of tenants. Those of other tenants do not exist for the caller."""

    async def list(self, scope: Scope, page: EventPage) -> EventRead:
        """Return a page of events, newest first. The extra one tells that there are more."""

    async def find(
        self, scope: Scope, numbers: Sequence[int], *, counts_pending: bool = False
    ) -> Sequence[Occurrence]:
        """Return those of the events with these numbers that clients see, newest first."""

    async def load_at(
        self, scope: Scope, wanted: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], StoredObject]:
        """Return objects by their identifiers, each as of a number of the sequence."""
