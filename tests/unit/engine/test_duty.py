"""One of several instances looks for what is due, and another one soon if it does not any more."""

from collections.abc import Mapping
from contextlib import suppress

import pytest

from fastpay import limits
from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import Load, Member, Roll
from fastpay.errors import DatabaseUnavailable
from tests.unit.engine.hand_clock import HandClock

# Today's bound, how long a look counts, how long a silent member counts, and the next question for members.
_BOUND_MS = (
    limits.expiry_interval_ms + limits.due_looked_ms + limits.member_alive_ms + limits.clock_interval_ms
)


class Table:
    """The table of members, as the database has it."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.rows: dict[str, tuple[int, Load]] = {}
        self.is_away = False

    async def read_moment(self) -> int:
        return self.clock.now_ms() * 1000

    async def beat(self, own: Member, load: Load, report: Mapping[str, int]) -> Roll:
        if self.is_away:
            raise DatabaseUnavailable("Away.")
        now_ms = self.clock.now_ms()
        self.rows[own.member_id] = now_ms, load
        others = {
            one: load
            for one, (seen_ms, load) in self.rows.items()
            if one != own.member_id and seen_ms > now_ms - limits.member_alive_ms
        }
        return Roll(now_ms * 1000, tuple(Member(one, "release", one) for one in others), others)

    async def leave(self, own: Member) -> None:
        del self.rows[own.member_id]


class Instance:
    """Looks and beats once a second, unless it is frozen, hangs or fails."""

    def __init__(self, table: Table, name: str) -> None:
        self.membership = Membership(table, table, clock=table.clock)
        self.own = Member(name, "release", name)
        self.is_frozen = self.hangs = False
        self.fault: Exception | None = None
        self.looks = 0
        self._look = self.membership.duty.shared("expiry", self._count)

    async def second(self) -> int:
        """Live for a second, and return how often it looked."""
        before = self.looks
        if not self.is_frozen:
            if not self.hangs:
                with suppress(DatabaseUnavailable):
                    await self._look()
            with suppress(DatabaseUnavailable):
                await self.membership.read_moment()
        return self.looks - before

    async def _count(self) -> int:
        if self.fault is not None:
            raise self.fault
        self.looks += 1
        return 0


class World:
    """Three instances, the oldest first, that have come to an agreement."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.table = Table(self.clock)
        self.all = [Instance(self.table, name) for name in "123"]

    async def settle(self) -> "World":
        """Have all join."""
        for one in self.all:
            await one.membership.join(one.own, report=dict, changed=lambda *_: None)
        await self.seconds(5)
        return self

    async def seconds(self, count: int) -> list[int]:
        """Return how often each looked in so many seconds."""
        looks = [0, 0, 0]
        for _ in range(count):
            self.clock.advance_ms(1_000)
            for number, one in enumerate(self.all):
                looks[number] += await one.second()
        return looks

    async def until_somebody_looks(self) -> int:
        """Return after how many milliseconds one looks."""
        for passed_ms in range(1_000, 60_000, 1_000):
            if any(await self.seconds(1)):
                return passed_ms
        raise AssertionError("nobody looks")


async def test_an_instance_without_others_looks_each_time() -> None:
    one = Instance(Table(HandClock()), "1")
    assert [await one.second() for _ in range(3)] == [1, 1, 1]


async def test_the_oldest_one_looks_and_no_other() -> None:
    world = await World().settle()
    assert await world.seconds(20) == [20, 0, 0]


@pytest.mark.parametrize("state", ["frozen", "hanging", "failing", "left"])
async def test_the_next_oldest_looks_soon_after_the_oldest_does_not(state: str) -> None:
    world = await World().settle()
    oldest = world.all[0]
    if state == "left":
        await oldest.membership.leave()
        oldest.hangs = True
    oldest.is_frozen, oldest.hangs = state == "frozen", oldest.hangs or state == "hanging"
    oldest.fault = DatabaseUnavailable("Not here.") if state == "failing" else None
    assert await world.until_somebody_looks() <= _BOUND_MS
    await world.seconds(5)
    assert await world.seconds(10) == [0, 10, 0]


async def test_the_oldest_looks_alone_again_once_it_can() -> None:
    world = await World().settle()
    world.all[0].is_frozen = True
    await world.seconds(10)
    world.all[0].is_frozen = False
    await world.seconds(5)
    assert await world.seconds(10) == [10, 0, 0]


async def test_all_look_while_nobody_is_told_who_is_live() -> None:
    world = await World().settle()
    world.table.is_away = True
    await world.seconds(limits.due_relieved_ms // 1_000)
    assert await world.seconds(10) == [10, 10, 10]


async def test_who_has_not_looked_yet_relieves_nobody() -> None:
    world = World()
    world.all[0].hangs = True
    await world.settle()
    assert await world.seconds(10) == [0, 10, 0]
