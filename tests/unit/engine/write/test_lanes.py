"""Lanes: a tenant keeps to its own, and a lane that is held up holds up no other."""

import asyncio

import pytest

from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.lanes import Lanes
from fastpay.engine.write.writer import Writer
from fastpay.errors import Overloaded
from tests.unit.engine.memory import MemoryStore, check_books, submission
from tests.unit.engine.write.test_writer_ahead import JOIN

pytestmark = pytest.mark.anyio

EVEN, ODD = Scope("0" * 31 + "2", False), Scope("0" * 31 + "3", False)


def make_lanes() -> tuple[Lanes, list[MemoryStore]]:
    """Return two lanes, each with a store of its own, which shows who takes which."""
    stores = [MemoryStore(EVEN, ODD), MemoryStore(EVEN, ODD)]
    return Lanes([Writer(store, clock=SystemClock()) for store in stores]), stores


async def test_a_tenant_keeps_to_its_lane() -> None:
    lanes, stores = make_lanes()
    lanes.start()
    await asyncio.gather(*(lanes.submit(submission(JOIN, scope=scope)) for scope in (EVEN, ODD, EVEN)))
    await lanes.close()
    written = [{scope for scope, _ in store.state.versions} for store in stores]
    assert written == [{EVEN}, {ODD}]
    for store in stores:
        check_books(store)


async def test_a_lane_that_is_held_up_holds_up_no_other() -> None:
    lanes, stores = make_lanes()
    lanes.start()
    stores[0].gate.clear()
    held = asyncio.create_task(lanes.submit(submission(JOIN, scope=EVEN)))
    assert (await lanes.submit(submission(JOIN, scope=ODD))).answer.error is None
    assert not held.done()
    stores[0].gate.set()
    await held
    await lanes.close()


async def test_closed_lanes_take_nothing_more() -> None:
    lanes, _ = make_lanes()
    lanes.start()
    lanes.admit(EVEN)
    await lanes.close()
    for scope in (EVEN, ODD):
        with pytest.raises(Overloaded):
            lanes.admit(scope)
