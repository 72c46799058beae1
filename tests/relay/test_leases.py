"""Instances share endpoints evenly, one delivers to each, and nothing is lost when one dies."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from fastpay import limits
from fastpay.engine.relay.lease_ports import Record
from fastpay.engine.relay.spread import quota
from fastpay.errors import DatabaseUnavailable
from fastpay.store.connections import connected
from tests.relay.instances import Instance, attempts, cursor, fetch, instance, is_delivered, until
from tests.support.engine import make_tenant
from tests.support.postgres_proxy import Manner, Proxy
from tests.support.receiver import Receiver

TYPE = "customer.created"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let instances look at their leases often, and let none end because the machine is busy."""
    monkeypatch.setattr(limits, "relay_beat_ms", 100)
    monkeypatch.setattr(limits, "relay_lease_ms", 60_000)


@pytest.fixture
def short_leases(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lease of an instance that is silent end soon."""
    monkeypatch.setattr(limits, "relay_lease_ms", 1_500)


async def held(database_url: str) -> list[int]:
    """Return how many endpoints each instance holds."""
    rows = await fetch(
        database_url,
        "select count(*) as held from webhook_cursor where holder is not null group by holder order by 1",
    )
    return [row["held"] for row in rows]


def check_received(receiver: Receiver, path: str, count: int) -> int:
    """Find everything acknowledged with one body each, and return how much came twice."""
    got = receiver.acknowledged(path)
    assert len(set(got)) == count
    bodies = {(line["headers"]["fastpay-sequence"], line["body"]) for line in receiver.got(path)}
    assert len(bodies) == count
    return len(got) - count


@pytest.mark.usefixtures("hasty")
async def test_instances_share_endpoints_evenly_and_take_over_what_others_leave(
    database_url: str, receiver: Receiver
) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoints = [
            await one.endpoint(scope, f"{receiver.url}/shared_{number}", TYPE) for number in range(7)
        ]

        async def is_shared(*counts: int) -> bool:
            return await held(database_url) == [*counts]

        await until(lambda: is_shared(7))
        async with instance(database_url) as two:
            await until(lambda: is_shared(3, 4))
            async with instance(database_url) as three:
                await until(lambda: is_shared(2, 2, 3))
                await one.make_events(scope, 10)
                two.relay.heard(scope)
                three.relay.heard(scope)
                await until(lambda: is_delivered(database_url, *endpoints))
            # Others have them as soon as they ask, long before a lease would have ended.
            await until(lambda: is_shared(3, 4))
            await one.make_events(scope, 10)
        await until(lambda: is_shared(7))
        await until(lambda: is_delivered(database_url, *endpoints))
        assert one.relay.counts()["relay_fenced"] == 0
    # Nothing has failed, so nothing came twice, whoever delivered it.
    assert [check_received(receiver, f"shared_{number}", 20) for number in range(7)] == [0] * 7


@pytest.mark.usefixtures("hasty")
async def test_an_instance_that_comes_takes_a_single_endpoint_from_nobody(database_url: str) -> None:
    """Whatever its identifier is: both that are lower and that are higher than the holder's."""
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, "http://127.0.0.1:9/nobody", TYPE)
        await until(lambda: _is_held(database_url, endpoint))
        before = await cursor(database_url, endpoint)
        holder = one.relay._instance_id
        for comer in ("0" * 32, "f" * 32):
            spread = await one.store.beat(comer)
            assert (spread.held[holder], quota(spread, comer), spread.has_free) == (1, 0, False)
        for _ in range(3):
            await one.relay.beat()
        after = await cursor(database_url, endpoint)
    assert (before["holder"].hex, before["fence"]) == (after["holder"].hex, after["fence"]) == (holder, 1)


@pytest.mark.usefixtures("hasty")
async def test_partitions_are_made_though_an_old_one_cannot_be_dropped(database_url: str) -> None:
    async with instance(database_url) as one, connected(database_url) as reader:
        await one.store.make_partitions()
        last = await _partitions(database_url)
        await reader.execute(
            "create table webhook_attempt_20200101 partition of webhook_attempt for values from "
            "(webhook_attempt_bound('2020-01-01')) to (webhook_attempt_bound('2020-01-02'))"
        )
        await reader.execute(f"drop table {last[-1]}")
        async with reader.transaction():
            await reader.execute("lock table webhook_attempt_20200101 in access share mode")
            one.relay._partitions_ns = None
            await one.relay._keep_partitions(1)
            assert await _partitions(database_url) == ["webhook_attempt_20200101", *last]
        await one.store.drop_partitions(retention_days=30)
        assert await _partitions(database_url) == last


