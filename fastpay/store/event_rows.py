"""Converts the rows of events to domain values: the columns of `select_events.sql`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from fastpay.domain import events
from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import Scope, placed
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.event_ports import Occurrence, StoredEvent
from fastpay.engine.relay.ports import Progress
from fastpay.store import rows

# The database compares with one after the other, so those that most events have come first.
SEEN = sorted(events.TYPES, key=lambda name: (name not in events.FREQUENT, name))
WITH_PREVIOUS = sorted(events.WITH_PREVIOUS)


class EventRows(NamedTuple):
    """Events, newest first, and the last number of the sequence: each by the ordinal of its tenant.

    The tenants `with_endpoints` have webhook endpoints, and they were wanted.
    """

    found: Mapping[int, Sequence[Occurrence]]
    sequences: Mapping[int, int]
    with_endpoints: Collection[int] = ()


class Wanted(NamedTuple):
    """Arguments of `load_events`, and the tenants in the order of their ordinals."""

    arguments: Sequence[object]
    scopes: Sequence[Scope]


def wanted(numbers: Sequence[tuple[Scope, int]], *, counts_pending: bool) -> Wanted:
    """Return what to ask for these numbers of the sequence."""
    scopes = list(dict.fromkeys(scope for scope, _ in numbers))
    ordinals = {scope: ordinal for ordinal, scope in enumerate(scopes, 1)}
    arguments = (
        *(WITH_PREVIOUS, counts_pending),
        *([scope.tenant_id for scope in scopes], [scope.livemode for scope in scopes]),
        *([scope.tenant_id for scope, _ in numbers], [scope.livemode for scope, _ in numbers]),
        *([ordinals[scope] for scope, _ in numbers], [number for _, number in numbers]),
        SEEN,
    )
    return Wanted(arguments, scopes)


def read(found: Iterable[rows.Row]) -> EventRows:
    """Return what the rows say.

    Where endpoints are among the rows, events count those that have not acknowledged them.
    """
    # A command often writes one version and several events: its snapshot is decoded once.
    decoded: dict[bytes, StoredObject] = {}
    occurrences: dict[int, list[Occurrence]] = {}
    sequences: dict[int, int] = {}
    endpoints: dict[int, list[Progress]] = {}
    with_endpoints: set[int] = set()
    # In the order of the columns: a page has a hundred rows, and names would be looked up in each.
    for (
        ordinal,
        last,
        sequence,
        event_id,
        name,
        version,
        request_id,
        created_s,
        as_of,
        kind,
        snapshot,
        before,
    ) in found:
        if sequence is None:
            # Those of books and endpoints come before all events.
            if last is not None:
                sequences[ordinal], occurrences[ordinal] = last, []
                if version is not None:
                    with_endpoints.add(ordinal)
            else:
                with_endpoints.add(ordinal)
                endpoints.setdefault(ordinal, []).append(progress(kind, snapshot, as_of, name))
            continue
        stored = decoded.get(snapshot)
        if stored is None:
            stored = decoded[snapshot] = rows.stored(kind, snapshot)
        pending = 0
        if endpoints:
            for one in endpoints.get(ordinal, ()):
                pending += one.awaits(name, stored.id, sequence)
        event = RecordedEvent(
            id=placed("evt", event_id.bytes, sequence),
            type=name,
            created=created_s,
            sequence=sequence,
            object_id=stored.id,
            version=version,
            request_id=request_id or None,
            pending_webhooks=pending,
        )
        previous = None if before is None else rows.stored(kind, before)
        occurrences[ordinal].append(Occurrence(event, stored, previous, as_of))
    return EventRows(occurrences, sequences, with_endpoints)


def versioned(occurrence: Occurrence) -> Versioned:
    """Return an event as it is read by its identifier."""
    event = occurrence.event
    stored = StoredEvent(id=event.id, created=event.created, occurrence=occurrence)
    return Versioned(stored, event.version, event.sequence)


def progress(kind: int, snapshot: bytes, position: int | None, parked: str | None) -> Progress:
    """Return how far an endpoint is."""
    endpoint = rows.stored(kind, snapshot)
    assert isinstance(endpoint, WebhookEndpoint)
    begun = endpoint.start_after_sequence if position is None else position
    return Progress(endpoint, begun, frozenset(map(int, (parked or "").split())))
