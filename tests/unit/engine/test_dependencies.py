"""What the log says of an outage, by a clock that the test moves; and what readiness makes of it."""

import logging

import pytest

from fastpay import limits
from fastpay.engine.dependencies import Dependency, Part, Readiness
from fastpay.errors import DatabaseUnavailable, FastpayError
from tests.unit.engine.hand_clock import HandClock


class World:
    """A dependency with two parts, a clock, and what was logged of it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self.clock = HandClock()
        self.dependency = Dependency("database", clock=self.clock, advice="start it")
        self.connection: Part = self.dependency.part()
        self.writes: Part = self.dependency.part()

    @property
    def said(self) -> list[tuple[str, str, dict[str, object]]]:
        """Level, event and fields of each line."""
        return [
            (record.levelname, record.getMessage(), getattr(record, "fields", {}))
            for record in self._caplog.records
        ]

    def pass_seconds(self, seconds: int) -> None:
        """Let time pass, in which the dependency is looked after."""
        for _ in range(seconds):
            self.clock.advance_ms(1_000)
            self.dependency.remind()


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO, logger="fastpay")
    return World(caplog)


def test_an_outage_is_one_error_one_a_minute_and_one_line_when_it_is_over(world: World) -> None:
    world.connection.lost("connection refused")
    assert world.said == [
        (
            "ERROR",
            "dependency_lost",
            {"dependency": "database", "reason": "connection refused", "advice": "start it"},
        )
    ]
    for _ in range(90):
        world.pass_seconds(1)
        world.connection.lost("connection refused")
    world.connection.lost("the database system is starting up")
    world.pass_seconds(60)
    world.connection.back()
    world.connection.back()
    world.pass_seconds(120)
    events = [(level, event) for level, event, _ in world.said]
    assert events == [
        ("ERROR", "dependency_lost"),
        ("ERROR", "dependency_still_lost"),
        ("ERROR", "dependency_still_lost"),
        ("WARNING", "dependency_recovered"),
    ]
    assert world.said[2][2]["reason"] == "the database system is starting up"
    assert [fields.get("away_s") for _, _, fields in world.said] == [None, "60.0", "120.0", "150.0"]


def test_it_is_back_only_when_all_its_parts_are(world: World) -> None:
    world.connection.lost("connection refused")
    world.writes.lost("disk full")
    world.connection.back()
    assert [event for _, event, _ in world.said] == ["dependency_lost"]
    world.pass_seconds(60)
    assert world.said[-1][2]["reason"] == "disk full"
    world.writes.back()
    assert world.said[-1][1] == "dependency_recovered"


def test_what_comes_and_goes_all_the_time_does_not_fill_the_log(world: World) -> None:
    for _ in range(1_000):
        world.connection.lost("connection refused")
        world.connection.back()
    events = [event for _, event, _ in world.said]
    assert events == ["dependency_lost", "dependency_recovered"] * limits.outage_lines_max
    world.pass_seconds(60)
    world.connection.lost("connection refused")
    assert len(world.said) == len(events) + 1


def test_a_loss_that_was_kept_quiet_is_said_if_it_lasts(world: World) -> None:
    for _ in range(limits.outage_lines_max + 1):
        world.connection.back()
        world.connection.lost("connection refused")
    count = len(world.said)
    world.pass_seconds(60)
    world.connection.back()
    events = [event for _, event, _ in world.said[count:]]
    assert events == ["dependency_still_lost", "dependency_recovered"]


def test_readiness_is_lost_with_the_first_condition_that_is_not_met() -> None:
    readiness = Readiness()
    readiness.check()
    faults: list[FastpayError | None] = [None, DatabaseUnavailable("Away."), DatabaseUnavailable("Full.")]
    for fault in faults:
        readiness.require(lambda fault=fault: fault)  # type: ignore[misc]
    with pytest.raises(DatabaseUnavailable, match="Away"):
        readiness.check()
