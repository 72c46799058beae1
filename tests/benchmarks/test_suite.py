"""The suite's report says what was found, and a part that fails takes nothing along."""

import json
import math
from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks.load.open_loop import Latencies, Record, count_failures, summarize
from benchmarks.load.wrk import Sample
from benchmarks.suite import Keeper
from benchmarks.suite_figures import TINY, Cost, Found, Mixed, Start
from benchmarks.suite_report import report


def _cost(rate: int, cpu_seconds: float) -> Cost:
    sample = Sample(
        requests=rate,
        seconds=1,
        p50_ms=1,
        p99_ms=2,
        max_ms=3,
        refused=0,
        connect=0,
        read=0,
        write=0,
        timeout=0,
    )
    return Cost(sample, cpu_seconds / 2, cpu_seconds / 2)


def _mixed(server: str, rate: float, cpu_seconds: float) -> Mixed:
    late = {"read": summarize([0.001] * 80, rate), "payment": summarize([0.002] * 20, rate)}
    return Mixed(
        server=server,
        rate=rate,
        latencies=late,
        failed=7,
        server_cpu_seconds=cpu_seconds,
        database_cpu_seconds=0,
    )


def _found() -> Found:
    # 4,000/s for 1 s of CPU, and half of it; the mix costs 60 us a request at the rate that counts.
    costs = {"fastpay": {2: [_cost(4_000, 1.0)]}, "fastapi": {2: [_cost(400, 1.0)]}}
    return Found(
        machine={"cores": 2, "cpu": "a", "load_average": (0.5, 0, 0), "commit": "c", "versions": {"x": "1"}},
        plan=TINY,
        command="python -m benchmarks.suite --tiny",
        payments=costs,
        reads=costs,
        open_loop={"fastpay": [Latencies(100, 10, 1, 2, 3, 4, failed=5)]},
        mixed=[_mixed("fastpay", 10, 1), _mixed("fastpay", 100, 0.006), _mixed("fastapi", 10, 0.06)],
        memory={"fastpay": {10: 291.0}},
        starts=[Start(900, 60_000_000), Start(1_100, 70_000_000), Start(1_000, 65_000_000)],
        durations={"payments": 12.3},
    )


def test_the_report_has_ratios_costs_and_the_command() -> None:
    text = report(_found())
    assert text.startswith("`python -m benchmarks.suite --tiny`")
    assert "| 2 | fastapi | 400 | 400 to 400 | 2.0 | 2.0 to 2.0 | 10.00x (10.00 to 10.00) | 10x |" in text
    assert "| fastpay | 100 | 1.0 | 2.0 | 3.0 | 4.0 | 5 |" in text
    # 60 us x 10,000/s / 0.6 is one core, a quarter of a server; of the lower rate it would be more.
    assert "| fastpay | 250 | 250 | 60 | 1.0 | 0.2 |" in text
    assert "| fastapi | 2,500 | 2,500 | 600 | 10.0 | 2.5 |" in text
    assert "| ms until it is ready | 1,000 | 900 to 1,100 | 1,000 |" in text
    assert "| resident MB then | 65 | 60 to 70 | 80 |" in text


def test_a_server_that_answered_nothing_is_no_end_of_the_report() -> None:
    found = _found()
    found.payments["fastapi"][2][0] = _cost(0, 1.0)
    assert "| 2 | fastapi | 0 | 0 to 0 | 2.0 | 2.0 to 2.0 | a round without an answer | 10x |" in report(
        found
    )


def test_what_was_found_before_a_part_failed_is_kept(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Progress(disable=True))
    assert keeper.run("memory", lambda: {"fastpay": {10: 291.0}}) == {"fastpay": {10: 291.0}}

    def fail() -> None:
        raise SystemExit("no answer")

    with pytest.raises(SystemExit, match="no answer"):
        keeper.run("reads", fail)
    assert json.loads((tmp_path / "raw.json").read_bytes()) == {"memory": {"fastpay": {"10": 291.0}}}
    assert list(keeper.durations) == ["memory"]


def test_of_nothing_there_is_no_percentile() -> None:
    nothing = summarize([], 10, failed=3)
    assert (nothing.requests, nothing.failed) == (0, 3)
    assert math.isnan(nothing.p99_ms)


def test_only_what_failed_counts_as_failed() -> None:
    one = Record([0.0], [0.0], [0.1])
    assert count_failures({"read": one, "refused": one, "lost": one}) == 2
