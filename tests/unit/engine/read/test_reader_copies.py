"""The reader and the copies that instances share: when they are asked for, and what is believed of them."""

import asyncio

import pytest

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.plan import Versioned
from fastpay.engine.read.reader import Reader
from tests.support.memory import OTHER_TENANT, TENANT
from tests.unit.engine.readings import LIST, ONE, OTHER, STALENESS_MS, Instance, Objects, settle
from tests.unit.engine.shared_copies import MemoryCopies, SharedState

pytestmark = pytest.mark.anyio


class Sharing(Instance):
    """An instance that shares copies with others over one database."""

    def __init__(
        self,
        state: SharedState,
        *,
        store: Objects | None = None,
        clock: Clock | None = None,
        staleness_ms: int = STALENESS_MS,
    ) -> None:
        super().__init__()
        self.store = self.store if store is None else store
        self.copies = MemoryCopies(state)
        self.reader = Reader(
            self.store,
            clock=self.clock if clock is None else clock,
            staleness_ms=staleness_ms,
            copies=self.copies,
        )

    def beside(self) -> "Sharing":
        """Return another instance over the same database."""
        return Sharing(self.copies.state, store=self.store, clock=self.clock)

    def commit(self, identifier: str) -> None:
        """Commit a new version here."""
        self.reader.committed([self.store.write(TENANT, identifier)])


async def test_what_another_instance_has_read_or_committed_is_found_without_the_database() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    assert await one.version(ONE) == 1
    one.commit(OTHER)
    # The first read proves what may be shown.
    assert await other.version("cus_" + "9" * 32) == 0
    statements = one.store.statements
    assert [await other.version(ONE), await other.version(OTHER)] == [1, 2]
    assert one.store.statements == statements
    assert other.reader.counts()["reads_copies_shown"] == 2
    # And is cached here from then on.
    asked = len(other.copies.asked)
    assert [await other.version(ONE), await other.version(OTHER)] == [1, 2]
    assert len(other.copies.asked) == asked


async def test_a_thousand_objects_missed_in_one_turn_are_one_question_and_one_statement() -> None:
    one = Sharing(SharedState())
    identifiers = [f"cus_{number:032x}" for number in range(10, 1_010)]
    for identifier in identifiers:
        one.store.write(TENANT, identifier)
    for identifier in identifiers[:500]:
        one.commit(identifier)
    other = one.beside()
    assert await other.version(ONE) == 1
    statements = one.store.statements
    found = await asyncio.gather(*(other.version(identifier) for identifier in identifiers))
    assert found == [2] * 500 + [1] * 500
    assert [len(asked) for asked in other.copies.asked] == [1_000]
    assert one.store.statements == statements + 1
    assert len(one.store.asked[-1]) == 500
    assert other.reader.counts()["reads_turns"] == 2


async def test_a_thousand_reads_of_one_object_are_one_question() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    one.commit(ONE)
    await other.version(OTHER)
    assert await asyncio.gather(*(other.version(ONE) for _ in range(1_000))) == [2] * 1_000
    assert [list(asked) for asked in other.copies.asked] == [[(TENANT, ONE)]]


async def test_nothing_is_asked_for_before_the_database_has_proved_anything() -> None:
    one = Sharing(SharedState())
    one.commit(ONE)
    other = one.beside()
    assert await other.version(ONE) == 2
    one.clock.advance(STALENESS_MS)
    assert await other.version(ONE) == 2
    assert other.copies.asked == []


async def test_with_no_staleness_allowed_copies_are_neither_asked_for_nor_kept() -> None:
    one = Sharing(SharedState(), staleness_ms=0)
    one.commit(ONE)
    for _ in range(3):
        assert [await one.version(ONE), await one.version(OTHER)] == [2, 1]
    assert one.copies.asked == []
    assert one.copies.state.marks == {}


async def test_copies_that_are_closed_are_not_asked_for() -> None:
    one = Sharing(SharedState())
    one.commit(ONE)
    other = one.beside()
    await other.version(OTHER)
    other.copies.is_open = False
    assert await other.version(ONE) == 2
    assert other.copies.asked == []


async def test_what_the_ledger_keeps_has_no_copy() -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    account = "lacc_" + "7" * 32
    one.store.write(TENANT, account)
    assert await one.version(account) == 1
    one.commit(account)
    assert one.copies.asked == []
    assert set(one.copies.state.copies) == {(TENANT, ONE)}