@pytest.mark.usefixtures("short_leases")
async def test_what_was_sent_and_not_stored_is_sent_again_by_the_next_instance(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the answer of the receiver and the record of it."""
    scope = await make_tenant(database_url)
    async with AsyncExitStack() as stack:
        dying = await stack.enter_async_context(instance(database_url))
        endpoint = await dying.endpoint(scope, f"{receiver.url}/killed", TYPE)
        await until(lambda: _is_held(database_url, endpoint))
        fence = (await cursor(database_url, endpoint))["fence"]

        record = dying.store.record

        async def lose(*given: Any, **named: Any) -> Any:
            if not receiver.acknowledged("killed"):
                # The state that it began with.
                return await record(*given, **named)
            await dying.die()
            return set()

        monkeypatch.setattr(dying.store, "record", lose)
        await dying.make_events(scope, 5)
        # It may die before it has sent all of them.
        await until(lambda: len(receiver.acknowledged("killed")) > 0)
        assert (await cursor(database_url, endpoint))["delivered_through"] < 3
        async with instance(database_url):
            await until(lambda: is_delivered(database_url, endpoint))
    assert 0 < check_received(receiver, "killed", 5) <= 5
    assert (await cursor(database_url, endpoint))["fence"] > fence


@pytest.mark.usefixtures("short_leases")
async def test_an_instance_that_was_fenced_off_moves_nothing(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as old:
        endpoint = await old.endpoint(scope, f"{receiver.url}/fenced", TYPE)
        await until(lambda: _is_held(database_url, endpoint))
        (channel,) = old.relay.leases.channels.values()
        stale = channel.record()
        # As if it stood still for longer than its lease: it renews nothing.
        beat = old.store.beat
        monkeypatch.setattr(old.store, "beat", _stand_still)
        async with instance(database_url) as new:
            await until(lambda: _is_taken_over(database_url, endpoint, stale.fence))
            await new.make_events(scope, 5)
            await until(lambda: is_delivered(database_url, endpoint))
            before = await cursor(database_url, endpoint)
            forged = stale._replace(position=before["position"] + 100, failures=9)
            assert await _record(old, forged) == set()
            assert await _record(old, forged._replace(fence=before["fence"])) == set()
            assert await cursor(database_url, endpoint) == before
            # It sends nothing either, since its lease is over.
            channel.end += 1
            channel.pump()
            assert channel.progress.in_flight == 0
            monkeypatch.setattr(old.store, "beat", beat)
            # It may hold the endpoint again at once, since both share it: then under another fencing number.
            await until(lambda: old.relay.counts()["relay_fenced"] >= 1)
            assert channel not in old.relay.leases.channels.values()
    assert check_received(receiver, "fenced", 5) == 0


@pytest.mark.usefixtures("hasty")
async def test_two_instances_that_claim_at_once_do_not_both_succeed(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one:
        endpoint = await one.endpoint(scope, "http://127.0.0.1:9/nobody", TYPE)
        await until(lambda: _is_held(database_url, endpoint))
        first, second = "a" * 32, "b" * 32
        await one.relay.leave()
        await one.store.beat(first)
        await one.store.beat(second)
        claims = [await one.store.claim(name, 10) for name in (first, second, first)]
        assert [len(leases) for leases in claims] == [1, 0, 0]
        assert claims[0][0].fence == 2


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("manner", ["freeze", "withheld", "after", "half"])
async def test_nothing_is_lost_or_sent_twice_when_the_database_is_away_for_a_moment(
    database_url: str, receiver: Receiver, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was delivered meanwhile is kept in memory, and stored when the database is back."""
    monkeypatch.setattr(limits, "read_timeout_ms", 300)
    path = f"away_{manner}"
    scope = await make_tenant(database_url)
    async with Proxy(database_url) as proxy, instance(database_url, relay_url=proxy.url) as one:
        endpoint = await one.endpoint(scope, f"{receiver.url}/{path}", TYPE)
        await until(lambda: _is_held(database_url, endpoint))
        record, frozen = one.store.record, asyncio.Event()

        async def freeze(name: str, records: Any, made: Any) -> Any:
            # When there is something to lose.
            if made and not frozen.is_set():
                proxy.freeze()
                frozen.set()
            return await record(name, records, made)

        for place in range(4):
            if manner == "freeze":
                frozen.clear()
                monkeypatch.setattr(one.store, "record", freeze)
            else:
                proxy.arm(cast("Manner", manner), place=3 * place)
            await one.make_events(scope, 5)
            if manner == "freeze":
                await frozen.wait()
                await asyncio.sleep(0.5)
                await proxy.cut_all()
                proxy.thaw()
            else:
                await until(lambda: proxy.struck)
        await until(lambda: is_delivered(database_url, endpoint))
    assert check_received(receiver, path, 20) == 0
    assert len(await attempts(database_url, endpoint)) == 20


async def _partitions(database_url: str) -> list[str]:
    rows = await fetch(
        database_url,
        "select relname from pg_inherits join pg_class on oid = inhrelid "
        "where inhparent = 'webhook_attempt'::regclass order by relname",
    )
    return [row["relname"] for row in rows]


async def _is_held(database_url: str, endpoint_id: str) -> bool:
    return (await cursor(database_url, endpoint_id)).get("position") is not None


async def _is_taken_over(database_url: str, endpoint_id: str, fence: int) -> bool:
    return bool((await cursor(database_url, endpoint_id))["fence"] > fence)


async def _record(one: Instance, record: Record) -> Any:
    return await one.store.record(one.relay._instance_id, [record], [])


async def _stand_still(_: str) -> Any:
    raise DatabaseUnavailable("standing still")
