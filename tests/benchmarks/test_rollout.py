"""fastpay in front of an older API is loaded, and a fault of a tenth is counted to the last request."""

import shutil
import sys

import pytest

from benchmarks import rollout
from benchmarks.load.machine import Machine


def test_every_payment_that_a_fault_has_harmed_is_counted_and_both_instances_go_back(
    machine: Machine,
) -> None:
    back = rollout.revert(machine)
    sys.stdout.write(f"{back.harmed} of {back.payments} payments were harmed in {back.seconds:.1f} s\n")
    assert back.reason.startswith("declines: ")
    assert back.harmed == back.counted
    assert 0 < back.harmed <= back.payments // 10


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize(("name", "kind"), [("flask", rollout.PAYMENTS), ("fast", rollout.READS)])
def test_both_ways_to_an_older_api_are_loaded_in_turns(machine: Machine, name: str, kind: str) -> None:
    if name == "flask":
        pytest.importorskip("flask", reason="the peers are not installed (make test does it)")
    with rollout.both_ways(machine, name) as ways:
        found = rollout.measure(ways, name, kind, rounds=1, connections=2, seconds=1)
    assert found.rates.keys() == found.p99_ms.keys() == {rollout.DIRECT, rollout.THROUGH}
    assert min(found.rates.values()) > 0
    assert len(found.row) == 8
