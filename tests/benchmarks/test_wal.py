"""What payments write to the log is counted, with pages compressed and without."""

import pytest

from benchmarks import wal
from benchmarks.load.machine import Machine, empty_database


def test_what_payments_log_is_counted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "_TOLD_SECONDS", 0.0)
    with empty_database(machine, "bench_wal", tenants=1) as database:
        found = wal.measure(machine, database, window=50, windows=1, rounds=1)
    assert set(found) == {"off", "pglz"}
    for turns in found.values():
        ((window,),) = turns
        # A row is logged whole, and a payment has a dozen.
        assert 2_000 < window.bytes < 100_000
