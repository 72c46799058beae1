"""Several instances are held against one, round by round, and all of them pay."""

import shutil

import pytest

from benchmarks import homes
from benchmarks.homes import ALONE, APART, HOMES, Found
from benchmarks.load.machine import Machine


def test_a_set_is_held_against_what_one_instance_did_in_the_same_round() -> None:
    def found(rate: float, p99_ms: float) -> Found:
        return Found(rate=rate, p50_ms=1, p99_ms=p99_ms, cpu_us=200, busiest_cpu_us=100)

    runs = {ALONE: [found(1_000, 10), found(2_000, 10)], HOMES: [found(900, 20), found(1_900, 20)]}
    assert homes.ratios(runs, HOMES) == {"rate": pytest.approx(0.925), "p99": 2.0, "busiest_cpu": 1.0}


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_all_sets_pay(machine: Machine) -> None:
    found = homes.run(machine, instances=2, connections=4, tenants=1, seconds=1, rounds=1)
    assert set(found) == {ALONE, HOMES, APART}
    assert all(one.rate > 0 for runs in found.values() for one in runs)
