"""Reads that fail after a long wait: who waits for them, and who comes right after."""

import asyncio
from collections.abc import Sequence

import pytest

from fastpay import limits
from fastpay.engine.read.copy_ports import Answers, Key, Seen
from fastpay.engine.read.in_flight import InFlightRead, InFlightReads
from fastpay.errors import DatabaseUnavailable
from tests.support.memory import TENANT
from tests.unit.engine.hand_clock import HandClock


class Silent:
    """A home that answers when it is told to. Satisfies `Neighbour`."""

    def __init__(self) -> None:
        self.answers: list[Answers] = []

    def wants(self, identifier: str) -> bool:
        """Want all."""
        return True

    def find(self, keys: Sequence[Key], answers: Answers) -> None:
        """Keep whom to tell."""
        self.answers.append(answers)


class World:
    """Reads that take so long, and fail while the database is away."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.took_ms = 0
        self.is_away = True
        self.reads = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.in_flight = self.new()

    def new(self) -> InFlightReads:
        """Return what sends reads to this world."""
        return InFlightReads(
            self._read, clock=self.clock, look=self._look, take=self._take, ended=lambda reads: None
        )

    async def _read(self, reads: Sequence[InFlightRead]) -> None:
        self.reads += 1
        await self.goes_on.wait()
        self.clock.advance_ms(self.took_ms)
        if self.is_away:
            raise DatabaseUnavailable("Away.")
        for read in reads:
            read.resolve(None)

    async def _look(self, reads: Sequence[InFlightRead]) -> Sequence[InFlightRead]:
        return reads

    def _take(
        self, reads: Sequence[InFlightRead], seen: Sequence[Seen | None], asked_ns: int
    ) -> Sequence[InFlightRead]:
        return reads

    async def ask(self, name: str) -> bool:
        """Tell whether a read succeeds."""
        try:
            self.in_flight.check()
            await self.in_flight.begin((TENANT, name)).wait()
        except DatabaseUnavailable:
            return False
        return True


async def test_who_comes_back_after_a_long_wait_does_not_wait_for_as_long_again() -> None:
    world = World()
    world.took_ms = limits.read_timeout_ms
    assert not await world.ask("one")
    assert not await world.ask("one")
    assert not await world.ask("other")
    assert world.reads == 1
    world.clock.advance_ms(limits.failed_reads_ms)
    world.is_away = False
    assert await world.ask("one")


async def test_what_gathered_while_others_waited_in_vain_fails_with_them() -> None:
    world = World()
    world.took_ms = limits.read_timeout_ms
    world.goes_on.clear()
    asking = []
    for number in range(limits.batch_reads_at_once + 3):
        asking.append(asyncio.create_task(world.ask(str(number))))
        # A turn for each, so that each has a statement of its own, while there may be more of them.
        for _ in range(4):
            await asyncio.sleep(0)
    world.goes_on.set()
    assert await asyncio.gather(*asking) == [False] * len(asking)
    assert world.reads == limits.batch_reads_at_once


async def test_a_read_that_fails_at_once_makes_nobody_else_fail() -> None:
    world = World()
    assert not await world.ask("one")
    world.is_away = False
    assert await world.ask("one")


async def test_reads_fail_when_they_are_cancelled_before_their_statement_began() -> None:
    world = World()
    for looks in (False, True):
        in_flight = world.new()
        read = in_flight.begin((TENANT, "one"), looks=looks)
        # Its first step is in the turn in which the task of the read is made.
        await asyncio.create_task(in_flight.close())
        assert read.is_done
        with pytest.raises(DatabaseUnavailable, match="stopping"):
            await read.wait()
    assert world.reads == 0


async def test_no_read_waits_for_a_home_after_the_end() -> None:
    world, home = World(), Silent()
    asked = world.in_flight.begin((TENANT, "one"), home=home)
    await asyncio.sleep(0)
    unasked = world.in_flight.begin((TENANT, "other"), home=home)
    await world.in_flight.close()
    home.answers[0]([None])
    for read in (asked, unasked):
        with pytest.raises(DatabaseUnavailable, match="stopping"):
            await read.wait()
    assert world.reads == 0


async def test_a_watcher_that_fails_keeps_no_other_from_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.is_away = False
    told: list[object] = []

    def fail(versioned: object) -> None:
        raise LookupError("broken")

    read = world.in_flight.begin((TENANT, "one"))
    read.watch(fail)
    read.watch(told.append)
    await read.wait()
    assert told == [None]
    assert "read_watcher_failed" in caplog.text
