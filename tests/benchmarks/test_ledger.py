"""Loads of ledger transfers run, and are believed only as far as the database bears them out."""

import shutil
from collections.abc import Callable

import msgspec
import pytest
from rich.console import Console

from benchmarks import ledger
from benchmarks.ledger import Asked, Load
from benchmarks.load import transfers
from benchmarks.load.machine import Database, Machine, empty_database, execute
from benchmarks.load.wrk import Sample


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the path")
def test_every_form_of_the_load_runs_and_ends(machine: Machine) -> None:
    asked = Asked(seconds=0.3, rounds=1, connections=2, accounts=4, batch=20, peer=False, door=True)
    found = ledger._run(Console(quiet=True), machine, asked)
    assert list(found) == [
        f"{who}, {form}, {where}"
        for who in ("fastpay", "door")
        for where in ("hot", "spread")
        for form in ("single", "batch")
    ]
    assert all(len(runs) == 1 and runs[0].sample.requests > 0 for runs in found.values())
    # On a short run the clock that counts processor time may not have ticked for the smaller of the two.
    assert all(runs[0].server_us + runs[0].postgres_us > 0 for runs in found.values())
    rates = {name: runs[0].sample.rate for name, runs in found.items()}
    assert ledger._ratios(rates)["batches to singles, hot"] == pytest.approx(
        rates["fastpay, batch, hot"] / rates["fastpay, single, hot"]
    )


def claiming(more: int) -> Callable[[Database, Sample], Sample]:
    return lambda database, sample: msgspec.structs.replace(sample, requests=sample.requests + more)


def tampering(statement: str) -> Callable[[Database, Sample], Sample]:
    def tamper(database: Database, sample: Sample) -> Sample:
        execute(database.url, statement)
        return sample

    return tamper


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (claiming(0), None),
        (claiming(1), "are there"),
        (claiming(-1), "are there"),
        (tampering("update account set debits_posted = debits_posted + 5"), "have moved"),
        (tampering("update account set credits_posted = credits_posted + 1"), "have moved"),
    ],
)
def test_a_load_is_believed_where_the_database_has_what_it_says(
    machine: Machine, change: Callable[[Database, Sample], Sample], fault: str | None
) -> None:
    with empty_database(machine, "bench_checked", tenants=1) as database:
        first, second = transfers.open_accounts(database, 2)

        def run(seconds: float) -> Sample:
            return change(database, transfers.run_door(database, [(first, second)], 1, 2, seconds))

        load = Load(database, run, lambda: (0.0, 0.0))
        if fault is None:
            assert ledger._checked("load", load, 0.05).sample.requests > 0
            ledger.verify(database)
            return
        with pytest.raises(SystemExit, match=fault):
            ledger._checked("load", load, 0.05)


def test_books_that_do_not_agree_end_the_run(machine: Machine) -> None:
    with empty_database(machine, "bench_checked", tenants=1) as database:
        transfers.open_accounts(database, 2)
        execute(database.url, "update account set debits_posted = 5")
        with pytest.raises(SystemExit, match="do not agree"):
            ledger.verify(database)
