"""Events: what happened to an object, with the object as it was then."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import answers
from fastpay.api.common_params import NoParams, refuse_together
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.etags import tag
from fastpay.api.layout import Field, Mode, Shape, Slot
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import absent, created_seconds, cursors, cut
from fastpay.api.resource import Resource
from fastpay.api.routes import Policy, Route
from fastpay.domain import events, kinds
from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import position_of
from fastpay.domain.objects import StoredObject
from fastpay.engine.event_ports import EventPage, Occurrence

# The version of the dialect that objects have the shape of.
API_VERSION = "2026-10-28.endive"
_SEQUENCE_MAX = 2**48
_ABOVE_ALL = _SEQUENCE_MAX

EventType = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.name_chars_max,
        pattern=r"^(?:[a-z0-9_]+\.)*(?:[a-z0-9_]+|\*)$(?!\n)",
    ),
]
Sequence48 = Annotated[int, Meta(ge=0, lt=_SEQUENCE_MAX)]


class EventListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events: of some types, or all that follow a number of the sequence."""

    after_sequence: Sequence48 | UnsetType = UNSET
    delivery_success: bool | UnsetType = UNSET
    type: EventType | UnsetType = UNSET
    types: Annotated[tuple[EventType, ...], Meta(max_length=limits.event_types_max)] = ()


# What `data` shows is rendered before, and fills the slot.
SHAPE: Shape = {
    "id": Field("id"),
    "object": "event",
    "api_version": API_VERSION,
    "created": Field("created"),
    "data": Slot("object_id"),
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


class RetrieveEvent:
    """The endpoint that shows one event."""

    policy = Policy()

    async def answer(self, call: Call) -> Reply:
        """Show the event. Raises: NotFound."""
        identifier = kinds.check(kinds.EVENT, call.arguments["id"])
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, EVENT, params.expand)
        found = await _find(call, identifier)
        if found is None:
            raise kinds.absent(kinds.EVENT, identifier)
        (body,) = await _render(call, [found])
        return Reply(body=body, etag=tag(found.event.version, body))


class ListEvents:
    """The endpoint that shows a page of events, newest first; with `after_sequence`, in their order."""

    policy = Policy()

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: InvalidRequest."""
        params = decode_query(EventListParams, call.query)
        answers.check_expansions(call, EVENT, params.expand, listed=True)
        call.ended("decode")
        if not isinstance(params.after_sequence, UnsetType):
            return await self._follow(call, params, params.after_sequence)
        below, above = await cursors(params, partial(_cursor, call), lowest=0, highest=_ABOVE_ALL)
        page = _page(params, below=below, above=above, ascending=above > 0)
        read = await call.services.events.list(call.scope, page)
        call.ended("read")
        found, has_more = cut(read.found, page)
        return await self._show(call, found, {}, has_more=has_more)

    async def _follow(self, call: Call, params: EventListParams, after: int) -> Reply:
        """Show the events that follow a number, and up to which number there are no others.

        Changes that clients do not see have numbers as well. So the page says what it covers: everything
        behind `after_sequence` up to `through_sequence`.
        """
        if not isinstance(params.ending_before, UnsetType):
            raise refuse_together("after_sequence", "ending_before")
        if not isinstance(params.starting_after, UnsetType):
            after = max(after, await _cursor(call, params.starting_after, "starting_after"))
        last_examined = after + limits.event_numbers_examined_max
        page = _page(params, below=last_examined + 1, above=after, ascending=True)
        found, sequence = await call.services.events.list(call.scope, page)
        call.ended("read")
        found = found[::-1]
        through = max(after, min(last_examined, sequence))
        has_more = through < sequence
        if len(found) > page.limit:
            found, has_more = found[: page.limit], True
            through = found[-1].event.sequence
        covered = {"after_sequence": after, "through_sequence": through}
        return await self._show(call, found, covered, has_more=has_more)

    async def _show(
        self, call: Call, found: Sequence[Occurrence], covered: dict[str, int], *, has_more: bool
    ) -> Reply:
        items = [msgspec.Raw(body) for body in await _render(call, found)]
        return Reply(body=answers.encode({**render_list(call.path, items, has_more), **covered}))


def _page(params: EventListParams, *, below: int, above: int, ascending: bool) -> EventPage:
    since_s, until_s = None, None
    if not isinstance(params.created, UnsetType):
        since_s, until_s = created_seconds(params.created)
    return EventPage(
        limit=params.limit,
        below=below,
        above=above,
        ascending=ascending,
        types=_types(params),
        since_s=since_s,
        until_s=until_s,
    )


def _types(params: EventListParams) -> frozenset[str]:
    """Return the types to show. A type that never happens here has no events. Raises: InvalidRequest."""
    if params.delivery_success is False:
        # No event waits for a delivery: there are no webhooks yet.
        return frozenset()
    if isinstance(params.type, UnsetType):
        return frozenset(params.types) & events.TYPES if params.types else events.TYPES
    if params.types:
        raise refuse_together("type", "types")
    return events.matching(params.type)


async def _cursor(call: Call, identifier: str, param: str) -> int:
    """Return the number of an event, which must exist."""
    found = await _find(call, identifier) if kinds.could_be(kinds.EVENT, identifier) else None
    if found is None:
        raise absent(kinds.EVENT, identifier, param)
    return found.event.sequence


async def _find(call: Call, identifier: str) -> Occurrence | None:
    """Return an event by its identifier, which says its number."""
    sequence, _ = position_of(identifier)
    page = EventPage(limit=1, below=sequence + 1, above=sequence - 1, types=events.TYPES)
    found = (await call.services.events.list(call.scope, page)).found
    return next((one for one in found if one.event.id == identifier), None)


async def _render(call: Call, found: Sequence[Occurrence]) -> list[bytes]:
    """Return events in JSON."""
    resources, livemode = call.services.resources, call.scope.livemode
    wanted = [
        (identifier, sequence)
        for _, stored, _, sequence in found
        if (identifier := resources.of_object(stored).whole_in(stored)) is not None
    ]
    wholes = await call.services.events.load_at(call.scope, wanted) if wanted else {}
    bodies: list[bytes] = []
    for occurrence in found:
        event, stored, previous, _ = occurrence
        if previous is None and not wholes and event.type not in events.SPECIAL:
            # Most events: nothing of them depends on more than the object.
            shown = resources.of_object(stored).render_bytes(stored, livemode)
            bodies.append(render_event(event, shown, livemode))
        else:
            bodies.append(_render_special(call, occurrence, wholes))
    return bodies


def _render_special(
    call: Call, occurrence: Occurrence, wholes: Mapping[tuple[str, int], StoredObject]
) -> bytes:
    """Return one event, with what was before, and with what is shown whole in its object."""
    resources, livemode = call.services.resources, call.scope.livemode
    event, stored, before, sequence = occurrence
    if event.type in events.DELETIONS and before is not None:
        stored = before
    stored = events.as_of(event.type, stored)
    resource = resources.of_object(stored)
    inner = wholes.get((resource.whole_in(stored) or "", sequence))
    whole = None if inner is None else resources.render_bytes(inner, livemode)
    previous = None
    if before is not None and event.type in events.UPDATES:
        previous = resource.render_bytes(before, livemode)
    if events.is_automatic(event.type, stored):
        event = msgspec.structs.replace(event, request_id=None)
    return render_event(event, resource.render_bytes(stored, livemode, whole), livemode, previous)


RESOURCES = (EVENT,)
ROUTES = (
    Route("GET", "/v1/events", ListEvents()),
    Route("GET", "/v1/events/{id}", RetrieveEvent()),
)
