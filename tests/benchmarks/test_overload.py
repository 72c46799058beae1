"""What is said of an overload is what happened in it."""

import pytest
from rich.progress import Progress

from benchmarks import overload, tracing
from benchmarks.load.cores import split_cores
from benchmarks.load.machine import Machine, empty_database
from benchmarks.load.open_loop import Record
from benchmarks.load.serving import serve


def _record(*found: tuple[float, float, float]) -> Record:
    due, sent, ended = zip(*found, strict=True)
    return Record(list(due), list(sent), list(ended))


def test_goodput_and_refusals_are_those_of_the_overload() -> None:
    records = {
        # One before, two in time during the overload, one that was due in it and was late, one after.
        "payment": _record(
            (0.5, 0.5, 0.51), (1.1, 1.1, 1.2), (1.2, 1.2, 1.9), (1.9, 1.9, 2.4), (2.9, 2.9, 2.91)
        ),
        "refused": _record((1.5, 1.6, 1.601), (2.35, 2.35, 2.36)),
        "lost": _record((1.7, 1.7, 1.8)),
    }
    probed = {"refused": _record((1.5, 1.5, 1.504), (1.6, 1.6, 1.601)), "payment": _record((0.1, 0.1, 3))}
    found = overload.judge(records, probed, peak=4, arrivals=40, seconds=1)
    assert (found.goodput, found.sent, found.arrivals) == (2, 5, 40)
    assert (found.refused, found.probes_refused) == (1, 2)
    assert found.refused_p99_ms == pytest.approx(4)
    assert found.good_p99_ms == pytest.approx(700)
    assert found.p99_ms_before == pytest.approx(10)
    assert found.others == {"lost": 1}
    # The refusal at 2.35 is the last thing that went wrong.
    assert found.recovery_seconds == pytest.approx(0.4)


def test_nothing_wrong_after_an_overload_is_recovery_at_once() -> None:
    found = overload.judge({"payment": _record((0.5, 0.5, 0.6), (2.5, 2.5, 2.6))}, {}, 1, 1, 1)
    assert found.recovery_seconds == 0


def test_what_is_late_to_the_end_has_not_recovered() -> None:
    records = {"payment": _record((0.5, 0.5, 0.51), (2.95, 2.95, 4))}
    assert overload.judge(records, {}, 1, 1, 1).recovery_seconds is None


def test_an_overload_that_is_none_is_taken_whole(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        empty_database(machine, "overload", tenants=2) as database,
        serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
        ) as target,
    ):
        monkeypatch.setattr(overload, "_PROBED_LONGER_SECONDS", 0.1)
        found = overload.overload(target, database, 50, factor=2, seconds=0.4, connections=100)
    # All that were sent were answered. A machine that stands still for a moment sends fewer.
    assert (found.refused, found.others) == (0, {})
    assert 0 < found.sent <= 100
    # What was sent just before, at half of the rate, may be answered within.
    assert 0 < found.goodput <= 150


@pytest.mark.parametrize("cores", [[0], [0, 1], [2, 3, 5, 7, 11]])
def test_what_serves_and_what_loads_have_cores_each(cores: list[int]) -> None:
    serving, loading = split_cores(cores)
    assert set(serving) | set(loading) == set(cores)
    assert not set(serving) & set(loading) or len(cores) == 1


def test_spans_arrive_from_the_server_that_is_to_be_traced(machine: Machine) -> None:
    """A run without a span ends with an error."""
    shares = {"off": None, "1 %": 0.01}
    with Progress(disable=True) as progress:
        found = tracing.measure(machine, rounds=1, seconds=1, connections=2, progress=progress, shares=shares)
    for load in ("payments", "reads, cached"):
        (off,), (on,) = found[load]["off"], found[load]["1 %"]
        assert min(off.cpu_us, on.cpu_us) > 0
        # Only a server that traces has a thread that exports.
        assert on.others_us <= on.cpu_us
