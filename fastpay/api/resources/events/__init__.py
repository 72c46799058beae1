"""Events: what happened to an object, with the object as it was then."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay._native.cache import CachedResponse
from fastpay.api import answers
from fastpay.api.cached_responses import response_of
from fastpay.api.common_params import NoParams, refuse_together, told
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import OLDEST_FIRST, absent, created_seconds, cursors, cut
from fastpay.api.reads import Retrieve, kept_response, reply_with
from fastpay.api.resource import Resources
from fastpay.api.resources.events.pending import list_by_delivery
from fastpay.api.resources.events.shape import EVENT, render_alone, render_occurrences
from fastpay.api.resources.events.stream import (
    STREAM_TYPE,
    last_event_id,
    open_stream,
    read_following,
    wants_stream,
)
from fastpay.api.routes import Contract, Policy, Route
from fastpay.domain import events, kinds
from fastpay.domain.plan import Versioned
from fastpay.engine.event_ports import EventPage, Occurrence, StoredEvent
from fastpay.errors import InvalidRequest

_SEQUENCE_MAX = 2**48
_ABOVE_ALL = _SEQUENCE_MAX

EventType = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.name_chars_max,
        pattern=r"^(?:[a-z0-9_]+\.)*(?:[a-z0-9_]+|\*)$(?!\n)",
        extra=told("a type of events, for example charge.refunded, or a group of them, charge.*"),
    ),
]
Sequence48 = Annotated[int, Meta(ge=0, lt=_SEQUENCE_MAX)]


class EventListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events: of some types, or all that follow a number of the sequence."""

    after_sequence: Sequence48 | UnsetType = UNSET
    delivery_success: bool | UnsetType = UNSET
    type: EventType | UnsetType = UNSET
    types: Annotated[tuple[EventType, ...], Meta(max_length=limits.event_types_max)] = ()


class RetrieveEvent(Retrieve[NoParams]):
    """The endpoint that shows one event."""

    def __init__(self) -> None:
        super().__init__(EVENT, NoParams)

    def render(
        self, resources: Resources, path: str, versioned: Versioned, livemode: bool
    ) -> CachedResponse | None:
        """Return the answer, None if it shows an object that has to be read."""
        assert isinstance(versioned.object, StoredEvent)
        body = render_alone(resources, livemode, versioned.object.occurrence)
        return None if body is None else response_of(path, versioned.version, body)

    async def answer(self, call: Call) -> Reply:
        """Show the event. Raises: NotFound."""
        identifier = kinds.check(kinds.EVENT, call.arguments["id"])
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, EVENT, params.expand)
        call.ended("decode")
        found = await call.services.reader.get(call.scope, identifier)
        call.ended("read")
        if found is None:
            raise kinds.absent(kinds.EVENT, identifier)
        response = kept_response(call, found)
        if response is None:
            assert isinstance(found.object, StoredEvent)
            (body,) = await render_occurrences(call.services, call.scope, [found.object.occurrence])
            response = response_of(call.path.removesuffix(identifier), found.version, body)
        return reply_with(call, found, response)


class ListEvents:
    """The endpoint that shows a page of events, newest first; with `after_sequence`, in their order."""

    policy = Policy()
    contract = Contract(
        EventListParams,
        EVENT,
        "list",
        numbers=("after_sequence", "through_sequence"),
        media_types=(STREAM_TYPE,),
    )

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: InvalidRequest."""
        params = decode_query(EventListParams, call.query)
        answers.check_expansions(call, EVENT, params.expand, listed=True)
        call.ended("decode")
        if wants_stream(call):
            return await self._stream(call, params)
        if not isinstance(params.after_sequence, UnsetType):
            return await self._follow(call, params, params.after_sequence)
        below, above = await cursors(params, partial(require_event, call), lowest=0, highest=_ABOVE_ALL)
        ascending = above > 0 or bool(call.asgi.get(OLDEST_FIRST))
        page = _page(params, below=below, above=above, ascending=ascending)
        success = params.delivery_success
        if isinstance(success, UnsetType):
            lists = call.services.listed_events or call.services.events
            found, _, is_complete = await lists.list(call.scope, page)
        else:
            found, is_complete = await list_by_delivery(call, page, is_delivered=success)
        found, has_more = cut(found, page)
        call.ended("read")
        return await self._show(call, found, {}, has_more=has_more or not is_complete)

    async def _follow(self, call: Call, params: EventListParams, after: int) -> Reply:
        """Show the events that follow a number, and up to which number there are no others.

        Changes that clients do not see have numbers as well. So the page says what it covers: everything
        behind `after_sequence` up to `through_sequence`.
        """
        if not isinstance(params.ending_before, UnsetType):
            raise refuse_together("after_sequence", "ending_before")
        if not isinstance(params.starting_after, UnsetType):
            after = max(after, await require_event(call, params.starting_after, "starting_after"))
        below = after + limits.event_numbers_examined_max + 1
        page = _page(params, below=below, above=after, ascending=True)
        found, through, end = await read_following(call.services, call.scope, after, page)
        call.ended("read")
        covered = {"after_sequence": after, "through_sequence": through}
        success = params.delivery_success
        if not isinstance(success, UnsetType):
            found = [one for one in found if (not one.event.pending_webhooks) is success]
        return await self._show(call, found, covered, has_more=through < end)

    async def _stream(self, call: Call, params: EventListParams) -> Reply:
        """Follow the events. A client that comes back says in a header where it was, and repeats the rest."""
        for name in ("created", "delivery_success", "ending_before", "starting_after"):
            if not isinstance(getattr(params, name), UnsetType):
                raise InvalidRequest(
                    f"A stream does not take {name}. Give after_sequence, or the header Last-Event-ID.",
                    param=name,
                )
        after = last_event_id(call)
        if after is None and not isinstance(params.after_sequence, UnsetType):
            after = params.after_sequence
        return await open_stream(call, after, _types(params))

    async def _show(
        self, call: Call, found: Sequence[Occurrence], covered: dict[str, int], *, has_more: bool
    ) -> Reply:
        items = [msgspec.Raw(body) for body in await render_occurrences(call.services, call.scope, found)]
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
        counts_pending=True,
    )


def _types(params: EventListParams) -> frozenset[str]:
    """Return the types to show. A type that never happens here has no events. Raises: InvalidRequest."""
    if isinstance(params.type, UnsetType):
        wanted = map(events.matching, params.types)
        return frozenset().union(*wanted) if params.types else events.TYPES
    if params.types:
        raise refuse_together("type", "types")
    return events.matching(params.type)


async def require_event(call: Call, identifier: str, param: str) -> int:
    """Return the number of the event that a parameter names. Raises: InvalidRequest."""
    reader = call.services.reader
    found = await reader.get(call.scope, identifier) if kinds.could_be(kinds.EVENT, identifier) else None
    if found is None:
        raise absent(kinds.EVENT, identifier, param)
    return found.sequence


RESOURCES = (EVENT,)
ROUTES = (
    Route("GET", "/v1/events", ListEvents()),
    Route("GET", "/v1/events/{id}", RetrieveEvent()),
)
