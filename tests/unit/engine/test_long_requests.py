"""Turns of requests with long bodies: few at a time, tenants alternate, and nothing waits without bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fastpay import limits
from fastpay.engine.gates import create_long_request_gate
from fastpay.errors import Overloaded
from tests.support.memory import OTHER_TENANT, TENANT
from tests.unit.engine.write.test_writer_ahead import turns as let_go_on

MOST = limits.long_requests_tenant_max


class Requests:
    """Long requests that end when they are told to."""

    def __init__(self) -> None:
        self.gate = create_long_request_gate()
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str, size: int = 100_000) -> None:
        """Start requests, of the other tenant where the name begins with o."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._answer(name, size))
        await let_go_on()

    async def end(self, name: str) -> None:
        """Have a request answered."""
        self.ends[name].set()
        await let_go_on()

    async def _answer(self, name: str, size: int) -> None:
        until = asyncio.get_running_loop().time() + limits.queue_wait_ms_max / 1000
        tenant = OTHER_TENANT if name.startswith("o") else TENANT
        async with self.gate.enter(tenant, until=until, weight=size):
            self.begun.append(name)
            await self.ends[name].wait()


@asynccontextmanager
async def requests() -> AsyncIterator[Requests]:
    """End all that was started, and see that nothing is left."""
    made = Requests()
    yield made
    for end in made.ends.values():
        end.set()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)
    gate = made.gate
    assert (gate._running, gate._queues.waiting, gate._weights, gate._weight) == ({}, {}, {}, 0)
    assert gate._free == gate._slots


async def test_a_tenant_has_few_places_and_the_rest_of_its_flood_waits() -> None:
    async with requests() as made:
        names = [f"{number}" for number in range(MOST + 3)]
        await made.start(*names)
        assert made.begun == names[:MOST]
        await made.start("other")
        assert made.begun[-1] == "other"
        await made.end("0")
        assert made.begun[-1] == names[MOST]


async def test_tenants_are_called_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "long_requests_max", 2)
    monkeypatch.setattr(limits, "long_requests_tenant_max", 2)
    async with requests() as made:
        await made.start("1", "2", "3", "4", "5", "o1", "o2")
        for name in ("1", "2", "3", "o1"):
            await made.end(name)
        assert made.begun == ["1", "2", "3", "o1", "4", "o2"]


async def test_what_waits_is_bounded_for_each_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "long_waiting_bytes_tenant_max", 250_000)
    monkeypatch.setattr(limits, "long_requests_max", MOST)
    async with requests() as made:
        await made.start(*[f"{number}" for number in range(MOST + 3)])
        assert isinstance(made.tasks[f"{MOST + 2}"].exception(), Overloaded)
        assert not made.tasks[f"{MOST + 1}"].done()
        await made.start("o1", "o2")
        assert not made.tasks["o2"].done()


async def test_who_waited_too_long_or_is_gone_holds_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async with requests() as made:
        await made.start(*[f"{number}" for number in range(MOST + 2)])
        made.tasks[f"{MOST}"].cancel()
        await let_go_on()
        monkeypatch.setattr(limits, "queue_wait_ms_max", 1)
        await made.start("late")
        with pytest.raises(Overloaded):
            await made.tasks["late"]
        await made.end("0")
        assert made.begun[-1] == f"{MOST + 1}"


async def test_who_goes_away_when_it_is_called_hands_its_place_on() -> None:
    async with requests() as made:
        await made.start(*[f"{number}" for number in range(MOST + 2)])
        made.ends["0"].set()
        # Called, and canceled before it goes on.
        await asyncio.sleep(0)
        made.tasks[f"{MOST}"].cancel()
        await let_go_on()
        assert f"{MOST}" not in made.begun
        assert made.begun[-1] == f"{MOST + 1}"


async def test_who_gives_up_in_the_turn_in_which_a_place_is_free_harms_nobody() -> None:
    async with requests() as made:
        names = [f"{number}" for number in range(MOST + 2)]
        await made.start(*names)
        # Both before the loop goes on: the wait is cancelled already, and still in line.
        made.ends["0"].set()
        made.tasks[names[MOST]].cancel()
        await let_go_on()
        await made.tasks["0"]
        assert made.begun == [*names[:MOST], names[MOST + 1]]
        with pytest.raises(asyncio.CancelledError):
            await made.tasks[names[MOST]]
