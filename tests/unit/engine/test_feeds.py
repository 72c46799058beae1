"""Feeds wake those who follow, read once for all of them, and let nobody hold them up."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.feeds import Feeds, Follower, News, Piece
from fastpay.engine.ports import Commit
from fastpay.errors import DatabaseUnavailable, Overloaded, RateLimited
from tests.unit.engine.hand_clock import HandClock

SCOPE = Scope("a", livemode=False)
OTHER = Scope("b", livemode=False)


class Tenant:
    """A sequence of which every number is an event, and the feeds over it."""

    def __init__(self) -> None:
        self.end = 0
        self.asked: list[int] = []
        self.page = 100
        self.is_away = False
        self.clock = HandClock()
        self.feeds = Feeds(self.read_sequences, clock=self.clock)

    async def read_sequences(self, scopes: Sequence[Scope]) -> Mapping[Scope, int]:
        return dict.fromkeys(scopes, self.end)

    async def read(self, after: int) -> News:
        self.asked.append(after)
        await asyncio.sleep(0)
        if self.is_away:
            raise DatabaseUnavailable("away")
        through = max(after, min(self.end, after + self.page))
        numbers = range(after + 1, through + 1)
        pieces = [Piece(number, "even" if number % 2 == 0 else "odd", b"%d," % number) for number in numbers]
        data = b"".join(piece.data for piece in pieces)
        return News(after, through, self.end, pieces, data, frozenset(piece.type for piece in pieces))

    def follow(self, position: int = 0) -> Follower:
        return self.feeds.follow(SCOPE, position, self.read)

    def commit(self, count: int = 1) -> None:
        before, self.end = self.end, self.end + count
        self.feeds.committed([Commit(SCOPE, before, self.end, [])])


async def take(follower: Follower) -> bytes | None:
    """Return what comes next, above where the follower was."""
    before = follower.position
    async with asyncio.timeout(30):
        news = await follower.next()
    if news is None:
        return None
    return b"".join(piece.data for piece in news.pieces if piece.sequence > before)


def calls_of(act: Callable[[], object]) -> int:
    """Return how many functions a call calls, compiled ones as well."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def waiting(tenant: Tenant, count: int) -> list["asyncio.Task[bytes | None]"]:
    """Return the waiting of so many followers who have everything."""
    tasks = [asyncio.create_task(take(tenant.follow(tenant.end))) for _ in range(count)]
    await settle()
    assert not any(task.done() for task in tasks)
    return tasks


async def test_a_follower_gets_what_was_and_then_what_comes() -> None:
    tenant = Tenant()
    tenant.end, tenant.page = 5, 2
    follower = tenant.follow(1)
    assert [await take(follower), await take(follower)] == [b"2,3,", b"4,5,"]
    later = asyncio.create_task(take(follower))
    await settle()
    tenant.commit(2)
    assert await later == b"6,7,"


async def test_all_followers_share_one_read_of_what_is_new() -> None:
    tenant = Tenant()
    tasks = await waiting(tenant, 300)
    tenant.asked.clear()
    tenant.commit()
    assert await asyncio.gather(*tasks) == [b"1,"] * 300
    assert tenant.asked == [0]


async def test_followers_who_come_back_at_one_position_share_the_read_as_well() -> None:
    tenant = Tenant()
    tenant.end = 3
    followers = [tenant.follow(1) for _ in range(50)]
    assert await asyncio.gather(*map(take, followers)) == [b"2,3,"] * 50
    assert tenant.asked == [1]


async def test_what_is_committed_while_the_followers_are_woken_comes_in_order() -> None:
    tenant = Tenant()
    follower = tenant.follow(0)
    got = b""
    task = asyncio.create_task(take(follower))
    for _ in range(20):
        await asyncio.sleep(0)
        tenant.commit()
    while not got.endswith(b"20,"):
        got += await task or b"ended"
        task = asyncio.create_task(take(follower))
    task.cancel()
    assert got == b"".join(b"%d," % number for number in range(1, 21))


async def test_a_follower_who_is_too_slow_is_dropped_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "feed_bytes_max", 4)
    monkeypatch.setattr(limits, "feed_pause_ms", 0)
    tenant = Tenant()
    slow, quick = tenant.follow(0), tenant.follow(0)
    tasks = [asyncio.create_task(take(one)) for one in (slow, quick)]
    await settle()
    tenant.commit()
    assert await asyncio.gather(*tasks) == [b"1,", b"1,"]
    for number in (2, 3, 4, 5):
        task = asyncio.create_task(take(quick))
        await settle()
        tenant.commit()
        assert await task == b"%d," % number
    assert await take(slow) is None
    assert tenant.feeds.counts()["feeds_dropped"] == 1
    # It comes back where it was.
    assert await take(tenant.follow(slow.position)) == b"2,3,4,5,"


async def test_a_follower_of_other_types_is_not_woken_and_misses_nothing() -> None:
    tenant = Tenant()
    follower = tenant.feeds.follow(SCOPE, 0, tenant.read, frozenset(("even",)))
    task = asyncio.create_task(take(follower))
    await settle()
    tenant.commit()
    await settle()
    assert (task.done(), follower.position) == (False, 1)
    tenant.commit()
    assert await task == b"2,"


async def test_a_quiet_follower_is_woken_to_say_that_it_is_alive() -> None:
    tenant = Tenant()
    follower = tenant.follow(0)
    task = asyncio.create_task(follower.next())
    await settle()
    await tenant.feeds.poll()
    await settle()
    assert not task.done()
    tenant.clock.advance_ms(limits.feed_heartbeat_ms)
    await tenant.feeds.poll()
    assert await task == News(0, 0, 0)


