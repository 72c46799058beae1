"""A tenant that others write to as well stays in the lanes, for as long as the books say so."""

from collections.abc import Iterator

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.customers import CreateCustomer
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.contention import Contention
from fastpay.engine.write.writer import Writer
from tests.support.memory import OTHER_TENANT, TENANT, MemoryStore, check_books, submission
from tests.unit.engine.hand_clock import HandClock
from tests.unit.engine.write.test_writer import running
from tests.unit.engine.write.test_writer_ahead import start

JOIN = CreateCustomer(fields={"name": "Ada"})


@pytest.fixture
def held_once() -> Iterator[MemoryStore]:
    """A store of which somebody holds one book."""
    store = MemoryStore()
    store.held = {TENANT}
    yield store
    check_books(store)


def parked(writer: Writer) -> int:
    """Return how often a tenant was parked."""
    return writer.counts()["lanes_parked"]


async def test_a_contended_tenant_stays_in_the_lanes_until_its_book_is_as_it_was_left(
    held_once: MemoryStore,
) -> None:
    async with running(held_once) as writer:
        first = start(writer, submission(JOIN))
        while not parked(writer):
            await writer.submit(submission(JOIN, scope=OTHER_TENANT))
        held_once.held.clear()
        await first
        # Served, and at once parked again: nobody knows yet whether the other goes on.
        await writer.submit(submission(JOIN))
        assert parked(writer) == 2
        # It did not.
        await writer.submit(submission(JOIN))
        await writer.submit(submission(JOIN, scope=OTHER_TENANT))
        assert parked(writer) == 2
        assert writer.counts()["lanes_commands"] == 2
        assert writer.counts()["lanes_tenants"] == 0


async def test_what_waits_of_a_contended_tenant_is_left_to_the_lanes(held_once: MemoryStore) -> None:
    async with running(held_once, batch_commands_max=1) as writer:
        waiting = [start(writer, submission(JOIN)) for _ in range(3)]
        while not parked(writer):
            await writer.submit(submission(JOIN, scope=OTHER_TENANT))
        held_once.held.clear()
        for one in waiting:
            await one
        # The second found the book as the first had left it, so the third was the loop's.
        assert writer.counts()["lanes_commands"] == 2
        assert parked(writer) == 1


def test_a_book_that_others_have_changed_is_contended_and_one_that_they_have_not_is_free() -> None:
    clock = HandClock()
    contention = Contention(clock)
    assert not contention.until_ns
    contention.met(TENANT)
    assert TENANT in contention
    assert OTHER_TENANT not in contention
    store = MemoryStore()
    found = store.state.books[TENANT]
    contention.look(batch_on(found, after=4))
    assert TENANT in contention
    # Somebody else has come to 6 meanwhile.
    contention.look(batch_on(msgspec.structs.replace(found, sequence=6), after=7))
    assert TENANT in contention
    contention.look(batch_on(msgspec.structs.replace(found, sequence=7), after=8))
    assert TENANT not in contention
    assert not contention.until_ns


def test_evidence_is_believed_for_a_while_and_not_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "contended_scopes_max", 1)
    clock = HandClock()
    contention = Contention(clock)
    contention.met(TENANT)
    contention.met(TENANT)
    clock.advance_ms(limits.contention_believed_ms)
    assert TENANT not in contention
    assert not contention.until_ns
    contention.met(TENANT)
    contention.met(OTHER_TENANT)
    assert TENANT not in contention
    assert OTHER_TENANT in contention


def batch_on(book: object, *, after: int) -> DecidedBatch:
    """Return a batch of one tenant that was decided on this book, and comes to a number of its sequence."""
    batch = DecidedBatch()
    batch._found = {TENANT: book}  # type: ignore[dict-item]
    batch.changes.sequences = {TENANT: after}
    return batch
