"""fastpay/engine/shares.py: a tenant has the process to itself until another one asks for something."""

import asyncio

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.shares import Shares
from fastpay.errors import Overloaded
from tests.support.memory import OTHER_TENANT, TENANT

CONTENDED_NS = limits.contended_ms * 1_000_000


class HandClock:
    """A monotonic clock that is moved by hand, in nanoseconds."""

    def __init__(self) -> None:
        self.now_ns = 10 * CONTENDED_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def shares(clock: HandClock) -> Shares:
    return Shares(clock)


def fill(shares: Shares, count: int = limits.contended_requests_max) -> None:
    for _ in range(count):
        assert shares.enter(TENANT)


def contend(shares: Shares, clock: HandClock) -> None:
    """Have another tenant be served, and this one again."""
    assert shares.enter(OTHER_TENANT)
    shares.leave(OTHER_TENANT)
    assert shares.enter(TENANT)
    shares.leave(TENANT)


async def test_a_tenant_alone_has_any_number_in_progress(shares: Shares, clock: HandClock) -> None:
    assert shares.enter(TENANT)
    clock.now_ns += CONTENDED_NS
    fill(shares, 10 * limits.contended_requests_max)


async def test_beside_another_tenant_the_next_request_waits_for_one_of_its_own(
    shares: Shares, clock: HandClock
) -> None:
    contend(shares, clock)
    fill(shares)
    assert not shares.enter(TENANT)
    assert shares.enter(OTHER_TENANT)
    waiting = asyncio.create_task(shares.wait(TENANT))
    await asyncio.sleep(0)
    shares.leave(OTHER_TENANT)
    await asyncio.sleep(0)
    assert not waiting.done()
    shares.leave(TENANT)
    await waiting
    assert not shares.enter(TENANT)


async def test_a_second_later_the_tenant_is_alone_again(shares: Shares, clock: HandClock) -> None:
    contend(shares, clock)
    fill(shares)
    clock.now_ns += CONTENDED_NS
    assert shares.enter(TENANT)


async def test_one_that_gives_up_takes_no_place(shares: Shares, clock: HandClock) -> None:
    contend(shares, clock)
    fill(shares)
    one, other = (asyncio.create_task(shares.wait(TENANT)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    shares.leave(TENANT)
    await other
    # Called and cancelled in the same turn: the place goes back.
    third = asyncio.create_task(shares.wait(TENANT))
    await asyncio.sleep(0)
    shares.leave(TENANT)
    third.cancel()
    await asyncio.gather(third, return_exceptions=True)
    assert shares.enter(TENANT)
    assert not shares.enter(TENANT)


async def test_too_long_a_wait_and_too_long_a_line_are_refused(
    shares: Shares, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "tenant_wait_ms_max", 1)
    monkeypatch.setattr(limits, "tenant_waiting_max", 1)
    contend(shares, clock)
    fill(shares)
    waiting = asyncio.create_task(shares.wait(TENANT))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await shares.wait(TENANT)
    with pytest.raises(Overloaded):
        await waiting
    shares.leave(TENANT)
    assert shares.enter(TENANT)


def crowd(shares: Shares, count: int) -> list[Scope]:
    """Have so many tenants with a request in progress each."""
    scopes = [Scope(f"acct_{number:032x}", livemode=False) for number in range(count)]
    assert all(shares.enter(scope) for scope in scopes)
    return scopes


def filled(shares: Shares) -> int:
    """Return how many requests of the tenant are let in."""
    count = 0
    while shares.enter(TENANT):
        count += 1
    return count


@pytest.mark.parametrize(
    ("others", "room"),
    [(1, 4), (15, 4), (16, 5), (30, 9), (51, 16), (1_000, 16)],
)
async def test_among_many_others_a_tenant_may_have_a_quarter_of_all(
    shares: Shares, clock: HandClock, others: int, room: int
) -> None:
    contend(shares, clock)
    crowd(shares, others)
    assert filled(shares) == room


async def test_one_that_comes_does_not_overtake_those_that_wait(shares: Shares, clock: HandClock) -> None:
    contend(shares, clock)
    fill(shares)
    waiting = [asyncio.create_task(shares.wait(TENANT)) for _ in range(3)]
    await asyncio.sleep(0)
    crowd(shares, 20)
    assert not shares.enter(TENANT)
    # There is room for six by now: the place that becomes free and two more.
    shares.leave(TENANT)
    await asyncio.gather(*waiting)
    assert not shares.enter(TENANT)


async def test_a_request_that_waits_for_somebody_outside_keeps_none_of_its_tenant_waiting(
    shares: Shares, clock: HandClock
) -> None:
    contend(shares, clock)
    fill(shares)
    waiting = [asyncio.create_task(shares.wait(TENANT)) for _ in range(3)]
    await asyncio.sleep(0)
    with shares.aside(TENANT):
        await asyncio.sleep(0)
        assert [one.done() for one in waiting] == [True, False, False]
        assert shares.has_others(OTHER_TENANT)
    # One more than its share is in progress, so the next two that end make room for one.
    shares.leave(TENANT)
    await asyncio.sleep(0)
    assert not waiting[1].done()
    shares.leave(TENANT)
    await asyncio.gather(waiting[1])
    assert not waiting[2].done()
    for _ in range(limits.contended_requests_max):
        shares.leave(TENANT)
    await waiting[2]
    shares.leave(TENANT)
    assert not shares.has_others(OTHER_TENANT)


async def test_while_all_wait_for_somebody_outside_nobody_is_in_progress(
    shares: Shares, clock: HandClock
) -> None:
    fill(shares, 1)
    with shares.aside(TENANT):
        assert not shares.has_others(OTHER_TENANT)
    assert shares.has_others(OTHER_TENANT)
    shares.leave(TENANT)
    assert not shares.has_others(OTHER_TENANT)


async def test_all_places_are_given_back(shares: Shares, clock: HandClock) -> None:
    contend(shares, clock)
    scopes = crowd(shares, 40)
    count = filled(shares)
    waiting = [asyncio.create_task(shares.wait(TENANT)) for _ in range(5)]
    await asyncio.sleep(0)
    for scope in scopes:
        shares.leave(scope)
    for _ in range(count):
        shares.leave(TENANT)
    await asyncio.sleep(0)
    # Without the others its share is what it was.
    assert [one.done() for one in waiting] == [True] * limits.contended_requests_max + [False]
    for _ in waiting:
        shares.leave(TENANT)
    await asyncio.gather(*waiting)
    assert not shares.has_others(OTHER_TENANT)
    assert filled(shares) == limits.contended_requests_max
