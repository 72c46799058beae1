"""Events that are read by their identifiers: kept like objects, but for the count of pending webhooks."""

import pytest

from fastpay._native.cache import CachedResponse
from fastpay.domain.events import RecordedEvent
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.event_ports import Occurrence, StoredEvent
from fastpay.engine.ports import Commit
from fastpay.engine.read.copy_ports import Copy
from fastpay.engine.read.reader import Reader
from tests.support.memory import TENANT
from tests.unit.engine.readings import STALENESS_MS, Instance, settle
from tests.unit.engine.shared_copies import Key, MemoryCopies

EVENT = "evt_" + "e" * 32
ENDPOINT = WebhookEndpoint(id="we_" + "a" * 32, created=1)


def write(instance: Instance, pending: int) -> None:
    """Let the database count so many endpoints."""
    event = RecordedEvent(
        id=EVENT,
        type="customer.created",
        created=1,
        sequence=1,
        object_id="cus_1",
        version=1,
        pending_webhooks=pending,
    )
    occurrence = Occurrence(event, Customer(id="cus_1", created=1), None, 1)
    stored = StoredEvent(id=EVENT, created=1, occurrence=occurrence)
    instance.store.versions[TENANT, digits(EVENT)] = Versioned(stored, 1, 1)


async def read(instance: Instance) -> Versioned:
    found = await instance.reader.get(TENANT, EVENT)
    assert found is not None
    return found


async def pending(instance: Instance) -> int:
    stored = (await read(instance)).object
    assert isinstance(stored, StoredEvent)
    return stored.occurrence.event.pending_webhooks


def change_endpoint(instance: Instance) -> Commit:
    sequence = instance.store.sequences[TENANT]
    instance.store.sequences[TENANT] = sequence + 1
    return Commit(TENANT, sequence, sequence + 1, [Versioned(ENDPOINT, 1, sequence + 1)])


@pytest.mark.parametrize(("count", "statements"), [(0, 1), (2, 3)])
async def test_a_delivered_event_is_shown_like_an_object_and_a_pending_one_for_a_while(
    count: int, statements: int
) -> None:
    instance = Instance()
    write(instance, count)
    for _ in range(9):
        assert await pending(instance) == count
        instance.clock.advance(STALENESS_MS // 4)
        # Nothing of the tenant changes.
        await instance.reader.confirmations.confirm()
    assert len(instance.store.asked) == statements


async def test_what_was_rendered_of_a_pending_event_goes_with_its_count() -> None:
    instance = Instance()
    write(instance, 1)
    before = await read(instance)
    response = CachedResponse("/v1/events/", b"", b"", b"1", b'"1"', is_encodable=False)
    instance.reader.rendered(TENANT, before, response)
    entry = instance.reader.entry(TENANT, EVENT)
    assert entry is not None
    assert entry.response is response
    write(instance, 0)
    instance.clock.advance(STALENESS_MS)
    assert await pending(instance) == 0
    # Whoever has read it before was slow.
    instance.reader.rendered(TENANT, before, response)
    entry = instance.reader.entry(TENANT, EVENT)
    assert entry is not None
    assert entry.response is None


@pytest.mark.parametrize("is_own", [True, False])
async def test_a_changed_endpoint_has_events_read_anew(is_own: bool) -> None:
    instance = Instance()
    write(instance, 0)
    assert await pending(instance) == 0
    write(instance, 1)
    assert await pending(instance) == 0
    commit = change_endpoint(instance)
    if is_own:
        instance.reader.committed([commit])
    else:
        instance.announce(commit)
    assert await pending(instance) == 1


async def test_a_read_from_before_an_endpoint_changed_is_not_kept() -> None:
    instance = Instance(is_held=True)
    write(instance, 0)
    early = instance.begin(EVENT)
    await settle()
    instance.store.pending[0].look()
    write(instance, 1)
    instance.reader.committed([change_endpoint(instance)])
    await instance.answer()
    assert await early == 1
    instance.store.is_held = False
    assert await pending(instance) == 1


async def test_the_late_answer_to_an_older_question_is_not_kept() -> None:
    instance = Instance(is_held=True)
    write(instance, 1)
    early = instance.begin(EVENT)
    await settle()
    old = instance.store.pending.pop(0)
    old.look()
    write(instance, 0)
    instance.clock.advance(STALENESS_MS)
    late = instance.begin(EVENT)
    await instance.answer()
    await late
    old.answer()
    await early
    # Nor can who waited for it render it into what was kept of the newer answer.
    assert instance.reader.entry(TENANT, EVENT) is None
    instance.store.is_held = False
    assert await pending(instance) == 0


async def test_instances_share_no_events() -> None:
    held: dict[Key, Copy] = {}
    instance = Instance()
    copies = MemoryCopies(held)
    instance.reader = Reader(instance.store, clock=instance.clock, staleness_ms=STALENESS_MS, copies=copies)
    write(instance, 0)
    await read(instance)
    instance.evict()
    await read(instance)
    assert (held, copies.asked) == ({}, [])
