"""Copies in a real Redis: when they are asked for and kept, and what an old one is good for."""

import asyncio

import pytest
import redis

from fastpay import limits
from tests.store.sharing import (
    LONG_MS,
    counted,
    prove,
    prove_again,
    put_back,
    save,
    settled,
    share,
    sharing,
    shown,
)
from tests.store.test_announcements import until
from tests.store.test_reader import count_reads, make_customers, name_of, rename
from tests.support.engine import engine, make_tenant

pytestmark = pytest.mark.usefixtures("trusted_redis")


# What `limits.copies_worth_min` is unless a test says otherwise.
_WORTH_MIN = limits.copies_worth_min


async def test_a_thousand_cold_objects_are_one_question_to_redis_and_none_to_the_database(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        made = await make_customers(one, scope, 1_000)
        await share(one, scope, *made)
        await prove(other, scope)
        statements = count_reads(other)
        cache.config_resetstat()
        found = await asyncio.gather(*(other.reader.get(scope, identifier) for identifier in made))
        assert {name_of(one) for one in found} == {f"name {number}" for number in range(1_000)}
        assert statements == []
        assert cache.info("commandstats")["cmdstat_mget"]["calls"] == 1
        assert counted(other, "hits") == 1_000


async def test_what_was_read_is_kept_for_the_others_and_a_commit_sends_nothing(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await rename(one, scope, customer, "new")
        assert cache.keys("*") == []
        assert counted(one, "bytes_sent") == len(b"*1\r\n$4\r\nPING\r\n")
        assert await shown(other, scope, customer) == "new"
        await settled(other)
        assert len(cache.keys("*")) == counted(other, "copies_kept") == 1
        (key,) = cache.keys("*")
        assert 0 < cache.pttl(key) <= limits.copy_lifetime_ms
        await prove_again(one, scope)
        statements = count_reads(one)
        assert await shown(one, scope, customer) == "new"
        assert statements == []


async def test_a_copy_is_shown_while_others_change_much_else_of_the_tenant(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        customer, second = await make_customers(one, scope, 2)
        await prove(other, scope)
        await share(one, scope, customer)
        for number in range(5):
            await rename(one, scope, second, f"new {number}")
        statements = count_reads(other)
        assert await shown(other, scope, customer) == "name 0"
        assert statements == []


async def test_copies_of_an_earlier_moment_are_not_shown_after_a_later_one_is_known(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await share(one, scope, customer)
        saved = save(cache)
        await rename(one, scope, customer, "new")
        await share(one, scope, customer)
        put_back(cache, saved)
        await prove(other, scope)
        assert await shown(other, scope, customer) == "new"
        assert other.reader.counts()["reads_copies_stale"] == 1


async def test_an_own_commit_is_newer_than_every_copy_from_before_it(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        await prove(other, scope)
        await share(one, scope, customer)
        await rename(other, scope, customer, "new")
        other.reader.partition(scope).entries.clear()
        assert await shown(other, scope, customer) == "new"
        assert other.reader.counts()["reads_copies_stale"] == 1


async def test_a_copy_is_shown_no_longer_than_agreed_wherever_it_came_from(
    database_url: str, redis_url: str, cache: "redis.Redis"
) -> None:
    """By the reader's own monotonic clock: no time stands in a copy, and none is asked of anybody."""
    scope = await make_tenant(database_url)
    async with (
        sharing(database_url, redis_url) as one,
        sharing(database_url, redis_url, staleness_ms=200) as other,
    ):
        (customer,) = await make_customers(one, scope, 1)
        await share(one, scope, customer)
        await rename(one, scope, customer, "new")
        await prove(other, scope)
        assert await shown(other, scope, customer) == "new"
        await share(one, scope, customer)
        saved = save(cache)
        await prove(other, scope)
        await rename(one, scope, customer, "newer")
        await asyncio.sleep(0.3)
        put_back(cache, saved)
        assert await shown(other, scope, customer) == "newer"


@pytest.mark.parametrize("evicts", [True, False])
async def test_whatever_redis_loses_costs_a_read_and_no_right_answer(
    database_url: str, redis_url: str, cache: "redis.Redis", evicts: bool
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        names = await make_customers(one, scope, 3)
        for number in range(6):
            await share(one, scope, *names)
            if evicts:
                cache.delete(sorted(cache.keys("fastpay:*"))[number % 3])
            else:
                cache.flushall()
            await rename(one, scope, names[number % 3], f"new {number}")
            await prove_again(other, scope)
            for name in names:
                reading = await one.reads.read_latest([(scope, name)])
                assert await shown(other, scope, name) == name_of(reading.objects[0])
        assert one.copies.is_open
        assert other.copies.is_open


async def test_what_is_too_large_has_no_copy(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "copy_bytes_max", 250)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one:
        (customer,) = await make_customers(one, scope, 1)
        await rename(one, scope, customer, "n" * 200)
        await share(one, scope, customer)
        assert cache.keys("fastpay:*") == []
        assert counted(one, "copies_dropped") == 1


async def test_more_than_may_wait_is_dropped_and_the_others_are_sent_in_parts(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "copies_waiting_max", 25)
    monkeypatch.setattr(limits, "copies_at_once_max", 10)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one:
        made = await make_customers(one, scope, 20)
        reading = await one.reads.read_latest([(scope, name) for name in made])
        versions = reading.objects
        for _ in range(3):
            one.copies.keep(scope, 20, versions)
        assert counted(one, "copies_dropped") == 40
        await settled(one)
        assert counted(one, "copies_kept") == len(cache.keys("fastpay:*")) == 20


@pytest.mark.parametrize("why", ["absent", "too old"])
async def test_copies_that_cannot_be_shown_are_looked_for_less_until_they_can(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        names = await make_customers(one, scope, 64)
        if why == "too old":
            await share(one, scope, *names)
            await make_customers(one, scope, 1)
        monkeypatch.setattr(limits, "copies_worth_min", _WORTH_MIN)
        places = [f"cus_{number:032x}" for number in range(1_024)]
        assert all(other.copies.wants(name) for name in places)
        await prove(other, scope)
        assert len(await other.reader.get_many(scope, names)) == 64
        assert counted(other, "hits") == (64 if why == "too old" else 0)
        assert sum(other.copies.wants(name) for name in places) == 16
        # Nor is anything kept but of those few: these were wanted when they were looked for, and not after.
        await settled(other)
        assert counted(other, "copies_sent") == sum(other.copies.wants(name) for name in names)
        for _ in range(16):
            other.copies.judge(looked_for=1, shown=1)
        assert all(other.copies.wants(name) for name in places)


async def test_copies_that_can_be_shown_are_looked_for(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        names = await make_customers(one, scope, 64)
        await share(one, scope, *names)
        monkeypatch.setattr(limits, "copies_worth_min", _WORTH_MIN)
        await prove(other, scope)
        assert len(await other.reader.get_many(scope, names)) == 64
        assert other.reader.counts()["reads_copies_shown"] == 64
        assert all(other.copies.wants(name) for name in names)


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
        assert counted(other, "hits") + counted(other, "misses") + counted(other, "copies_sent") == 0


async def test_a_connection_that_is_cut_costs_copies_and_no_right_answer(
    database_url: str, redis_url: str, cache: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis_backoff_ms", "redis_backoff_max_ms"):
        monkeypatch.setattr(limits, name, 10)
    scope = await make_tenant(database_url)
    async with sharing(database_url, redis_url) as one, sharing(database_url, redis_url) as other:
        (customer,) = await make_customers(one, scope, 1)
        for number in range(4):
            cache.client_kill_filter(_type="normal", skipme=True)
            await rename(one, scope, customer, f"new {number}")
            await prove_again(other, scope)
            assert await shown(other, scope, customer) == f"new {number}"
            await until(lambda: one.copies.is_open and other.copies.is_open)
        assert counted(other, "breaker_openings") > 0


async def test_a_redis_that_cannot_be_reached_is_no_fault(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url, redis_url="redis://127.0.0.1:1/0", staleness_ms=LONG_MS) as one:
        (customer,) = await make_customers(one, scope, 1)
        assert await shown(one, scope, customer) == "name 0"
        assert not one.copies.is_open
