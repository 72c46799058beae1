"""The one who keeps the time: what is said of a clock that is off, and what is refused meanwhile."""

import logging

import pytest

from fastpay import limits
from fastpay.clock import DatabaseClock
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.timekeeper import Timekeeper
from fastpay.errors import ClockSkewed, DatabaseUnavailable
from tests.support.memory import MOMENT_MS
from tests.unit.engine.readings import HandClock

BOUND_MS = 5_000
DAY_MS = 86_400_000


class Machine(HandClock):
    """A machine whose wall clock can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class World:
    """A machine, a database with a clock of its own, and a timekeeper between them."""

    def __init__(self, *, ahead_ms: int = 0) -> None:
        self.machine = Machine()
        self.machine.ahead_ms = ahead_ms
        self.database_ahead_ms = 0
        self.is_away = False
        self.clock = DatabaseClock(self.machine)
        self.identifiers = IdentifierFactory(self.clock)
        self.keeper = Timekeeper(self, clock=self.clock, identifiers=self.identifiers, refused_ms=BOUND_MS)

    async def read_moment(self) -> int:
        if self.is_away:
            raise DatabaseUnavailable("away")
        return (MOMENT_MS + self.machine.ns // 1_000_000 + self.database_ahead_ms) * 1_000

    async def look(self, *, after_ms: int = 1_000) -> bool:
        """Let time pass and look; return whether an identifier is given out then, of the database's time."""
        self.machine.advance(after_ms)
        await self.keeper.look()
        try:
            stamp = self.identifiers.stamp()
        except ClockSkewed:
            with pytest.raises(ClockSkewed):
                self.identifiers.require()
            return False
        self.identifiers.require()
        assert stamp.moment_ms == MOMENT_MS + self.machine.ns // 1_000_000 + self.database_ahead_ms
        return True


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return what was logged, and forget it."""
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


@pytest.mark.parametrize("ahead_ms", [BOUND_MS + 1, -BOUND_MS - 1, 25 * 3_600_000, 8 * DAY_MS, -8 * DAY_MS])
async def test_a_clock_that_is_off_is_said_to_be_and_refuses_until_it_is_right(
    ahead_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastpay.clock")
    world = World()
    assert await world.look()
    for _ in range(2):
        assert said(caplog) == []
        world.machine.ahead_ms = ahead_ms
        assert not await world.look()
        assert world.keeper.counts() == {"clock_skew_ms": ahead_ms}
        assert said(caplog) == [(logging.ERROR, "clock_skewed")]
        world.machine.ahead_ms = 0
        assert await world.look()
        assert said(caplog) == [(logging.INFO, "clock_corrected")]


@pytest.mark.parametrize("ahead_ms", [25 * 3_600_000, -25 * 3_600_000])
async def test_a_process_that_starts_with_a_wrong_clock_refuses_and_recovers(ahead_ms: int) -> None:
    world = World(ahead_ms=ahead_ms)
    assert not await world.look(after_ms=0)
    world.machine.ahead_ms = 0
    assert await world.look()


async def test_what_is_off_by_less_than_the_bound_is_put_right_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    for ahead_ms in (BOUND_MS, -BOUND_MS, 0):
        world.machine.ahead_ms = ahead_ms
        assert await world.look()
    assert said(caplog) == []


async def test_a_clock_that_stays_off_is_said_to_be_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.machine.ahead_ms = DAY_MS
    for _ in range(121):
        assert not await world.look()
    assert said(caplog) == [(logging.ERROR, "clock_skewed")] * 3


async def test_a_database_whose_clock_jumps_is_doubted_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """With two clocks nobody can tell which one is wrong: until they agree nothing is stamped."""
    world = World()
    assert await world.look()
    world.database_ahead_ms = DAY_MS
    assert not await world.look()
    world.database_ahead_ms = 0
    assert await world.look()
    # That it is over is told below ERROR, if the log takes that.
    assert [level for level, _ in said(caplog) if level > logging.INFO] == [logging.ERROR]


async def test_while_the_database_is_away_the_last_answer_holds() -> None:
    world = World()
    assert await world.look()
    world.is_away = True
    assert await world.look(after_ms=limits.creation_ms_max * 10)
    world.machine.ahead_ms = DAY_MS
    assert not await world.look()


async def test_a_process_that_was_stopped_for_hours_has_the_right_time_at_once() -> None:
    world = World()
    assert await world.look()
    world.machine.advance(8 * DAY_MS)
    assert world.identifiers.stamp().moment_ms == MOMENT_MS + world.machine.ns // 1_000_000