async def test_what_every_follower_has_sent_is_kept_no_longer() -> None:
    tenant = Tenant()
    follower = tenant.follow(0)
    task = asyncio.create_task(take(follower))
    await settle()
    tenant.commit()
    assert await task == b"1,"
    assert tenant.feeds.kept_bytes == 2
    # The next commit is read after what was sent is freed.
    tenant.commit()
    assert await take(follower) == b"2,"
    assert tenant.feeds.kept_bytes == 2


async def test_what_is_kept_of_all_tenants_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "feeds_bytes_max", 1)
    monkeypatch.setattr(limits, "feed_pause_ms", 0)
    tenant = Tenant()
    slow = tenant.follow(0)
    task = asyncio.create_task(take(slow))
    await settle()
    tenant.commit()
    assert await task == b"1,"
    for _ in range(3):
        tenant.commit()
        await settle()
    assert tenant.feeds.kept_bytes == 2
    assert await take(slow) is None


async def test_a_poll_finds_what_another_instance_has_committed() -> None:
    tenant = Tenant()
    (task,) = await waiting(tenant, 1)
    tenant.end += 1
    await tenant.feeds.poll()
    assert await task == b"1,"


async def test_an_announcement_of_another_instance_wakes_the_followers() -> None:
    tenant = Tenant()
    (task,) = await waiting(tenant, 1)
    tenant.end += 1
    tenant.feeds.heard(SCOPE)
    assert await task == b"1,"


async def test_a_commit_of_another_tenant_wakes_nobody() -> None:
    tenant = Tenant()
    (task,) = await waiting(tenant, 1)
    asked = len(tenant.asked)
    tenant.feeds.committed([Commit(OTHER, 0, 9, [])])
    tenant.feeds.heard(OTHER)
    await settle()
    assert (task.done(), len(tenant.asked)) == (False, asked)
    task.cancel()


async def test_a_thousand_followers_cost_a_commit_and_the_database_what_one_does() -> None:
    found = []
    for count in (1, 1_000):
        tenant = Tenant()
        tasks = await waiting(tenant, count)
        asked = len(tenant.asked)
        calls = [calls_of(tenant.commit), calls_of(tenant.commit)]
        assert set(await asyncio.gather(*tasks)) == {b"1,2,"}
        found.append((calls, len(tenant.asked) - asked))
    assert found[0] == found[1]


async def test_followers_of_other_tenants_cost_a_commit_nothing() -> None:
    tenant, alone = Tenant(), Tenant()
    tasks = await waiting(tenant, 1_000)
    commit = [Commit(OTHER, 0, 9, [])]
    followed = calls_of(lambda: tenant.feeds.committed(commit))
    assert followed == calls_of(lambda: alone.feeds.committed(commit))
    for task in tasks:
        task.cancel()


async def test_an_outage_of_the_database_costs_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "feed_retry_ms", 1)
    tenant = Tenant()
    (task,) = await waiting(tenant, 1)
    tenant.is_away = True
    tenant.commit(2)
    await settle()
    tenant.is_away = False
    assert await task == b"1,2,"


async def test_who_comes_while_the_database_is_away_is_told() -> None:
    tenant = Tenant()
    tenant.is_away = True
    with pytest.raises(DatabaseUnavailable):
        await take(tenant.follow(0))


async def test_a_cancelled_follower_leaves_the_others_their_read() -> None:
    tenant = Tenant()
    tenant.end = 2
    gone, stays = (asyncio.create_task(take(tenant.follow(0))) for _ in "ab")
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == b"1,2,"


async def test_a_position_that_was_never_reached_does_not_mislead_others() -> None:
    tenant = Tenant()
    ahead = asyncio.create_task(take(tenant.follow(1_000)))
    (task,) = await waiting(tenant, 1)
    tenant.commit()
    assert await task == b"1,"
    assert not ahead.done()
    ahead.cancel()


async def test_a_database_that_lost_commits_ends_the_streams_instead_of_being_asked_forever() -> None:
    tenant = Tenant()
    tenant.end = 5
    follower = tenant.follow(0)
    assert await take(follower) == b"1,2,3,4,5,"
    tenant.end = 3
    late = tenant.follow(3)
    asked = len(tenant.asked)
    assert await take(late) is None
    assert len(tenant.asked) == asked + 2


async def test_a_drain_ends_every_stream_and_accepts_no_more() -> None:
    tenant = Tenant()
    tasks = await waiting(tenant, 3)
    tenant.feeds.drain()
    assert await asyncio.gather(*tasks) == [None] * 3
    with pytest.raises(Overloaded):
        tenant.follow(0)


async def test_a_feed_ends_with_its_last_follower() -> None:
    tenant = Tenant()
    first, second = tenant.follow(0), tenant.follow(0)
    task = asyncio.create_task(take(second))
    await settle()
    for follower in (first, first, second):
        tenant.feeds.leave(SCOPE, follower)
    assert await task is None
    asked = len(tenant.asked)
    tenant.commit()
    await settle()
    assert len(tenant.asked) == asked
    assert tenant.feeds.counts() == {
        "feeds_followers": 0,
        "feeds_dropped": 0,
        "feeds_kept_bytes": 0,
        "feeds_reads": asked,
    }


async def test_followers_are_bounded_for_a_tenant_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "followers_tenant_max", 2)
    monkeypatch.setattr(limits, "followers_max", 3)
    tenant = Tenant()
    first, _ = tenant.follow(0), tenant.follow(0)
    with pytest.raises(RateLimited, match="2 times already"):
        tenant.follow(0)
    tenant.feeds.follow(OTHER, 0, tenant.read)
    with pytest.raises(Overloaded):
        tenant.feeds.follow(OTHER, 0, tenant.read)
    tenant.feeds.leave(SCOPE, first)
    tenant.follow(0)
