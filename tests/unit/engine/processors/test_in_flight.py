"""fastpay/engine/processors/in_flight.py: tenants share the room for calls, and nobody fills it."""

import asyncio

import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.in_flight import InFlight
from fastpay.errors import Overloaded
from tests.support.memory import OTHER_TENANT, TENANT


async def fill(calls: InFlight, *scopes: Scope) -> dict[Scope, int]:
    """Start calls of tenants in turns until each is refused, and return how many each has."""
    counts = dict.fromkeys(scopes, 0)
    refused: set[Scope] = set()
    while len(refused) < len(scopes):
        for scope in scopes:
            try:
                calls.admit(scope)
            except Overloaded:
                refused.add(scope)
                continue
            calls.start(scope, asyncio.sleep(3600))
            counts[scope] += 1
    return counts


@pytest.mark.parametrize(
    ("scopes", "each"), [((TENANT,), 10_800), ((TENANT, OTHER_TENANT), 5_685)], ids=["alone", "two"]
)
async def test_tenants_share_what_there_is(scopes: tuple[Scope, ...], each: int) -> None:
    calls = InFlight(limits.processor_calls_max)
    counts = await fill(calls, *scopes)
    assert max(counts.values()) == each
    assert sum(counts.values()) == len(calls) < limits.processor_calls_max
    await calls.cancel()
    await asyncio.sleep(0)
    assert len(calls) == 0
    assert await fill(calls, *scopes) == counts
    await calls.cancel()
