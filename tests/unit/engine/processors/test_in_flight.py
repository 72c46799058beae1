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


async def test_a_call_that_takes_too_long_is_cancelled_alone() -> None:
    calls = InFlight(3, timeout_ms=1)
    ended: list[str] = []
    over = asyncio.Event()

    async def call(name: str, answered: asyncio.Future[str]) -> None:
        try:
            ended.append(await calls.in_time(answered))
        except TimeoutError:
            task = asyncio.current_task()
            # Nothing of it is left: a timeout of what follows in the same task counts its own cancellation.
            ended.append(f"{name} was late, {task and task.cancelling()} more")
            over.set()

    late: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answered.set_result("second answered")
    calls.start(TENANT, call("first", late))
    calls.start(TENANT, call("second", answered))
    await over.wait()
    assert ended == ["second answered", "first was late, 0 more"]


async def test_calls_of_an_instance_that_ends_are_not_taken_for_late() -> None:
    calls = InFlight(1)
    raised: list[type[BaseException]] = []

    async def call() -> None:
        try:
            await calls.in_time(asyncio.sleep(3600))
        except BaseException as error:
            raised.append(type(error))
            raise

    calls.start(TENANT, call())
    await asyncio.sleep(0)
    await calls.cancel()
    assert raised == [asyncio.CancelledError]


async def test_who_waits_for_a_call_is_told_of_its_end_even_if_it_never_began() -> None:
    calls = InFlight(1)
    told: list[str] = []

    async def call() -> None:
        told.append("began")

    calls.start(TENANT, call(), lambda: told.append("ended"))
    # Before its first turn of the loop.
    await calls.cancel()
    assert told == ["ended"]
    assert len(calls) == 0
