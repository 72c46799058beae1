"""How events are shown: with the object as it was then, and with what changed."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import msgspec

from fastpay.api.context import Services
from fastpay.api.layout import Field, Mode, Shape, Slot
from fastpay.api.resource import Resource, Resources
from fastpay.domain import events, kinds
from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import StoredObject
from fastpay.engine.event_ports import Occurrence

# The version of the dialect that objects have the shape of.
API_VERSION = "2026-10-28.endive"


class EventData(TypedDict):
    """What an event shows: the object as it was then, and what it was before where that is told."""

    object: dict[str, Any]
    previous_attributes: NotRequired[dict[str, Any]]


# What `data` shows is rendered before, and fills the slot.
SHAPE: Shape = {
    "id": Field("id"),
    "object": "event",
    "api_version": API_VERSION,
    "created": Field("created"),
    "data": Slot("object_id", EventData),
    "livemode": Mode(),
    "pending_webhooks": Field("pending_webhooks"),
    "request": {"id": Field("request_id"), "idempotency_key": Field("idempotency_key")},
    "sequence": Field("sequence"),
    "type": Field("type"),
    "version": Field("version"),
}
EVENT = Resource(kinds.EVENT, struct=RecordedEvent, shape=SHAPE)


def render_event(event: RecordedEvent, shown: bytes, livemode: bool, previous: bytes | None = None) -> bytes:
    """Return the event in JSON. `shown` is its object as it was then, rendered.

    `previous` is the version before, rendered, of an object that was updated. The same event and objects give
    the same bytes at every delivery.
    """
    data = b'{"object":' + shown
    if previous is not None:
        before, after = msgspec.json.decode(previous), msgspec.json.decode(shown)
        data += b',"previous_attributes":' + msgspec.json.encode(events.previous_attributes(before, after))
    return EVENT.render_bytes(event, livemode, data + b"}")


async def render_occurrences(services: Services, scope: Scope, found: Sequence[Occurrence]) -> list[bytes]:
    """Return events in JSON."""
    resources, livemode = services.resources, scope.livemode
    by_type, bodies = resources.by_type, list[bytes]()
    special: list[tuple[int, Occurrence]] = []
    for occurrence in found:
        event, stored = occurrence.event, occurrence.object
        if event.type in events.BEFORE_MORE:
            stored = events.as_of(event.type, stored, occurrence.previous)
        resource = by_type[type(stored)]
        if event.type in events.SPECIAL or (resource.whole is not None and resource.whole.find(stored)):
            special.append((len(bodies), occurrence))
            bodies.append(b"")
        else:
            # Most events: nothing of them depends on more than the object.
            shown = b'{"object":%b}' % resource.render_bytes(stored, livemode)
            bodies.append(EVENT.render_bytes(event, livemode, shown))
    wanted = [
        (identifier, one.sequence)
        for _, one in special
        if (identifier := resources.of_object(one.object).whole_in(one.object)) is not None
    ]
    wholes = await services.events.load_at(scope, wanted) if wanted else {}
    for index, occurrence in special:
        bodies[index] = _render_special(resources, livemode, occurrence, wholes)
    return bodies


def render_alone(resources: Resources, livemode: bool, occurrence: Occurrence) -> bytes | None:
    """Return an event in JSON, None if an object that is not at hand is shown whole in it."""
    stored = occurrence.object
    if resources.of_object(stored).whole_in(stored) is not None:
        return None
    return _render_special(resources, livemode, occurrence, {})


def render_thin(resources: Resources, scope: Scope, found: Sequence[Occurrence]) -> list[bytes]:
    """Return events in JSON that show of their objects which they are, and nothing else."""
    bodies: list[bytes] = []
    for occurrence in found:
        event, stored = occurrence.event, occurrence.object
        is_source = event.type in events.SOURCES
        resource = resources.of_kind(kinds.SOURCE) if is_source else resources.of_object(stored)
        noun = resource.render(stored, scope.livemode)["object"]
        data = msgspec.json.encode({"object": {"id": stored.id, "object": noun}})
        bodies.append(EVENT.render_bytes(event, scope.livemode, data))
    return bodies


def _render_special(
    resources: Resources,
    livemode: bool,
    occurrence: Occurrence,
    wholes: Mapping[tuple[str, int], StoredObject],
) -> bytes:
    """Return one event, with what was before, and with what is shown whole in its object."""
    event, stored, before = occurrence.event, occurrence.object, occurrence.previous
    if event.type in events.DELETIONS and before is not None:
        stored = before
    stored = events.as_of(event.type, stored, before)
    if event.type in events.SOURCES:
        resource = resources.of_kind(kinds.SOURCE)
    elif event.type in events.CASH_BALANCES:
        resource = resources.of_kind(kinds.CASH_BALANCE)
    else:
        resource = resources.of_object(stored)
    inner = wholes.get((resource.whole_in(stored) or "", occurrence.sequence))
    whole = None if inner is None else resources.render_bytes(inner, livemode)
    previous = None
    if before is not None and event.type in events.UPDATES:
        previous = resource.render_bytes(before, livemode)
    return render_event(event, resource.render_bytes(stored, livemode, whole), livemode, previous)
