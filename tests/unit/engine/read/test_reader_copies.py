"""The reader and the copies that instances share: when they are asked for, and what is believed of them."""

import asyncio

import pytest

from fastpay import limits
from fastpay.domain.plan import Versioned
from fastpay.engine.read.copy_ports import Copy
from fastpay.engine.read.reader import Reader
from tests.support.memory import OTHER_TENANT, TENANT
from tests.unit.engine.readings import (
    CHARGE,
    LIST,
    ONE,
    OTHER,
    STALENESS_MS,
    THIRD,
    HandClock,
    Instance,
    Objects,
    settle,
)
from tests.unit.engine.shared_copies import Key, MemoryCopies

UNKNOWN = "cus_" + "9" * 32


class Sharing(Instance):
    """An instance that shares copies with others over one database."""

    def __init__(
        self,
        held: dict[Key, Copy] | None = None,
        *,
        store: Objects | None = None,
        clock: HandClock | None = None,
        staleness_ms: int = STALENESS_MS,
    ) -> None:
        super().__init__()
        self.store = self.store if store is None else store
        self.clock = self.clock if clock is None else clock
        self.copies = MemoryCopies({} if held is None else held)
        self.reader = Reader(self.store, clock=self.clock, staleness_ms=staleness_ms, copies=self.copies)

    def beside(self) -> "Sharing":
        """Return another instance over the same database."""
        return Sharing(self.copies.held, store=self.store, clock=self.clock)

    def commit(self, identifier: str) -> None:
        """Commit a new version here."""
        self.reader.committed([self.store.write(TENANT, identifier)])

    async def prove(self, later_ms: int = STALENESS_MS // 4) -> None:
        """Learn how far the tenant's sequence has come, a moment after all that came before."""
        self.clock.advance(later_ms)
        self.reader.partition(TENANT).was_used = True
        await self.reader.confirmations.confirm()

    @property
    def shown(self) -> int:
        """How many copies were shown."""
        return self.reader.counts()["reads_copies_shown"]


async def test_what_another_instance_has_read_is_found_without_the_database() -> None:
    one = Sharing()
    other = one.beside()
    assert [await one.version(ONE), await one.version(OTHER)] == [1, 1]
    await other.prove()
    statements = one.store.statements
    assert [await other.version(ONE), await other.version(OTHER)] == [1, 1]
    assert one.store.statements == statements
    assert other.shown == 2
    # And is cached here from then on.
    asked = len(other.copies.asked)
    assert [await other.version(ONE), await other.version(OTHER)] == [1, 1]
    assert len(other.copies.asked) == asked


async def test_a_commit_writes_no_copy() -> None:
    one = Sharing()
    await one.version(ONE)
    before = dict(one.copies.held)
    one.commit(ONE)
    one.commit(THIRD)
    assert one.copies.held == before


async def test_a_copy_is_shown_within_the_bound_however_much_else_has_changed_since() -> None:
    """The case of a busy tenant: its sequence is always ahead of every copy."""
    one = Sharing()
    other = one.beside()
    await other.version(UNKNOWN)
    await one.version(ONE)
    for _ in range(20):
        one.commit(OTHER)
    statements = one.store.statements
    assert await other.version(ONE) == 1
    assert one.store.statements == statements
    # Not beyond it, from here or from there.
    one.clock.advance(STALENESS_MS - 1)
    assert await other.version(ONE) == 1
    one.store.write(TENANT, ONE)
    one.clock.advance(1)
    await other.reader.confirmations.confirm()
    assert await other.version(ONE) == 2
    assert other.shown == 1


async def test_a_copy_older_than_the_partition_is_cached_no_longer_than_it_may_be_shown() -> None:
    one = Sharing()
    other = one.beside()
    half = STALENESS_MS // 2
    await other.version(UNKNOWN)
    one.store.write(TENANT, OTHER)
    await other.prove(half)
    await one.version(ONE)
    one.store.write(TENANT, ONE)
    # The partition begins anew, as of the change; the copy is from before it, and fresh enough for a while.
    await other.prove(half)
    assert await other.version(ONE) == 1
    await other.prove(half - 1)
    assert (await other.version(ONE), other.shown) == (1, 1)
    one.clock.advance(1)
    assert await other.version(ONE) == 2


async def test_a_copy_of_a_tenant_that_does_not_change_is_good_for_ever() -> None:
    one = Sharing()
    other = one.beside()
    await one.version(ONE)
    for _ in range(50):
        one.clock.advance(STALENESS_MS)
    await other.prove()
    assert await other.version(ONE) == 1
    assert other.shown == 1


async def test_a_thousand_objects_missed_in_one_turn_are_one_question_and_one_statement() -> None:
    one = Sharing()
    identifiers = [f"cus_{number:032x}" for number in range(10, 1_010)]
    for identifier in identifiers:
        one.store.write(TENANT, identifier)
    await asyncio.gather(*(one.version(identifier) for identifier in identifiers[:500]))
    other = one.beside()
    await other.prove()
    statements = one.store.statements
    found = await asyncio.gather(*(other.version(identifier) for identifier in identifiers))
    assert found == [1] * 1_000
    assert [len(asked) for asked in other.copies.asked] == [1_000]
    assert one.store.statements == statements + 1
    assert len(one.store.asked[-1]) == 500
    assert other.reader.counts()["reads_turns"] == 1


async def test_a_thousand_reads_of_one_object_are_one_question() -> None:
    one = Sharing()
    other = one.beside()
    await one.version(ONE)
    await other.prove()
    assert await asyncio.gather(*(other.version(ONE) for _ in range(1_000))) == [1] * 1_000
    assert [list(asked) for asked in other.copies.asked] == [[(TENANT, ONE)]]


async def test_nothing_is_asked_for_before_the_database_has_proved_anything() -> None:
    one = Sharing()
    await one.version(ONE)
    other = one.beside()
    assert await other.version(ONE) == 1
    one.clock.advance(STALENESS_MS)
    assert await other.version(ONE) == 1
    assert other.copies.asked == []


async def test_with_no_staleness_allowed_copies_are_neither_asked_for_nor_kept() -> None:
    one = Sharing(staleness_ms=0)
    one.commit(ONE)
    for _ in range(3):
        assert [await one.version(ONE), await one.version(OTHER)] == [2, 1]
    assert one.copies.asked == []
    assert one.copies.held == {}


async def test_copies_that_are_closed_are_not_asked_for() -> None:
    one = Sharing()
    await one.version(ONE)
    other = one.beside()
    await other.prove()
    other.copies.is_open = False
    assert await other.version(ONE) == 1
    assert other.copies.asked == []


async def test_what_the_ledger_keeps_has_no_copy() -> None:
    one = Sharing()
    await one.version(ONE)
    account = "lacc_" + "7" * 32
    one.store.write(TENANT, account)
    assert await one.version(account) == 1
    assert one.copies.asked == []
    assert set(one.copies.held) == {(TENANT, ONE)}


async def test_a_copy_from_before_an_own_commit_is_not_shown_after_it() -> None:
    one = Sharing()
    await one.version(ONE)
    one.commit(ONE)
    one.evict()
    assert await one.version(ONE) == 2
    assert one.reader.counts()["reads_copies_stale"] == 1


@pytest.mark.parametrize("identifier", [ONE, CHARGE])
async def test_a_copy_from_before_an_own_commit_is_not_shown_although_nobody_has_it_cached(
    identifier: str,
) -> None:
    one = Sharing()
    one.store.write(TENANT, CHARGE)
    await one.version(identifier)
    one.evict()
    one.commit(identifier)
    one.evict()
    assert await one.version(identifier) == 2
    assert one.reader.counts()["reads_copies_stale"] == 1


async def test_a_copy_from_before_an_answer_that_was_given_here_is_not_shown_after_it() -> None:
    one = Sharing()
    await one.version(ONE)
    one.store.is_held = True
    late = one.begin(UNKNOWN)
    await settle()
    one.store.pending[0].look()
    one.store.write(TENANT, ONE)
    one.reader.acknowledged(TENANT, one.store.sequences[TENANT])
    # This answer comes later, but was read before that.
    one.store.is_held = False
    await one.answer()
    assert await late == 0
    assert await one.version(ONE) == 2
    assert one.shown == 0


async def test_a_copy_older_than_what_was_read_here_is_not_shown_after_it() -> None:
    one = Sharing()
    await one.version(ONE)
    before = dict(one.copies.held)
    one.store.write(TENANT, ONE)
    other = one.beside()
    assert await other.version(ONE) == 2
    other.evict()
    other.copies.held.update(before)
    assert await other.version(ONE) == 2
    assert other.shown == 0


async def test_a_copy_older_than_one_that_was_shown_is_not_shown_after_it() -> None:
    one = Sharing()
    await one.version(ONE)
    before = dict(one.copies.held)
    other = one.beside()
    await other.version(UNKNOWN)
    one.store.write(TENANT, ONE)
    third = one.beside()
    await third.version(ONE)
    one.clock.advance(1)
    assert await other.version(ONE) == 2
    other.evict()
    other.copies.held.update(before)
    assert await other.version(ONE) == 2
    assert other.shown == 1


async def test_what_was_asked_before_a_tenant_was_forgotten_proves_nothing_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Sharing()
    await one.version(ONE)
    one.store.is_held = True
    late = one.begin(UNKNOWN)
    await settle()
    one.store.pending[0].look()
    one.commit(ONE)
    # More tenants than are followed.
    monkeypatch.setattr(limits, "cached_scopes_max", 1)
    one.reader.partition(OTHER_TENANT)
    one.store.is_held = False
    await one.answer()
    assert await late == 0
    assert await one.version(ONE) == 2
    assert one.shown == 0


async def test_a_copy_older_than_an_announcement_is_not_shown_unless_it_was_a_lie() -> None:
    one = Sharing()
    other = one.beside()
    await one.version(ONE)
    await other.prove()
    one.store.write(TENANT, ONE)
    other.reader.heard(TENANT, [(ONE, 2)])
    assert await other.version(ONE) == 2
    assert other.shown == 0
    # Nobody has changed this one. The next answer of the database says so.
    await one.version(OTHER)
    other.reader.heard(TENANT, [(OTHER, 10**12)])
    await other.prove()
    assert await other.version(OTHER) == 1
    assert other.shown == 1


async def test_a_copy_that_arrives_after_the_proof_has_run_out_is_not_shown() -> None:
    one = Sharing()
    other = one.beside()
    await one.version(ONE)
    await other.prove()
    other.copies.is_held = True
    read = other.begin(ONE)
    await settle()
    other.copies.deliver()
    one.store.write(TENANT, ONE)
    one.clock.advance(STALENESS_MS)
    other.copies.reply()
    assert await read == 2
    assert other.reader.counts()["reads_copies_stale"] == 1


async def test_the_proof_goes_on_where_nothing_but_copies_is_shown() -> None:
    one = Sharing()
    other = one.beside()
    await one.version(ONE)
    await other.prove()
    other.reader.partition(TENANT).was_used = False
    assert await other.version(ONE) == 1
    assert other.reader.partition(TENANT).was_used


async def test_another_tenants_copy_is_nobodys() -> None:
    one = Sharing()
    await one.version(ONE)
    await one.version(OTHER, OTHER_TENANT)
    assert await one.version(ONE, OTHER_TENANT) == 0
    one.evict()
    assert await one.version(ONE, OTHER_TENANT) == 0


async def test_at_the_end_nobody_waits_for_copies() -> None:
    one = Sharing()
    await one.version(ONE)
    one.copies.is_held = True
    reads = [one.begin(OTHER)]
    await settle()
    reads.append(one.begin("cus_" + "8" * 32))
    await asyncio.sleep(0)
    await one.reader.close()
    assert all(isinstance(ended, Exception) for ended in await asyncio.gather(*reads, return_exceptions=True))


async def test_lists_are_never_asked_of_copies() -> None:
    one = Sharing()
    await one.version(ONE)
    found: list[Versioned] = list(await one.reader.list(TENANT, *LIST))
    assert len(found) == 2
    assert one.copies.asked == []
