"""fastpay in front of an older API is loaded, and a fault of a tenth is counted to the last request."""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from benchmarks import passing, rollout
from benchmarks.load.cores import busy_ticks, own_cores, split_cores
from benchmarks.load.machine import Machine
from benchmarks.load.report import WIDTH
from benchmarks.passing import Place, both_ways, measure, show


def test_every_payment_that_a_fault_has_harmed_is_counted_and_both_instances_go_back(
    machine: Machine,
) -> None:
    back = rollout.revert(machine)
    sys.stdout.write(f"{back.harmed} of {back.payments} payments were harmed in {back.seconds:.1f} s\n")
    assert back.reason.startswith("declines: ")
    assert back.harmed == back.counted
    assert 0 < back.harmed <= back.payments // 10


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize(
    ("name", "kind"), [(passing.WAITING, passing.PAYMENTS), (passing.FAST, passing.READS)]
)
def test_both_ways_to_an_older_api_are_loaded_in_turns(machine: Machine, name: str, kind: str) -> None:
    if name != passing.FAST:
        pytest.importorskip("flask", reason="the peers are not installed (make test does it)")
    cores = own_cores()
    first, second = split_cores(cores)
    place = Place(name="here", older=machine, older_cores=first, own=machine, own_cores=second)
    with both_ways(place, name) as ways:
        assert own_cores() == second
        for way, where in ((passing.DIRECT, first), (passing.THROUGH, second)):
            if pid := ways[way].target.pid:
                assert os.sched_getaffinity(pid) == set(where)
        found = measure(ways, place, name, kind, rounds=1, connections=2, seconds=1)
    assert own_cores() == cores
    assert list(found.rounds) == [passing.DIRECT, passing.AGAIN, passing.THROUGH]
    for way in found.rounds:
        assert found.rates(way)[0] > 0
        assert found.rounds[way][0].closed.busy.keys() >= set(cores)
    shown = io.StringIO()
    show(Console(width=WIDTH, file=shown), place, [found], connections=2)
    assert shown.getvalue().count(passing.AGAIN) == 2
    assert "…" not in shown.getvalue()
    if name == passing.WAITING:
        # Its one worker waits in each request.
        assert max(found.rates(passing.DIRECT)) <= 1000 / passing.WAIT_MS


def test_the_servers_of_a_place_apart_are_started_on_cores_of_their_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[int, ...]] = []

    @contextmanager
    def start(*_: object, **__: object) -> Iterator[Machine]:
        started.append(own_cores())
        yield machine

    monkeypatch.setattr(passing, "run_machine", start)
    cores = own_cores()
    with passing.place_apart("/nowhere") as place:
        assert own_cores() == cores
        assert started == [place.older_cores, place.own_cores] == [*split_cores(cores)]


def test_time_that_nobody_works_is_not_busy() -> None:
    stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 4 100 200 8 16 300 1 1\ncpu1 0 0 0 5 0 0 0 0 0 0\nintr 1 2\n"
    assert busy_ticks(stat) == {0: 31, 1: 0}
