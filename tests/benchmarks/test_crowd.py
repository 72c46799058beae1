"""A crowd is held and asks, and where a server does not bear it the table says so."""

from typing import Any

import pytest

from benchmarks import crowd
from benchmarks.load.machine import Machine
from benchmarks.load.mix import ONLY_READS, Shares


def _hold(machine: Machine, name: str, shares: Shares = ONLY_READS) -> dict[str, Any]:
    return crowd.hold(machine, name, 2, 60, asking=(0.5,), seconds=1.0, merchants=2, shares=shares)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "_WARM_UP_SECONDS", 0.1)
    monkeypatch.setattr(crowd, "_PAYMENTS_A_KEY", 2)


@pytest.mark.parametrize("name", ["fastpay", "fastapi"])
def test_all_are_let_in_and_answered(machine: Machine, name: str) -> None:
    if name != "fastpay":
        pytest.importorskip(name, reason="the peers are not installed (make test does it)")
    found = _hold(machine, name, Shares(payments=0.2, refunds=0.2))
    assert crowd.breakages(name, 60, found) == []
    (run,) = found["runs"]
    assert (found["open"], run["answered"]) == (60, 30)
    (row,) = crowd.rows_of(name, found)
    assert row[:3] == [f"{name} x 2", "60", "30"]
    assert len(row) == len(crowd.COLUMNS)


def test_a_peer_that_breaks_is_told_of_and_fastpay_ends_the_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("it fell over")

    monkeypatch.setattr(crowd, "make_payment", broken)
    monkeypatch.setattr(crowd, "_servings", lambda *_: [])
    found = _hold(machine, "fastapi")
    assert crowd.breakages("fastapi", 60, found) == [
        "fastapi: 0 of 60 connections were taken",
        "fastapi broke: it fell over",
    ]
    with pytest.raises(OSError, match="it fell over"):
        _hold(machine, "fastpay")


def test_being_told_to_end_is_no_breakage(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_to_end(*_: object) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(crowd, "_servings", told_to_end)
    with pytest.raises(SystemExit):
        _hold(machine, "fastapi")


def test_answers_that_did_not_come_are_told_of() -> None:
    run = {"rate": 50.0, "failed": 2, "failures": {"500": 2}, "unanswered": 1_000}
    assert crowd.breakages("fastapi", 60, {"open": 60, "runs": [run]}) == [
        "fastapi at 50 a second: 2 requests failed (500: 2) and 1,000 had no answer"
    ]
