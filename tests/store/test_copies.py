"""Copies in a real Redis that loses, delays and lies: right answers throughout.

Whatever is wrong with a copy, the database has the answer; so that it was refused, and why, is seen by what
is counted.
"""

import asyncio

import pytest
import redis

from fastpay import limits
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.store.copies import _parts
from tests.store.sharing import (
    LONG_MS,
    NOBODY,
    counted,
    form_of,
    prove,
    prove_again,
    put_back,
    save,
    settled,
    sharing,
    shown,
)
from tests.store.test_announcements import until
from tests.store.test_reader import count_reads, make_customers, name_of, rename
from tests.support.engine import engine, make_tenant, read_objects

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("trusted_redis")]


async def test_a_thousand_cold_objects_are_one_question_to_redis_and_none_to_the_database(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        made = await make_customers(one, scope, 1_000)
        await settled(one)
        await prove(other, scope)
        statements = count_reads(other)
        asked = cache.info("commandstats")["cmdstat_mget"]["calls"] if _has_asked(cache) else 0
        found = await asyncio.gather(*(other.reader.get(scope, identifier) for identifier in made))
        assert {name_of(one) for one in found} == {f"name {number}" for number in range(1_000)}
        assert statements == []
        assert cache.info("commandstats")["cmdstat_mget"]["calls"] == asked + 1
        assert counted(other, "hits") == 1_000


def _has_asked(cache: "redis.Redis") -> bool:
    return "cmdstat_mget" in cache.info("commandstats")


async def test_a_commit_is_primed_for_the_others_and_what_was_read_is_kept_for_them(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        await settled(one)
        cache.flushall()
        assert await shown(other, scope, customer) == "name 0"
        await settled(other)
        assert counted(other, "fills_begun") == 1
        await rename(one, scope, second, "new")
        await settled(one)
        assert counted(one, "primes_applied") > 0
    async with sharing(database_url, redis_url) as third:
        await prove(third, scope)
        statements = count_reads(third)
        assert [await shown(third, scope, name) for name in (customer, second)] == ["name 0", "new"]
        assert statements == []


async def test_copies_of_an_earlier_moment_are_not_shown_after_a_later_one_is_known(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        await settled(one)
        saved = save(cache)
        await rename(one, scope, customer, "new")
        await settled(one)
        await prove(other, scope)
        put_back(cache, saved)
        assert await shown(other, scope, customer) == "new"
        assert other.reader.counts()["reads_copies_behind"] == 1
        # Nor after the next commit, which begins anew.
        await settled(other)
        put_back(cache, saved)
        await rename(one, scope, second, "also new")
        await settled(one)
        await prove_again(other, scope)
        assert await shown(other, scope, customer) == "new"
        assert await shown(other, scope, second) == "also new"
        assert counted(other, "refused_generation") == 1


async def test_a_lost_commit_leaves_nothing_to_be_shown_from_before_it(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        await settled(one)
        with monkeypatch.context() as patched:
            patched.setattr(one.copies, "prime", lambda *_: None)
            await rename(one, scope, customer, "new")
        await rename(one, scope, second, "also new")
        await settled(one)
        assert counted(one, "primes_begun") == 2
        await prove(other, scope)
        assert await shown(other, scope, customer) == "new"
        assert await shown(other, scope, second) == "also new"
        assert counted(other, "refused_generation") == 1
        assert counted(other, "hits") == 1


async def test_a_connection_cut_between_commits_costs_copies_and_no_right_answer(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis_backoff_ms", "redis_backoff_max_ms"):
        monkeypatch.setattr(limits, name, 10)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        for number in range(6):
            cache.client_kill_filter(_type="normal", skipme=True)
            await rename(one, scope, customer, f"new {number}")
            await prove_again(other, scope)
            assert await shown(other, scope, customer) == f"new {number}"
            await until(lambda: one.copies.is_open and other.copies.is_open)
        assert counted(one, "breaker_openings") > 0


async def test_commits_that_arrive_in_another_order_leave_nothing_from_before_them(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        first = await one.reader.get(scope, customer)
        await rename(one, scope, customer, "second")
        second = await one.reader.get(scope, customer)
        assert first is not None
        assert second is not None
        await settled(one)
        cache.flushall()
        versions = [first, second]
        for instance, place in ((one, 1), (other, 0)):
            instance.copies.prime(scope, place, place + 1, versions[place : place + 1])
            await settled(instance)
        found = await one.copies.find([(scope, customer)])
        assert found.sequences == {scope: 2}
        assert name_of(found.copies[scope, customer]) == "second"
        assert counted(other, "primes_known") == 1


async def test_what_was_read_before_a_commit_is_not_kept_after_it(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        old = await one.reader.get(scope, customer)
        assert old is not None
        await rename(one, scope, customer, "new")
        await settled(one)
        other.copies.fill(scope, old.sequence, [old])
        await settled(other)
        assert counted(other, "fills_late") == 1
        await prove(other, scope)
        assert await shown(other, scope, customer) == "new"
        assert counted(other, "hits") == 1


async def test_a_mark_that_waits_for_a_commit_that_was_lost_is_given_up_for_a_newer_reading(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        await settled(one)
        monkeypatch.setattr(one.copies, "prime", lambda *_: None)
        await rename(one, scope, customer, "new")
        # A little patience: what was read is kept, and the mark still waits.
        assert await shown(other, scope, customer) == "new"
        await settled(other)
        assert counted(other, "fills_kept") == 1
        monkeypatch.setattr(limits, "prime_patience_ms", 0)
        await asyncio.sleep(0.005)
        await prove_again(other, scope)
        assert await shown(other, scope, second) == "name 1"
        await settled(other)
        assert counted(other, "fills_begun") == 1
        await prove_again(other, scope)
        assert await shown(other, scope, second) == "name 1"
        assert counted(other, "hits") == 2


async def test_whatever_redis_evicts_costs_a_read_and_no_right_answer(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        names = await make_customers(one, scope, 3)
        await settled(one)
        for number, key in enumerate(sorted(cache.keys("fastpay:*")) * 2):
            cache.delete(key)
            await rename(one, scope, names[number % 3], f"new {number}")
            await settled(one)
            await prove_again(other, scope)
            for name in names:
                expected = await read_objects(one.reads, scope, [name])
                assert await shown(other, scope, name) == name_of(expected[0])
            await settled(other)
        assert counted(other, "hits") > 0


@pytest.mark.parametrize("flush", ["flushall", "script_flush"])
async def test_an_emptied_redis_is_filled_again(
    database_url: str, redis_url: str, cache: "redis.Redis", flush: str
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await settled(one)
        getattr(cache, flush)()
        for number in range(3):
            await rename(one, scope, customer, f"new {number}")
            await settled(one)
            await prove_again(other, scope)
            assert await shown(other, scope, customer) == f"new {number}"
        assert other.reader.counts()["reads_copies_shown"] >= 2
        assert counted(one, "primes_begun") == 2
        assert one.copies.is_open


async def test_what_is_too_large_for_a_copy_leaves_no_older_one(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        monkeypatch.setattr(limits, "copy_bytes_max", 250)
        await rename(one, scope, customer, "n" * 200)
        await settled(one)
        await prove(other, scope)
        assert await shown(other, scope, customer) == "n" * 200
        assert counted(other, "misses") == 1


async def test_a_large_commit_is_sent_in_parts_that_end_where_commands_do(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "copies_at_once_max", 7)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        names = await make_customers(one, scope, 100)
        await settled(one)
        assert counted(one, "primes_begun") == 1
        assert counted(one, "primes_sent") >= 14
        await prove(other, scope)
        statements = count_reads(other)
        await asyncio.gather(*(other.reader.get(scope, name) for name in names))
        assert statements == []


def test_parts_of_a_commit_never_end_in_the_middle_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "copies_at_once_max", 3)
    customer = Customer(id=NOBODY, created=0)
    versions = [
        Versioned(customer, version, sequence)
        for version, sequence in enumerate([3, 3, 5, 5, 6, 7, 7, 7, 7, 8])
    ]
    parts = [(before, after, len(part)) for before, after, part in _parts(1, 9, versions)]
    assert parts == [(1, 5, 4), (5, 7, 5), (7, 9, 1)]
    assert [*_parts(1, 9, [])] == [(1, 9, [])]


async def test_of_what_changed_twice_in_one_batch_the_last_version_is_kept(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        sent = counted(one, "primes_sent")
        await asyncio.gather(*(rename(one, scope, customer, f"new {number}") for number in range(20)))
        await settled(one)
        assert counted(one, "primes_sent") - sent < 20
        expected = await read_objects(one.reads, scope, [customer])
        await prove(other, scope)
        assert await shown(other, scope, customer) == name_of(expected[0])
        assert counted(other, "hits") == 1


async def test_copies_that_are_never_found_are_looked_for_less_until_they_are_found_again(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "copies_worth_min", 64)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one:
        form = form_of(one)
        places = [(scope, f"cus_{number:032x}") for number in range(1_024)]
        assert all(one.copies.wants(name) for _, name in places)
        await one.copies.find(places)
        assert sum(one.copies.wants(name) for _, name in places) == 16
        # Nor is anything kept but of those few; what was there of the others goes.
        (customer,) = await make_customers(one, scope, 1)
        key = form.key(scope, customer)
        cache.set(key, b"old")
        await rename(one, scope, customer, "new")
        await settled(one)
        assert (cache.get(key) is None) is not one.copies.wants(customer)
        monkeypatch.setattr("fastpay.store.copies._SAMPLED", ("",))
        await rename(one, scope, customer, "newer")
        await settled(one)
        for _ in range(10):
            await one.copies.find([(scope, customer)])
        monkeypatch.setattr("fastpay.store.copies._SAMPLED", ("none",))
        assert one.copies.wants(customer)


async def test_with_no_staleness_allowed_redis_is_not_asked(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with (
        sharing(database_url, redis_url) as one,
        sharing(database_url, redis_url, staleness_ms=0) as other,
    ):
        (customer,) = await make_customers(one, scope, 1)
        for number in range(5):
            await rename(one, scope, customer, f"new {number}")
            assert await shown(other, scope, customer) == f"new {number}"
        assert counted(other, "hits") + counted(other, "misses") + counted(other, "fills_sent") == 0


async def test_more_than_may_wait_is_dropped(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "copies_waiting_max", 4)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one:
        for place in range(10):
            one.copies.prime(scope, place, place + 1, [])
        assert counted(one, "primes_dropped") == 6
        assert one.copies._values_waiting == 4
        await settled(one)
        assert counted(one, "primes_sent") == 4
        assert one.copies._values_waiting == 0


async def test_a_redis_that_cannot_be_reached_is_no_fault(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, redis_url="redis://127.0.0.1:1/0", staleness_ms=LONG_MS) as one:
        (customer,) = await make_customers(one, scope, 1)
        assert await shown(one, scope, customer) == "name 0"
        assert not one.copies.is_open
