"""fastpay/engine/shares.py: a tenant has the process to itself until another one asks for something."""

import asyncio

import pytest

from fastpay import limits
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
