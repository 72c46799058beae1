"""One instance and several are loaded in turn, and their figures are held against each other."""

import math

from benchmarks import instances
from benchmarks.load.machine import Machine


def test_one_instance_and_two_are_paired(machine: Machine) -> None:
    found = instances.pair(machine, 2, tenants=2, connections=4, seconds=1.0, rounds=1)
    assert found["one"]["rate"] > 0
    assert math.isclose(found["rate_ratio"], found["several"]["rate"] / found["one"]["rate"])
    table = instances.table_of_pairs({2: found}, 4)
    assert [list(column.cells)[1] for column in table.columns][:2] == ["2", "2"]
