"""What is said of floods is what happened beside them."""

import pytest

from benchmarks import fairness
from benchmarks.load.machine import Machine, empty_database
from benchmarks.load.open_loop import Record


def test_payments_and_checks_are_told_apart_and_failures_counted() -> None:
    found = fairness.judge(
        {
            "payment": Record([0.0, 1.0], [0.0, 1.0], [0.1, 1.3]),
            "read": Record([0.5], [0.5], [0.6]),
            "refused": Record([2.0], [2.0], [2.1]),
        }
    )
    assert found.payments == pytest.approx([0.1, 0.3])
    assert found.checks == pytest.approx([0.1])
    assert found.others == 1


def test_a_flood_is_held_against_the_quiet_times_around_it() -> None:
    def found(*payments: float) -> fairness.Found:
        return fairness.Found(payments=list(payments), checks=[], others=0)

    runs = {"quiet": [found(0.01), found(0.02)], "lists": [found(0.01, 0.03)]}
    assert fairness.ratio(runs, "lists") == pytest.approx(1.5)


def test_every_flood_is_answered_as_it_should_be(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "_AROUND_SECONDS", 0.2)
    # Here it does not matter what a flood leaves in the queues.
    monkeypatch.setattr(fairness, "_SETTLE_TIMES", 0)
    with empty_database(machine, "fairness", tenants=2) as database:
        floods = fairness.make_floods(database, accounts=4, transfers_a_batch=700)
        found = fairness.run(machine, database, floods, seconds=0.2, rounds=1, rate=20, gives_way=False)
    refused = {"invalid-batches", "brackets", "escapes"}
    for name in floods:
        (beside,) = found[name]
        wanted = "400" if name in refused else "200"
        assert beside.flood.get(wanted, 0) > 0, name
        assert set(beside.flood) <= {wanted, "503"}, name
        assert len(beside.payments) == len(beside.checks) == 4
        assert beside.others == 0
