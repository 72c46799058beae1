"""fastpay/engine/background.py: long computations come second to other tenants' requests."""

import asyncio
from collections.abc import Generator

import pytest

from fastpay import limits
from fastpay.engine.background import Background
from fastpay.engine.shares import Shares
from tests.support.memory import OTHER_TENANT, TENANT

STEPS = 3


class Work:
    """A computation of a few steps, each of which takes as long as it is told, by a clock moved by hand."""

    def __init__(self, step_ms: int = 0) -> None:
        self.taken = 0
        self.now_ns = 0
        self._step_ns = step_ms * 1_000_000

    def steps(self) -> Generator[None, None, str]:
        for _ in range(STEPS):
            self.taken += 1
            self.now_ns += self._step_ns
            yield
        return "done"

    def clock(self) -> int:
        return self.now_ns


async def turn_loop(turns: int = 4 * STEPS) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_a_tenant_alone_goes_on_with_the_next_turn_of_the_loop() -> None:
    shares, work = Shares(), Work(step_ms=60_000)
    assert shares.enter(TENANT)
    running = asyncio.create_task(Background(shares, work.clock).run(TENANT, work.steps()))
    await turn_loop()
    assert running.done()
    assert running.result() == "done"


async def test_beside_another_tenants_request_it_waits_until_that_is_answered() -> None:
    shares, work = Shares(), Work(step_ms=60_000)
    assert shares.enter(OTHER_TENANT)
    running = asyncio.create_task(Background(shares, work.clock).run(TENANT, work.steps()))
    await turn_loop()
    assert work.taken == 1
    shares.leave(OTHER_TENANT)
    await turn_loop()
    assert work.taken == STEPS
    assert await running == "done"


async def test_it_gets_its_share_of_the_loop_beside_a_tenant_that_never_pauses() -> None:
    shares, work = Shares(), Work(step_ms=1)
    assert shares.enter(OTHER_TENANT)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await Background(shares, work.clock).run(TENANT, work.steps()) == "done"
    # Timers may be a millisecond early.
    assert (loop.time() - begun) * 1000 >= STEPS * (limits.give_way_ratio - 1)


async def test_an_answered_request_does_not_end_the_wait_while_another_is_in_progress() -> None:
    shares, work = Shares(), Work(step_ms=60_000)
    assert shares.enter(OTHER_TENANT)
    assert shares.enter(OTHER_TENANT)
    running = asyncio.create_task(Background(shares, work.clock).run(TENANT, work.steps()))
    await turn_loop()
    shares.leave(OTHER_TENANT)
    await turn_loop()
    assert work.taken == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shares.leave(OTHER_TENANT)
    assert not shares.has_others(TENANT)


async def test_what_a_step_raises_reaches_the_caller() -> None:
    def steps() -> Generator[None, None, str]:
        yield
        raise ValueError("step")

    with pytest.raises(ValueError, match="step"):
        await Background().run(TENANT, steps())
