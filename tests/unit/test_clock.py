"""Chance: as many bytes as were asked for, and never the same ones twice. Time: the database's."""

import os
import threading
import time
from pathlib import Path

import pytest

from fastpay import clock as clocks
from fastpay import limits
from fastpay.clock import DatabaseClock, SystemClock, processor_ns

_DRAWS = limits.entropy_bytes_drawn // 4


@pytest.mark.parametrize("count", [0, 1, 8, 15, 16, 17, 64])
def test_as_many_bytes_are_drawn_as_were_asked_for(count: int) -> None:
    clock = SystemClock()
    assert {len(clock.random_bytes(count)) for _ in range(_DRAWS)} == {count}


@pytest.mark.parametrize("count", [8, 12, 16, 32])
def test_no_bytes_are_drawn_twice(count: int) -> None:
    clock = SystemClock()
    assert len({clock.random_bytes(count) for _ in range(_DRAWS)}) == _DRAWS


def test_two_clocks_draw_different_bytes() -> None:
    clocks = (SystemClock(), SystemClock())
    drawn = [clock.random_bytes(16) for _ in range(_DRAWS) for clock in clocks]
    assert len(set(drawn)) == len(drawn)


def test_threads_do_not_share_what_they_draw() -> None:
    clock = SystemClock()
    drawn: list[bytes] = []

    def draw() -> None:
        drawn.extend(clock.random_bytes(16) for _ in range(_DRAWS))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 4 * _DRAWS


def test_a_fork_draws_bytes_of_its_own() -> None:
    clock = SystemClock()
    clock.random_bytes(16)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, clock.random_bytes(16))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 16)
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 16
    assert theirs not in {clock.random_bytes(16) for _ in range(_DRAWS)}


class Machine:
    """A machine's clocks, of which each is set by hand."""

    def __init__(self, *, ahead_ms: int = 0) -> None:
        self.true_us = 1_800_000_000_000_000
        self.ahead_ms = ahead_ms
        self.readings = 0
        self.pause_ns = 0

    def now_ms(self) -> int:
        return self.true_us // 1_000 + self.ahead_ms

    def monotonic_ns(self) -> int:
        self.readings += 1
        # What began at some other time, and stands still for nobody.
        return self.true_us * 1_000 - 10**18 + self.readings * self.pause_ns

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def ask(self, clock: DatabaseClock, *, there_us: int = 100, back_us: int = 100) -> None:
        """Have the database say what time it is, after and before so many microseconds on the way."""
        asked_ns = self.monotonic_ns()
        self.true_us += there_us
        said_us = self.true_us
        self.true_us += back_us
        clock.observe(said_us, asked_ns=asked_ns, answered_ns=self.monotonic_ns())


DAY_MS = 86_400_000


@pytest.mark.parametrize("ahead_ms", [0, 25 * 3_600_000, -25 * 3_600_000, 8 * DAY_MS])
def test_the_database_is_right_whatever_the_wall_clock_says_at_the_start(ahead_ms: int) -> None:
    machine = Machine(ahead_ms=ahead_ms)
    clock = DatabaseClock(machine)
    machine.ask(clock)
    assert abs(clock.now_ms() - machine.true_us // 1_000) <= 1
    assert clock.skew_ms() == pytest.approx(ahead_ms, abs=1)


@pytest.mark.parametrize("jump_ms", [25 * 3_600_000, -25 * 3_600_000, 8 * DAY_MS])
def test_a_wall_clock_that_jumps_moves_nothing_and_is_seen(jump_ms: int) -> None:
    machine = Machine()
    clock = DatabaseClock(machine)
    machine.ask(clock)
    for ahead_ms in (jump_ms, 0):
        machine.ahead_ms = ahead_ms
        machine.true_us += 5_000_000
        assert abs(clock.now_ms() - machine.true_us // 1_000) <= 1
        assert clock.skew_ms() == pytest.approx(ahead_ms, abs=1)


def test_a_slow_answer_moves_the_clock_by_no_more_than_it_proves() -> None:
    machine = Machine()
    clock = DatabaseClock(machine)
    machine.ask(clock)
    for there_us, back_us in ((4_000_000, 0), (0, 4_000_000), (3_000_000, 3_000_000)):
        machine.ask(clock, there_us=there_us, back_us=back_us)
        assert abs(clock.now_ms() - machine.true_us // 1_000) <= 1
    # As a first answer it leaves the wall clock as it is where that may be right, and mends it where not.
    for ahead_ms, left_ms in ((3_000, 3_000), (9_000, 4_000)):
        machine.ahead_ms = ahead_ms
        clock = DatabaseClock(machine)
        machine.ask(clock, there_us=4_000_000, back_us=4_000_000)
        assert clock.now_ms() - machine.true_us // 1_000 == pytest.approx(left_ms, abs=1)


@pytest.mark.parametrize("jump_s", [-90_000, -1, 1, 90_000])
def test_a_database_whose_clock_was_set_is_followed(jump_s: int) -> None:
    machine = Machine()
    clock = DatabaseClock(machine)
    machine.ask(clock)
    asked_ns = machine.monotonic_ns()
    clock.observe(machine.true_us + jump_s * 1_000_000, asked_ns=asked_ns, answered_ns=asked_ns + 1_000)
    assert clock.skew_ms() == pytest.approx(-jump_s * 1_000, abs=1)


def test_a_process_that_was_stopped_between_two_readings_compares_nothing() -> None:
    machine = Machine(ahead_ms=5_000)
    clock = DatabaseClock(machine)
    machine.pause_ns = (limits.clock_reading_ms_max + 1) * 1_000_000
    assert clock.skew_ms() is None


def test_a_thread_that_runs_wants_a_processor_all_the_time() -> None:
    before_ns, begun_ns = processor_ns(), time.monotonic_ns()
    while (passed_ns := time.monotonic_ns() - begun_ns) < 50_000_000:
        pass
    # The kernel adds up now and then only.
    assert processor_ns() - before_ns == pytest.approx(passed_ns, rel=0.5)


def test_without_the_kernels_count_the_time_of_running_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_SCHEDULED", Path("/nowhere"))
    assert 0 < processor_ns() <= time.thread_time_ns()
