"""Comparisons run beside requests: so many at once, and a fault of one costs nobody anything."""

import asyncio

from fastpay import limits
from fastpay.engine.rollout.shadow import ShadowTasks


async def test_so_many_run_at_once_and_all_end_at_the_stop() -> None:
    tasks, ended = ShadowTasks(), 0

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    tasks.start()
    for _ in range(limits.shadow_requests_max):
        assert tasks.has_room
        tasks.begin(work())
    assert not tasks.has_room
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == limits.shadow_requests_max
    assert tasks.has_room


async def test_a_fault_ends_its_own_comparison_only() -> None:
    tasks, others = ShadowTasks(), asyncio.Event()

    async def wait() -> None:
        await others.wait()

    async def fail() -> None:
        raise ZeroDivisionError

    for _ in range(limits.shadow_requests_max - 1):
        tasks.begin(wait())
    tasks.begin(fail())
    for _ in range(10):
        await asyncio.sleep(0)
    assert tasks.has_room
    others.set()
    await tasks.close()