async def test_a_copy_from_before_an_own_commit_is_not_shown_after_it() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    await one.version(OTHER)
    await other.version(ONE)
    before = one.copies.state.save()
    # Another instance's commit in between, of which this one knows nothing.
    other.commit(OTHER)
    one.commit(ONE)
    one.evict()
    one.copies.state.put_back(before)
    assert await one.version(ONE) == 2
    assert one.reader.counts()["reads_copies_behind"] == 1


async def test_a_copy_from_before_an_answer_that_was_given_here_is_not_shown_after_it() -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    await one.version(OTHER)
    late = one.begin("cus_" + "9" * 32)
    one.store.is_held = True
    await settle()
    one.store.pending[0].look()
    one.store.write(TENANT, ONE)
    one.reader.acknowledged(TENANT, one.store.sequences[TENANT])
    # What comes in now was read before that, and proves less.
    one.store.is_held = False
    await one.answer()
    assert await late == 0
    assert await one.version(ONE) == 2


async def test_what_was_asked_before_a_tenant_was_forgotten_proves_nothing_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    before = one.copies.state.save()
    one.store.is_held = True
    late = one.begin("cus_" + "9" * 32)
    await settle()
    one.store.pending[0].look()
    one.clock.advance(1)
    one.commit(ONE)
    # More tenants than are followed: that anything was committed here is forgotten as well.
    monkeypatch.setattr(limits, "cached_scopes_max", 1)
    one.reader.partition(OTHER_TENANT)
    one.copies.state.put_back(before)
    one.store.is_held = False
    await one.answer()
    assert await late == 0
    assert await one.version(ONE) == 2


async def test_a_copy_older_than_what_was_told_is_not_shown_unless_it_was_a_lie() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    await one.version(ONE)
    await other.version(OTHER)
    before = one.copies.state.save()
    commit = one.store.write(TENANT, ONE)
    one.reader.committed([commit])
    one.copies.state.put_back(before)
    other.reader.heard(TENANT, [(ONE, 2)], commit.after)
    assert await other.version(ONE) == 2
    assert other.reader.counts()["reads_copies_behind"] == 1
    # The database has never heard of the place that is told of now.
    one.commit(OTHER)
    other.reader.heard(TENANT, [(ONE, 3), (OTHER, 2)], commit.after + 100)
    await other.reader.confirm()
    other.clock.advance(STALENESS_MS)
    await other.version("cus_" + "9" * 32)
    shown = other.reader.counts()["reads_copies_shown"]
    assert await other.version(OTHER) == 2
    assert other.reader.counts()["reads_copies_shown"] == shown + 1


async def test_a_copy_that_arrives_after_the_proof_has_run_out_is_not_shown() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    one.commit(ONE)
    await other.version(OTHER)
    other.copies.is_held = True
    read = other.begin(ONE)
    await settle()
    other.copies.deliver()
    one.store.write(TENANT, ONE)
    one.clock.advance(STALENESS_MS)
    other.copies.reply()
    assert await read == 3
    assert other.reader.counts()["reads_copies_unproven"] == 1


async def test_the_proof_goes_on_where_nothing_but_copies_is_shown() -> None:
    one = Sharing(SharedState())
    other = one.beside()
    one.commit(ONE)
    await other.version(OTHER)
    other.reader.partition(TENANT).was_used = False
    assert await other.version(ONE) == 2
    assert other.reader.partition(TENANT).was_used


async def test_another_tenants_copy_is_nobodys() -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    await one.version(OTHER, OTHER_TENANT)
    assert await one.version(ONE, OTHER_TENANT) == 0
    one.evict()
    assert await one.version(ONE, OTHER_TENANT) == 0


async def test_at_the_end_nobody_waits_for_copies() -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    one.copies.is_held = True
    reads = [one.begin(OTHER)]
    await settle()
    reads.append(one.begin("cus_" + "8" * 32))
    await asyncio.sleep(0)
    await one.reader.close()
    assert all(isinstance(ended, Exception) for ended in await asyncio.gather(*reads, return_exceptions=True))


async def test_lists_are_never_asked_of_copies() -> None:
    one = Sharing(SharedState())
    await one.version(ONE)
    found: list[Versioned] = list(await one.reader.list(TENANT, *LIST))
    assert len(found) == 2
    assert one.copies.asked == []
