"""Which events have not been acknowledged by every webhook endpoint that is to get them.

The relay keeps no row for a delivery that went well: an endpoint has acknowledged everything up to its
position, but for its exceptions. So a page of events takes one statement, and the search for events that are
pending begins at the exceptions.
"""

from collections.abc import Sequence

import msgspec

from fastpay import limits
from fastpay.api.context import Call
from fastpay.domain.webhook_endpoints import PING
from fastpay.engine.event_ports import EventPage, EventRead, Occurrence
from fastpay.engine.relay.ports import Progress


async def with_pending(call: Call, found: Sequence[Occurrence]) -> Sequence[Occurrence]:
    """Return events that say how many endpoints have not acknowledged them."""
    deliveries = call.services.deliveries
    if deliveries is None or not found:
        return found
    progress = await deliveries.progress(call.scope, [one.event.sequence for one in found])
    return [_counted(one, progress) for one in found] if progress else found


async def list_by_delivery(call: Call, page: EventPage, *, is_delivered: bool) -> EventRead:
    """Return a page of the events that every endpoint has acknowledged, or of the others, counted.

    How many events are looked at is bounded: `is_complete` is False if there may be more.
    """
    services, scope = call.services, call.scope
    deliveries = services.deliveries
    progress = [] if deliveries is None else await deliveries.progress(scope, ())
    page = _narrowed(page, progress, is_delivered=is_delivered)
    kept: list[Occurrence] = []
    sequence = 0
    wanted = page.limit + 1
    # Above the least position any event may be pending. Below it only the exceptions are.
    passed = 0 if is_delivered else min((one.position for one in progress), default=0)
    parked: Sequence[int] = ()
    if passed and deliveries is not None:
        parked = await deliveries.parked(scope, below=min(page.below, passed + 1), above=page.above)
    for _ in range(wanted + limits.event_scans_max):
        part = _next_part(page, passed, parked)
        read = await services.events.list(scope, part)
        sequence = read.sequence
        counted = await with_pending(call, read.found)
        chosen = [one for one in counted if (not one.event.pending_webhooks) is is_delivered]
        kept = [*chosen, *kept] if page.ascending else [*kept, *chosen]
        if len(kept) >= wanted:
            return EventRead(kept[-wanted:] if page.ascending else kept[:wanted], sequence)
        if len(read.found) <= part.limit:
            return EventRead(kept, sequence, is_complete=read.is_complete)
        if page.ascending:
            page = msgspec.structs.replace(page, above=read.found[0].event.sequence)
        else:
            page = msgspec.structs.replace(page, below=read.found[-1].event.sequence)
    return EventRead(kept, sequence, is_complete=False)


def _narrowed(page: EventPage, progress: Sequence[Progress], *, is_delivered: bool) -> EventPage:
    """Return the page without events that are surely not among those asked for."""
    if is_delivered:
        # Behind the position of an endpoint that wants all of these types, nothing is delivered. Pings of
        # other endpoints may be, and are found once the position has passed them.
        types = page.types - {PING}
        whole = [one.position for one in progress if types <= one.endpoint.wanted_types()]
        return msgspec.structs.replace(page, below=min((page.below, *(position + 1 for position in whole))))
    wanted = frozenset().union(*(one.endpoint.wanted_types() | {PING} for one in progress))
    return msgspec.structs.replace(page, types=page.types & wanted)


def _next_part(page: EventPage, passed: int, parked: Sequence[int]) -> EventPage:
    """Return what to read next: a whole page where any event may be wanted, or one exception."""
    replace, most = msgspec.structs.replace, limits.page_size_max
    if page.ascending:
        first = min((number for number in parked if number > page.above), default=passed + 1)
        if page.above >= passed or first > passed:
            return replace(page, limit=most, above=max(page.above, passed))
        return replace(page, limit=1, above=first - 1)
    if page.below > passed + 1:
        return replace(page, limit=most)
    last = max((number for number in parked if number < page.below), default=page.above)
    return replace(page, limit=1, below=last + 1)


def _counted(occurrence: Occurrence, progress: Sequence[Progress]) -> Occurrence:
    event = occurrence.event
    count = sum(
        1
        for one in progress
        if (event.sequence > one.position or event.sequence in one.parked)
        and one.endpoint.wants(event.type, event.object_id)
    )
    if not count:
        return occurrence
    return msgspec.structs.replace(occurrence, event=msgspec.structs.replace(event, pending_webhooks=count))
