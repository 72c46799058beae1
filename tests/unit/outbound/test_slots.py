"""fastpay/outbound/slots.py: who gets a slot, and that none is lost."""

import asyncio

import pytest

from fastpay.outbound.slots import Slots

LONG_S = 3_600


async def waiting(slots: Slots, count: int) -> list[asyncio.Task[None]]:
    """Return tasks that wait for a slot each."""
    tasks = [asyncio.create_task(slots.wait(LONG_S)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_slots_are_given_in_the_order_of_arrival_and_not_to_who_comes_later() -> None:
    slots = Slots(1)
    assert slots.take()
    first, second = await waiting(slots, 2)
    slots.give()
    assert not slots.take()
    await first
    assert not second.done()
    assert (slots.in_flight, slots.waiting) == (1, 1)
    slots.give()
    await second
    slots.give()
    assert slots.take()


async def test_no_slot_is_lost_whenever_its_waiter_leaves() -> None:
    slots = Slots(1)
    assert slots.take()
    leaves_before, leaves_between, leaves_after, stays = await waiting(slots, 4)
    leaves_before.cancel()
    await asyncio.wait([leaves_before])
    leaves_between.cancel()
    slots.give()
    # It has its slot, and does not know yet.
    leaves_after.cancel()
    await stays
    assert leaves_between.cancelled()
    assert leaves_after.cancelled()
    assert (slots.in_flight, slots.waiting) == (1, 0)
    slots.give()
    assert slots.in_flight == 0


async def test_who_waits_in_vain_is_told_so() -> None:
    slots = Slots(1)
    assert slots.take()
    with pytest.raises(TimeoutError):
        await slots.wait(0)
    assert (slots.in_flight, slots.waiting) == (1, 0)
