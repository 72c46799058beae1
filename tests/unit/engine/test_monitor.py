"""What is known of the database and the disk: suspicion, proof, and what readiness says."""

import asyncio
import errno
import logging

import pytest

from fastpay import limits
from fastpay.engine.dependencies import Dependency
from fastpay.engine.failures import FailureKind, TransientFailure
from fastpay.engine.monitor import DatabaseWatch, DiskWatch, Monitor
from tests.unit.engine.hand_clock import HandClock


def failure(kind: FailureKind) -> TransientFailure:
    """Return what the store raises."""
    return TransientFailure("00000", kind=kind, reason=kind)


class Probe:
    """Satisfies `DatabaseProbe`; answers what it is told to."""

    def __init__(self) -> None:
        self.fault: TransientFailure | None = None
        self.write_fault: TransientFailure | None = None
        self.takes_writes = True
        self.looks: list[bool] = []
        self.writes = 0

    async def look(self, *, afresh: bool) -> bool:
        """Answer."""
        self.looks.append(afresh)
        if self.fault is not None:
            raise self.fault
        return self.takes_writes

    async def write(self) -> None:
        """Write, or fail to."""
        self.writes += 1
        if self.write_fault is not None:
            raise self.write_fault

    async def close(self) -> None:
        """Do nothing."""


class World:
    """A watch over a probe."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.probe = Probe()
        self.dependency = Dependency("database", clock=self.clock, advice="")
        self.watch = DatabaseWatch(self.probe, self.dependency, clock=self.clock)

    def code(self) -> str | None:
        """Why the instance is not ready."""
        fault = self.watch.fault()
        return None if fault is None else fault.code


async def test_a_failed_statement_is_a_suspicion_and_a_new_connection_decides() -> None:
    world = World()
    await world.watch.look()
    world.watch.failed(failure("unreachable"))
    assert world.watch.suspected.is_set()
    assert world.code() is None
    await world.watch.look()
    await world.watch.look()
    assert world.code() is None
    assert world.probe.looks == [False, True, False]
    world.probe.fault = failure("unreachable")
    lost: list[int] = []
    world.watch.when_lost = lambda: lost.append(1)
    for _ in range(3):
        await world.watch.look()
    assert (world.code(), world.watch.is_away(), lost) == ("database_unavailable", True, [1])
    world.probe.fault = None
    await world.watch.look()
    assert (world.code(), world.watch.is_away()) == (None, False)


async def test_contention_says_nothing_about_the_database() -> None:
    world = World()
    world.watch.failed(failure("contention"))
    assert not world.watch.suspected.is_set()


@pytest.mark.parametrize(("kind", "code"), [("disk full", "disk_full"), ("read-only", "database_read_only")])
async def test_a_refused_write_is_believed_until_a_write_has_succeeded(kind: FailureKind, code: str) -> None:
    world = World()
    await world.watch.look()
    assert world.probe.writes == 0
    world.watch.failed(failure(kind))
    assert world.code() == code
    world.probe.write_fault = failure(kind)
    for _ in range(3):
        await world.watch.look()
    assert world.code() == code
    world.probe.write_fault = None
    await world.watch.look()
    assert world.code() is None
    assert world.probe.writes == 4


async def test_an_idle_instance_notices_that_its_database_became_a_standby() -> None:
    world = World()
    world.probe.takes_writes = False
    await world.watch.look()
    assert world.code() == "database_read_only"
    world.probe.takes_writes = True
    await world.watch.look()
    assert world.code() is None


async def test_what_was_checked_too_long_ago_is_not_believed() -> None:
    world = World()
    await world.watch.look()
    world.clock.advance_ms(limits.readiness_stale_ms)
    assert world.code() is None
    world.clock.advance_ms(1)
    assert world.code() == "database_unavailable"
    await world.watch.look()
    assert world.code() is None


async def test_a_disk_is_full_while_a_few_segments_are_left() -> None:
    free = [limits.disk_free_bytes_min]

    def free_bytes() -> int:
        if not free:
            raise OSError(errno.EIO, "Input/output error")
        return free[0]

    watch = DiskWatch(free_bytes, Dependency("disk", clock=HandClock(), advice=""))
    await watch.look()
    assert watch.fault() is None
    for change in ([limits.disk_free_bytes_min - 1], []):
        free[:] = change
        await watch.look()
        fault = watch.fault()
        assert fault is not None
        assert fault.code == "disk_full"
    free[:] = [limits.disk_free_bytes_min]
    await watch.look()
    assert watch.fault() is None


async def test_the_monitor_looks_at_once_where_something_is_suspected_and_outlives_a_fault(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "probe_interval_ms", 3_600_000)
    monkeypatch.setattr(limits, "deadline_check_ms", 1)
    world = World()

    class Broken:
        """A watch with a fault of our own."""

        async def look(self) -> None:
            """Fail."""
            raise ZeroDivisionError

        async def close(self) -> None:
            """Do nothing."""

    monitor = Monitor([Broken(), world.watch], [world.dependency], suspected=world.watch.suspected)
    monitor.start()
    with caplog.at_level(logging.CRITICAL, logger="fastpay"):
        async with asyncio.timeout(60):
            for count in range(1, 4):
                while len(world.probe.looks) < count:  # noqa: ASYNC110  what it waits for has no event
                    await asyncio.sleep(0)
                world.watch.failed(failure("unreachable"))
    await monitor.close()
    assert world.probe.looks[:3] == [False, True, True]
