"""Work that is put off: what is said of it, and how often."""

import logging

import pytest

from fastpay import limits
from fastpay.engine.periodic import Periodic
from fastpay.errors import DatabaseUnavailable
from fastpay.observability import telemetry
from tests.unit.engine.hand_clock import HandClock


class World:
    """Work that fails as it is told to, a second apart."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.fault: Exception | None = None
        self.is_away = False
        self.periodic = Periodic(
            "expiry",
            self._work,
            interval_ms=1_000,
            clock=self.clock,
            log=telemetry.Log("fastpay.expiry"),
            is_away=lambda: self.is_away,
        )

    async def _work(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def do(self, times: int) -> None:
        """Let it work so many times."""
        for _ in range(times):
            self.clock.advance_ms(1_000)
            await self.periodic.do()


async def test_an_outage_is_not_said_again_by_each_who_waits_for_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="fastpay")
    world = World()
    world.fault = DatabaseUnavailable("Away.")
    # The first failure may come before anybody knows.
    await world.do(1)
    world.is_away = True
    await world.do(90)
    world.fault, world.is_away = None, False
    await world.do(1)
    assert caplog.records == []


@pytest.mark.parametrize("fault", [DatabaseUnavailable("Too slow."), ZeroDivisionError()])
async def test_another_reason_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    world = World()
    world.fault = fault
    await world.do(2 * limits.outage_reminder_ms // 1_000)
    assert len(caplog.records) == 2
    said = getattr(caplog.records[0], "fields", {})
    assert said["work"] == "expiry"
    if isinstance(fault, DatabaseUnavailable):
        assert caplog.records[0].getMessage() == "work_postponed"
        assert said["reason"] == "Too slow."
    else:
        assert caplog.records[0].getMessage() == "work_failed"
        assert caplog.records[0].exc_info is not None
