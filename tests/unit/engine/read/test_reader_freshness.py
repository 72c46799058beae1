"""The reader: what is shown again, for how long, and what is never shown any more."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.cache import Cache
from fastpay.engine.read.freshness import Freshness, RecentChanges
from fastpay.errors import DatabaseUnavailable, FastpayError, Overloaded
from tests.support.memory import MOMENT_MS, OTHER_TENANT, TENANT
from tests.unit.engine.readings import CHARGE, LIST, ONE, OTHER, STALENESS_MS, THIRD, Instance, settle


async def test_many_are_found_by_identifier_and_the_missing_left_out() -> None:
    reader = Instance().reader
    found = await reader.get_many(TENANT, [OTHER, "cus_" + "f" * 32, ONE, OTHER])
    assert {identifier: one.object.id for identifier, one in found.items()} == {OTHER: OTHER, ONE: ONE}
    assert await reader.get_many_at(TENANT, [ONE], 0) == {}


async def test_what_was_read_is_shown_again_until_its_proof_runs_out() -> None:
    instance = Instance()
    assert await instance.version(ONE) == 1
    instance.store.write(TENANT, ONE)
    instance.clock.advance(STALENESS_MS - 1)
    assert await instance.version(ONE) == 1
    instance.clock.advance(1)
    assert await instance.version(ONE) == 2
    assert instance.store.statements == 2


async def test_a_confirmation_renews_the_proof_of_everything_that_a_tenant_has_cached() -> None:
    instance = Instance()
    await instance.reader.get_many(TENANT, [ONE, OTHER])
    for _ in range(5):
        instance.clock.advance(STALENESS_MS - 1)
        assert await instance.version(ONE) == 1
        await instance.reader.confirmations.confirm()
    assert await instance.version(OTHER) == 1
    assert len(instance.store.asked) == 1


@pytest.mark.parametrize("failure", [DatabaseUnavailable, Overloaded])
async def test_a_confirmation_that_has_to_wait_is_no_fault(
    failure: type[FastpayError], caplog: pytest.LogCaptureFixture
) -> None:
    instance = Instance()
    for _ in range(2):
        await instance.version(ONE)
    instance.store.failure = failure("not now")
    statements = instance.store.statements
    await instance.reader.confirmations.confirm()
    assert instance.store.statements == statements + 1
    assert caplog.records == []


async def test_what_nobody_uses_is_not_confirmed() -> None:
    instance = Instance()
    await instance.version(ONE)
    await instance.reader.confirmations.confirm()
    assert instance.store.statements == 1


async def test_one_read_renews_the_proof_of_everything_else() -> None:
    instance = Instance()
    await instance.version(ONE)
    instance.clock.advance(STALENESS_MS)
    await instance.version(OTHER)
    await instance.version(ONE)
    assert instance.store.statements == 2


async def test_a_commit_that_nobody_announced_empties_the_partition_once_the_proof_has_run_out() -> None:
    instance = Instance()
    await instance.reader.get_many(TENANT, [ONE, OTHER])
    instance.store.write(TENANT, OTHER)
    await instance.version(ONE)
    await instance.reader.confirmations.confirm()
    instance.clock.advance(STALENESS_MS)
    assert await instance.version(ONE) == 1
    assert await instance.version(OTHER) == 2
    assert len(instance.store.asked) == 3


async def test_an_announced_commit_is_forgotten_at_once_and_nothing_else() -> None:
    instance = Instance()
    await instance.reader.get_many(TENANT, [ONE, OTHER])
    instance.announce(instance.store.write(TENANT, OTHER))
    assert await instance.version(ONE) == 1
    assert len(instance.store.asked) == 1
    assert await instance.version(OTHER) == 2
    assert len(instance.store.asked) == 2


async def test_an_own_commit_that_the_database_told_has_been_changed_since_is_not_kept() -> None:
    instance = Instance()
    await instance.version(ONE)
    own, _ = (instance.store.write(TENANT, ONE) for _ in range(2))
    instance.clock.advance(STALENESS_MS)
    assert await instance.version(OTHER) == 1
    instance.reader.committed([own])
    assert await instance.version(ONE) == 3


async def test_an_announcement_makes_nothing_valid_whatever_it_says() -> None:
    instance = Instance()
    await instance.reader.get_many(TENANT, [ONE, OTHER])
    for version in (0, 1, 10**12):
        instance.reader.heard(TENANT, [(OTHER, version), ("nonsense", 1)])
    instance.store.write(TENANT, ONE)
    instance.reader.heard(OTHER_TENANT, [(ONE, 2)])
    await instance.version(ONE)
    await instance.reader.confirmations.confirm()
    instance.clock.advance(STALENESS_MS)
    assert await instance.version(ONE) == 2


async def test_an_own_commit_is_shown_at_once_and_needs_no_read() -> None:
    instance = Instance()
    await instance.version(ONE)
    instance.reader.committed([instance.store.write(TENANT, ONE)])
    assert await instance.version(ONE) == 2
    instance.reader.committed([instance.store.write(TENANT, THIRD)])
    assert await instance.version(THIRD) == 1
    assert instance.store.statements == 1


async def test_a_read_that_a_commit_overtook_is_neither_joined_nor_kept() -> None:
    instance = Instance(is_held=True)
    early = instance.begin(ONE)
    await settle()
    instance.store.pending[0].look()
    instance.reader.committed([instance.store.write(TENANT, ONE)])
    instance.evict()
    late = instance.begin(ONE)
    await settle()
    assert len(instance.store.pending) == 2
    instance.store.pending.pop(0).answer()
    await settle()
    instance.store.pending.pop(0).answer()
    assert (await early, await late) == (1, 2)
    assert await instance.version(ONE) == 2


async def test_a_read_that_an_announced_commit_overtook_is_not_kept() -> None:
    instance = Instance(is_held=True)
    reads = [instance.begin(OTHER)]
    await instance.answer()
    reads.append(instance.begin(ONE))
    await settle()
    instance.store.pending[0].look()
    instance.announce(instance.store.write(TENANT, ONE))
    await instance.answer()
    last = instance.begin(ONE)
    await instance.answer()
    assert [await read for read in (*reads, last)] == [1, 1, 2]


async def test_a_read_from_before_the_partition_was_emptied_is_neither_joined_nor_kept() -> None:
    instance = Instance(is_held=True)
    old = instance.begin(ONE)
    await settle()
    instance.store.pending[0].look()
    instance.store.write(TENANT, ONE)
    instance.reader.acknowledged(TENANT, 3)
    new = instance.begin(ONE)
    await settle()
    instance.store.pending.pop(1).answer()
    await settle()
    instance.store.pending.pop(0).answer()
    assert (await old, await new) == (1, 2)
    assert await instance.version(ONE) == 2


async def test_an_own_commit_does_not_vouch_for_what_was_read_before_it() -> None:
    instance = Instance(is_held=True)
    old = instance.begin(ONE)
    await settle()
    instance.store.pending[0].look()
    instance.store.write(TENANT, ONE)
    instance.reader.committed([instance.store.write(TENANT, OTHER)])
    await instance.answer()
    assert await old == 1
    new = instance.begin(ONE)
    await instance.answer()
    assert await new == 2


async def test_an_answer_that_was_given_here_is_the_least_that_is_shown() -> None:
    instance = Instance()
    await instance.version(ONE)
    instance.store.write(TENANT, ONE)
    instance.reader.acknowledged(TENANT, 2)
    assert await instance.version(ONE) == 1
    instance.reader.acknowledged(TENANT, 3)
    assert await instance.version(ONE) == 2


async def test_a_late_reader_does_not_join_a_read_that_may_be_too_old() -> None:
    instance = Instance(is_held=True)
    early = instance.begin(ONE)
    lists = [asyncio.create_task(instance.reader.list(TENANT, *LIST))]
    await settle()
    for pending in instance.store.pending:
        pending.look()
    instance.store.write(TENANT, ONE)
    instance.clock.advance(STALENESS_MS)
    late = instance.begin(ONE)
    lists.append(asyncio.create_task(instance.reader.list(TENANT, *LIST)))
    await instance.answer()
    assert (await early, await late) == (1, 2)
    assert [max(one.version for one in await read) for read in lists] == [1, 2]


async def test_without_a_database_what_is_cached_is_not_shown_for_longer_than_agreed() -> None:
    instance = Instance()
    await instance.version(ONE)
    instance.store.failure = DatabaseUnavailable("Away.")
    assert await instance.version(ONE) == 1
    instance.clock.advance(STALENESS_MS - 1)
    await instance.reader.confirmations.confirm()
    instance.clock.advance(1)
    with pytest.raises(DatabaseUnavailable):
        await instance.version(ONE)


async def test_a_list_shows_what_was_committed_here_before_it_was_asked_for() -> None:
    instance = Instance(is_held=True)
    early = asyncio.create_task(instance.reader.list(TENANT, *LIST))
    await settle()
    instance.store.pending[0].look()
    instance.reader.committed([instance.store.write(TENANT, THIRD)])
    late = asyncio.create_task(instance.reader.list(TENANT, *LIST))
    early.cancel()
    await instance.answer()
    assert len(await late) == 3


async def test_with_no_staleness_allowed_everything_is_read_and_only_what_is_not_sent_is_joined() -> None:
    instance = Instance(is_held=True, staleness_ms=0)
    reads = [instance.begin(ONE) for _ in range(3)]
    await settle()
    instance.store.pending[0].look()
    instance.store.write(TENANT, ONE)
    reads.append(instance.begin(ONE))
    await instance.answer()
    assert [await read for read in reads] == [1, 1, 1, 2]
    assert instance.store.statements == 2
    instance.reader.committed([instance.store.write(TENANT, ONE)])
    last = instance.begin(ONE)
    await instance.answer()
    assert await last == 3
    assert instance.store.statements == 3


async def test_that_something_is_missing_is_remembered_only_where_it_cannot_come_about() -> None:
    instance = Instance()
    now_ms = MOMENT_MS + 1_000
    for moment_ms, is_remembered in (
        (now_ms, False),
        (now_ms - limits.creation_ms_max, False),
        (now_ms + limits.negative_cache_ms, False),
        (now_ms - limits.creation_ms_max - 10_000, True),
        (now_ms + limits.negative_cache_ms + limits.clock_skew_ms_max + 10_000, True),
    ):
        identifier = f"cus_{moment_ms:012x}7" + "0" * 19
        before = instance.store.statements
        for _ in range(2):
            assert await instance.version(identifier) == 0
        assert instance.store.statements - before == (1 if is_remembered else 2), moment_ms - now_ms


@pytest.mark.parametrize("identifier", [THIRD, CHARGE])
async def test_what_is_made_here_is_found_although_it_was_remembered_as_missing(identifier: str) -> None:
    instance = Instance()
    assert await instance.version(identifier) == 0
    assert await instance.version(identifier) == 0
    assert instance.store.statements == 1
    instance.reader.committed([instance.store.write(TENANT, identifier)])
    assert await instance.version(identifier) == 1


@pytest.mark.parametrize("identifier", [THIRD, CHARGE])
async def test_what_is_made_here_is_found_although_a_read_under_way_has_missed_it(identifier: str) -> None:
    instance = Instance(is_held=True)
    # From now on it is known how far the tenant has come, and a commit empties nothing.
    known = instance.begin(ONE)
    await instance.answer()
    before = instance.begin(identifier)
    await settle()
    instance.store.pending[0].look()
    instance.reader.committed([instance.store.write(TENANT, identifier)])
    after = instance.begin(identifier)
    await instance.answer()
    assert (await known, await before, await after) == (1, 0, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["commit", "answer", "confirm", "advance"]), st.integers(0, 6)), max_size=12
    )
)
def test_a_commit_of_others_is_noted_as_commit_and_answer(
    steps: list[tuple[str, int]],
) -> None:
    """And a gap between two such commits empties the tenant's cache as it does between others."""
    both = [Freshness(Cache(1 << 20), TENANT, RecentChanges(), staleness_ns=100) for _ in range(2)]
    at = 0
    for now_ns, (step, number) in enumerate(steps):
        before, at = max(0, at + number - 2), at + number
        for is_short, one in enumerate(both):
            match step:
                case "answer":
                    one.answered(at)
                case "confirm":
                    one.confirmed(at, now_ns, now_ns)
                case "advance" if is_short:
                    one.advanced(before, at)
                case _:
                    one.committed(before, at)
                    if step == "advance":
                        one.answered(at)
        slots = [name for name in Freshness.__slots__ if name not in {"_cache", "_recent", "partition"}]
        plain, short = ({name: getattr(one, name) for name in slots} for one in both)
        assert plain == short
        assert both[0].partition.valid_until_ns == both[1].partition.valid_until_ns
