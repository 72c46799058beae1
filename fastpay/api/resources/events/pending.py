"""Lists of events by whether every webhook endpoint that is to get them has acknowledged them.

The relay keeps no row for a delivery that went well: an endpoint has acknowledged everything up to its
position, but for its exceptions. So above the least position of all endpoints any event may be pending, and
pages of events are looked through. Up to there only exceptions are pending, and are read by their numbers.
"""

from collections.abc import Sequence

import msgspec

from fastpay import limits
from fastpay.api.context import Call
from fastpay.domain.webhook_endpoints import PING
from fastpay.engine.event_ports import EventPage, Occurrence
from fastpay.engine.relay.ports import Progress

# Events newest first, and whether there are surely no others. The extra one tells that there are more.
_Found = tuple[Sequence[Occurrence], bool]


async def list_by_delivery(call: Call, page: EventPage, *, is_delivered: bool) -> _Found:
    """Return a page of the events that every endpoint has acknowledged, or of the others.

    How many events are looked at is bounded: False says that there may be more.
    """
    deliveries, progress = call.services.deliveries, list[Progress]()
    if deliveries is not None:
        progress += await deliveries.progress(call.scope, below=page.below, above=page.above)
    if is_delivered:
        return await _look_through(call, _perhaps_delivered(page, progress), is_delivered=True)
    return await _list_pending(call, _perhaps_pending(page, progress), progress)


async def _list_pending(call: Call, page: EventPage, progress: Sequence[Progress]) -> _Found:
    passed = min((one.position for one in progress), default=page.below)
    above_it = msgspec.structs.replace(page, above=max(page.above, passed))
    parked = sorted({number for one in progress for number in one.parked if number <= passed})
    if page.ascending:
        lower, is_complete = await _load_pending(call, page, parked)
        if not is_complete or len(lower) > page.limit:
            return lower, is_complete
        upper, is_complete = await _look_through(call, above_it, is_delivered=False)
    else:
        upper, is_complete = await _look_through(call, above_it, is_delivered=False)
        if not is_complete or len(upper) > page.limit:
            return upper, is_complete
        lower, is_complete = await _load_pending(call, page, parked[::-1])
    return _nearest([*upper, *lower], page), is_complete


async def _look_through(call: Call, page: EventPage, *, is_delivered: bool) -> _Found:
    """Return events from pages that are read one after the other."""
    events, kept = call.services.events, list[Occurrence]()
    part = msgspec.structs.replace(page, limit=limits.page_size_max, counts_pending=True)
    for _ in range(limits.event_scans_max):
        read = await events.list(call.scope, part)
        chosen = [one for one in read.found if (not one.event.pending_webhooks) is is_delivered]
        kept = [*chosen, *kept] if page.ascending else [*kept, *chosen]
        if len(kept) > page.limit:
            return _nearest(kept, page), True
        if len(read.found) <= part.limit:
            return kept, read.is_complete
        if page.ascending:
            part = msgspec.structs.replace(part, above=read.found[0].event.sequence)
        else:
            part = msgspec.structs.replace(part, below=read.found[-1].event.sequence)
    return kept, False


async def _load_pending(call: Call, page: EventPage, numbers: Sequence[int]) -> _Found:
    """Return those of the exceptions that are on the page. `numbers` are nearest to its beginning first."""
    kept, size = list[Occurrence](), limits.page_size_max
    for start in range(0, len(numbers), size):
        if start >= size * limits.event_scans_max:
            return kept, False
        part = numbers[start : start + size]
        found = await call.services.events.find(call.scope, part, counts_pending=True)
        chosen = [one for one in found if one.event.pending_webhooks and page.has(one.event)]
        kept = [*chosen, *kept] if page.ascending else [*kept, *chosen]
        if len(kept) > page.limit:
            return _nearest(kept, page), True
    return kept, True


def _nearest(found: Sequence[Occurrence], page: EventPage) -> Sequence[Occurrence]:
    """Return the first events of a page, and the extra one."""
    return found[-page.limit - 1 :] if page.ascending else found[: page.limit + 1]


def _perhaps_delivered(page: EventPage, progress: Sequence[Progress]) -> EventPage:
    """Return the page without events that are surely pending."""
    # Behind the position of an endpoint that wants all of these types, nothing is delivered. Pings of other
    # endpoints may be, and are found once the position has passed them.
    types = page.types - {PING}
    whole = [one.position for one in progress if types <= one.endpoint.wanted_types()]
    return msgspec.structs.replace(page, below=min((page.below, *(position + 1 for position in whole))))


def _perhaps_pending(page: EventPage, progress: Sequence[Progress]) -> EventPage:
    """Return the page without events that no endpoint wants."""
    wanted = frozenset().union(*(one.endpoint.wanted_types() | {PING} for one in progress))
    return msgspec.structs.replace(page, types=page.types & wanted)
