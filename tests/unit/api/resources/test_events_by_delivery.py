"""Lists of events by their deliveries, against the same done by hand."""

import asyncio
import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from fastpay import limits
from fastpay.api.context import Call
from fastpay.api.resources.events.pending import list_by_delivery
from fastpay.domain import events
from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import Customer
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.event_ports import EventPage, EventRead, Occurrence
from fastpay.engine.relay.ports import Progress

LAST = 40
ABOVE_ALL = 1 << 48
TYPES = ("charge.succeeded", "customer.created", "customer.updated", "payment_intent.created")
CUSTOMER = Customer(id="cus_1", created=1)


def endpoint(position: int, parked: Sequence[int], *enabled: str) -> Progress:
    made = WebhookEndpoint(id=f"we_{position}", created=1, enabled_events=enabled)
    return Progress(made, position, frozenset(parked))


# In steps: all delivered, some failed; one that is far behind; one that wants a few only; none at all.
WORLDS = (
    (),
    (endpoint(LAST, (), "*"),),
    (endpoint(30, (3, 4, 17, 30), "*"),),
    (endpoint(30, (3, 4, 17), "*"), endpoint(12, (4, 11), "customer.*")),
    (endpoint(LAST, range(1, LAST, 2), "*"), endpoint(LAST, (2,), "charge.*")),
    (endpoint(0, (), "payment_intent.created"),),
)


class History:
    """Forty events, and endpoints that have acknowledged some of them. Satisfies what a list needs."""

    def __init__(self, world: Sequence[Progress]) -> None:
        self.world = world
        self.reads = 0
        self.all = [
            RecordedEvent(
                id=f"evt_{number}",
                type=TYPES[number % len(TYPES)],
                created=number,
                sequence=number,
                object_id=CUSTOMER.id,
                version=1,
                pending_webhooks=sum(
                    one.awaits(TYPES[number % len(TYPES)], CUSTOMER.id, number) for one in world
                ),
            )
            for number in range(1, LAST + 1)
        ]

    @property
    def call(self) -> Call:
        services = SimpleNamespace(events=self, deliveries=self)
        return cast(Call, SimpleNamespace(services=services, scope=Scope("a", False)))

    async def list(self, _scope: Scope, page: EventPage) -> EventRead:
        assert page.counts_pending
        self.reads += 1
        return EventRead(shown(self.wanted(page), page), LAST)

    async def find(self, _scope: Scope, numbers: Sequence[int], *, counts_pending: bool) -> Any:
        assert counts_pending
        self.reads += 1
        return [occurrence(event) for event in self.all[::-1] if event.sequence in numbers]

    async def progress(self, _scope: Scope, *, below: int, above: int) -> Sequence[Progress]:
        return [
            one._replace(parked=frozenset(n for n in one.parked if above < n < below)) for one in self.world
        ]

    def wanted(self, page: EventPage) -> Sequence[RecordedEvent]:
        return [event for event in self.all if page.above < event.sequence < page.below and page.has(event)]


def occurrence(event: RecordedEvent) -> Occurrence:
    return Occurrence(event, CUSTOMER, None, event.sequence)


def shown(chosen: Sequence[RecordedEvent], page: EventPage) -> list[Occurrence]:
    nearest = chosen[: page.limit + 1] if page.ascending else chosen[-page.limit - 1 :]
    return [occurrence(event) for event in nearest[::-1]]


@pytest.mark.parametrize("world", WORLDS, ids=range(len(WORLDS)))
def test_every_page_is_what_it_would_be_by_hand(
    world: Sequence[Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "page_size_max", 5)
    history = History(world)
    types = (events.TYPES, frozenset(TYPES[1:3]))
    for is_delivered, limit, ascending, below, above, wanted, since_s in itertools.product(
        (False, True), (1, 4, 100), (False, True), (ABOVE_ALL, 31, 12), (0, 4, 20), types, (None, 10)
    ):
        page = EventPage(
            limit=limit, below=below, above=above, ascending=ascending, types=wanted, since_s=since_s
        )
        chosen = [one for one in history.wanted(page) if (not one.pending_webhooks) is is_delivered]
        found, is_complete = asyncio.run(list_by_delivery(history.call, page, is_delivered=is_delivered))
        assert list(found) == shown(chosen, page), (is_delivered, page)
        assert is_complete


def test_a_page_gives_up_where_too_many_events_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "page_size_max", 5)
    monkeypatch.setattr(limits, "event_scans_max", 2)
    page = EventPage(limit=1, below=ABOVE_ALL, above=0, types=events.TYPES)
    for world, is_delivered in (((), True), ((endpoint(0, (LAST,), "*"),), False)):
        history = History(world)
        # Nothing is as it was when the page was looked for.
        history.all = [replace(event, pending_webhooks=int(is_delivered)) for event in history.all]
        found, is_complete = asyncio.run(list_by_delivery(history.call, page, is_delivered=is_delivered))
        assert (list(found), is_complete, history.reads) == ([], False, 2)


def test_events_that_failed_long_ago_are_read_together() -> None:
    history = History((endpoint(LAST, range(1, LAST), "*"),))
    page = EventPage(limit=20, below=ABOVE_ALL, above=0, types=events.TYPES)
    found, _ = asyncio.run(list_by_delivery(history.call, page, is_delivered=False))
    # What is above the position, and one part of the exceptions.
    assert (len(found), history.reads) == (21, 2)
