"""The reader: what is read once for everybody who wants it, and who it is for."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from fastpay import limits
from fastpay._native.cache import CachedResponse
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.domain.search import Clause, Query
from fastpay.engine.ports import Commit, Page
from fastpay.errors import DatabaseUnavailable, Overloaded
from tests.support.memory import OTHER_TENANT, TENANT
from tests.unit.engine.readings import LIST, ONE, OTHER, STALENESS_MS, THIRD, Instance, settle

QUERY = Query(kind="cus", clauses=(Clause(field="name", operator=":", value="Ada"),))


@pytest.mark.parametrize("staleness_ms", [STALENESS_MS, 0])
@pytest.mark.parametrize(
    "identifier", ["cus_" + "0" * 32, "pm_" + digits(ONE), "cus_", "", "cus_" + "G" * 32]
)
async def test_what_is_not_there_by_its_whole_identifier_is_not_found(
    identifier: str, staleness_ms: int
) -> None:
    instance = Instance(staleness_ms=staleness_ms)
    for _ in range(2):
        assert await instance.version(identifier) == 0
        assert await instance.reader.get_many(TENANT, [identifier, ONE]) == {
            ONE: instance.store.versions[TENANT, digits(ONE)]
        }
    assert await instance.reader.get_many_at(TENANT, [identifier], 9) == {}


async def test_a_thousand_reads_of_one_object_at_once_are_one_statement() -> None:
    instance = Instance()
    assert await asyncio.gather(*(instance.version(ONE) for _ in range(1_000))) == [1] * 1_000
    assert instance.store.statements == 1
    assert instance.reader.counts()["reads_joined"] == 999


async def test_a_thousand_objects_that_are_missed_in_one_turn_are_one_statement() -> None:
    instance = Instance()
    identifiers = [f"cus_{number:032x}" for number in range(10, 1_010)]
    for identifier in identifiers:
        instance.store.write(TENANT, identifier)
        instance.store.write(OTHER_TENANT, identifier)
    assert await asyncio.gather(*(instance.version(one) for one in identifiers)) == [1] * 1_000
    assert instance.store.statements == 1
    assert await asyncio.gather(*(instance.version(one, OTHER_TENANT) for one in identifiers)) == [1] * 1_000
    assert instance.store.statements == 2


async def test_while_statements_are_under_way_what_is_missed_gathers_for_the_next() -> None:
    instance = Instance(is_held=True)
    identifiers = [f"cus_{number:032x}" for number in range(10, 60)]
    reads = []
    for identifier in identifiers:
        reads.append(instance.begin(identifier))
        await settle()
    assert instance.store.statements == limits.batch_reads_at_once
    await instance.answer()
    assert await asyncio.gather(*reads) == [0] * len(reads)
    assert instance.store.statements == limits.batch_reads_at_once + 1


async def test_more_reads_than_may_gather_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "gathered_reads_max", 2)
    instance = Instance(is_held=True)
    reads = [instance.begin(identifier) for identifier in (ONE, OTHER)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await instance.reader.get_many(TENANT, [ONE, THIRD])
    await instance.answer()
    assert await asyncio.gather(*reads) == [1, 1]


async def test_a_cancelled_reader_takes_the_read_from_nobody() -> None:
    instance = Instance(is_held=True)
    tasks = [instance.begin(ONE) for _ in range(5)]
    await settle()
    tasks[0].cancel()
    tasks[3].cancel()
    await instance.answer()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for result in results if result == 1] == [1, 1, 1]
    assert instance.store.statements == 1
    assert await instance.version(ONE) == 1
    assert instance.store.statements == 1


async def test_nobody_gets_another_tenants_object_however_many_go_away() -> None:
    instance = Instance(is_held=True)
    instance.store.write(OTHER_TENANT, ONE)
    scopes = [TENANT, OTHER_TENANT] * 100
    tasks = [asyncio.create_task(instance.reader.get(scope, ONE)) for scope in scopes]
    await settle()
    for place in range(0, len(tasks), 3):
        tasks[place].cancel()
    await instance.answer()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for scope, answer in zip(scopes, answers, strict=True):
        if isinstance(answer, asyncio.CancelledError):
            continue
        assert isinstance(answer, Versioned)
        assert isinstance(answer.object, Customer)
        assert answer.object.name == f"{scope.tenant_id} 1"
    assert instance.store.statements == 1


async def test_a_failed_read_fails_for_all_who_wait_and_for_nobody_else() -> None:
    instance = Instance()
    instance.store.failure = DatabaseUnavailable("Away.")
    results = await asyncio.gather(*(instance.version(ONE) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [DatabaseUnavailable] * 3
    instance.store.failure = None
    assert await instance.version(ONE) == 1


async def test_who_watches_a_read_hears_how_it_ended_beside_those_who_wait() -> None:
    instance = Instance()
    heard: list[Versioned | None] = []
    assert instance.reader.watch(TENANT, ONE, heard.append)
    found = await instance.reader.get(TENANT, ONE)
    assert found is not None
    assert heard == [found]
    instance.store.failure = DatabaseUnavailable("Away.")
    assert instance.reader.watch(TENANT, OTHER, heard.append)
    with pytest.raises(DatabaseUnavailable):
        await instance.reader.get(TENANT, OTHER)
    assert heard == [found, None]
    assert instance.store.statements == 2


async def test_nobody_watches_what_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance()
    heard: list[Versioned | None] = []
    assert not instance.reader.watch(TENANT, "cus_nonsense", heard.append)
    monkeypatch.setattr(limits, "gathered_reads_max", 0)
    assert not instance.reader.watch(TENANT, ONE, heard.append)
    await instance.reader.close()
    assert heard == []


async def test_equal_lists_are_read_once_while_they_are_under_way_and_not_kept() -> None:
    instance = Instance()
    pages: Sequence[Page] = [Page(limit=10), Page(limit=10), Page(limit=11)]
    lists = await asyncio.gather(*(instance.reader.list(TENANT, LIST[0], page) for page in pages))
    await asyncio.gather(*(instance.reader.search(TENANT, QUERY, LIST[1]) for _ in range(2)))
    assert [len(one) for one in lists] == [2, 2, 2]
    assert instance.store.statements == 3
    await instance.reader.list(TENANT, *LIST)
    assert instance.store.statements == 4


async def test_what_was_rendered_stays_with_its_version() -> None:
    instance = Instance()
    found = await instance.reader.get(TENANT, ONE)
    assert found is not None
    response = CachedResponse("/v1/customers/", b"", b"", b"body", b'"1"', is_encodable=True)
    # Of a read that found the same version, too.
    instance.reader.rendered(TENANT, msgspec.structs.replace(found), response)
    entry = instance.reader.cache.partition(TENANT).entries[ONE]
    assert entry.response is response
    commit = instance.store.write(TENANT, ONE)
    instance.reader.committed([commit])
    instance.reader.rendered(TENANT, found, response)
    assert entry.response is None


async def test_at_the_end_nobody_waits_for_what_will_not_come() -> None:
    instance = Instance(is_held=True)
    instance.reader.start()
    reads = [instance.begin(identifier) for identifier in (ONE, OTHER)]
    await settle()
    reads.append(instance.begin(THIRD))
    await asyncio.sleep(0)
    await instance.reader.close()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(result) for result in results] == [DatabaseUnavailable] * 3
    with pytest.raises(Overloaded):
        await instance.version(THIRD)


async def test_more_tenants_than_are_followed_are_still_answered_rightly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "cached_scopes_max", 3)
    instance = Instance()
    scopes = [Scope(f"{number:032x}", False) for number in range(8)]
    for scope in scopes:
        instance.store.write(scope, ONE)
        assert await instance.version(ONE, scope) == 1
    for scope in scopes:
        instance.reader.committed([instance.store.write(scope, ONE)])
        assert await instance.version(ONE, scope) == 2
    assert len(instance.reader._objects.scopes) <= 3


async def test_what_the_ledger_keeps_is_joined_until_its_tenant_changes_and_not_cached() -> None:
    instance = Instance(is_held=True)
    transfer = "ltr_" + "1" * 32
    instance.store.write(TENANT, transfer)
    reads = [instance.begin(transfer), instance.begin(transfer)]
    await settle()
    instance.store.pending[0].look()
    # As when a transfer of another batch ends a hold: there is no version that tells of it.
    commit = instance.store.write(TENANT, transfer)
    instance.reader.committed([Commit(TENANT, commit.before, commit.after, [])])
    reads.append(instance.begin(transfer))
    await instance.answer()
    assert [await read for read in reads] == [1, 1, 2]
    assert instance.store.statements == 2
    assert len(instance.reader.cache) == 0
