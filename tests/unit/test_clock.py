"""Chance: as many bytes as were asked for, and never the same ones twice."""

import os
import threading

import pytest

from fastpay import limits
from fastpay.clock import SystemClock

_DRAWS = 4 * limits.entropy_blocks_drawn


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
