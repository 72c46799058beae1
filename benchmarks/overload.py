"""What does a server do with ten times what it can? Payments that succeed, refusals, and the time to recover.

Run: python -m benchmarks.overload [--factor 10 --seconds 10 --connections 12000]

Server and database get the first half of the cores and the load the others, for the peak (wrk, a closed
loop) as for the rest, so that the load takes nothing from what it measures. Then the load is open: half of
the peak, `factor` times the peak, half of it again, each for so many seconds and without a pause between.
Nobody backs off. There have to be more connections than the server lets commands wait, or the generator would
queue in its place. How late refusals are is what a second generator sees that asks a little all the while:
the first has too much to do to look at once. Asked for: goodput of 95 % of the peak, refusals with a p99 of
5 ms, recovery within 2 s.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console

from benchmarks import payments
from benchmarks.load.cores import own_cores, split_cores
from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.mix import Shares
from benchmarks.load.open_loop import FAILURES, Phase, Record, Records
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.several import Load, run_several

_MERCHANTS = 10
_PEAK_CONNECTIONS, _PEAK_ROUNDS = 256, 3
_ONLY_PAYMENTS = Shares(payments=1.0, refunds=0.0, skew=0.0)
_SHARE_OF_PEAK = 0.5
# What the second generator asks a second, of which only what waits to be paid holds connections for long.
_PROBES, _PROBE_CONNECTIONS, _PROBED_LONGER_SECONDS = 100.0, 400, 5.0
# A window of the time after the overload is recovered where nothing failed, and its slowest answer took no
# more than so many times the p99 of before, or so long.
_WINDOW_SECONDS, _TIMES_BEFORE, _RECOVERED_SECONDS = 0.1, 2.0, 0.05


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found. Milliseconds count from when a request was due."""

    peak: float
    arrivals: float
    # What the generator got sent: where it is less than the arrivals, the load was less than it should be.
    sent: float
    goodput: float
    good_p99_ms: float
    refused: int
    # Of the refusals that the second generator saw.
    refused_p99_ms: float
    probes_refused: int
    others: dict[str, int]
    p99_ms_before: float
    # None where it did not, as long as it was looked at.
    recovery_seconds: float | None


@click.command()
@click.option("--factor", default=10.0, show_default=True, help="The overload, in peaks.")
@click.option("--seconds", default=10.0, show_default=True, help="How long each phase lasts.")
@click.option("--connections", default=12_000, show_default=True)
@click.option("--peak", type=float, help="Requests a second to take for the peak; measured by default.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(factor: float, seconds: float, connections: int, peak: float | None, directory: str) -> None:
    """Ask for more than there is."""
    serving, loading = split_cores(own_cores())
    os.sched_setaffinity(0, serving)
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_overload", tenants=_MERCHANTS) as database,
        _serving(machine, database) as target,
    ):
        os.sched_setaffinity(0, loading)
        if peak is None:
            peak = measure_peak(target, database, seconds)
        console.print(f"peak: {peak:,.0f} payments a second")
        found = overload(
            target, database, peak, factor=factor, seconds=seconds, connections=connections, cores=loading
        )
    _show(console, found, factor)
    record = {"machine": machine_facts(), "found": msgspec.to_builtins(found), "factor": factor}
    console.print(f"written to {write_results('overload', record)}")


def measure_peak(target: Target, database: Database, seconds: float) -> float:
    """Return the most payments a second that are answered well, the median of some rounds."""
    payments.load(target, database, connections=_PEAK_CONNECTIONS, seconds=1)
    rounds = [
        payments.load(target, database, connections=_PEAK_CONNECTIONS, seconds=seconds).rate
        for _ in range(_PEAK_ROUNDS)
    ]
    return median(rounds)


def overload(
    target: Target,
    database: Database,
    peak: float,
    *,
    factor: float,
    seconds: float,
    connections: int,
    cores: tuple[int, ...] = (),
) -> Found:
    """Send half of the peak, `factor` times the peak, and half of it again."""
    half, full = peak * _SHARE_OF_PEAK, peak * factor
    load = Load(
        port=target.port,
        phases=(Phase(half, seconds), Phase(full, seconds), Phase(half, seconds)),
        shares=_ONLY_PAYMENTS,
        # There is nothing to read and nothing to refund.
        payments=dict.fromkeys(database.keys, ()),
        connections=connections,
        tolerant=True,
        cores=cores,
    )
    # It may begin a little earlier, and is to be there until the end.
    probing = Phase(_PROBES, 3 * seconds + _PROBED_LONGER_SECONDS)
    probe = msgspec.structs.replace(load, phases=(probing,), connections=_PROBE_CONNECTIONS)
    with ThreadPoolExecutor(1) as thread:
        probed = thread.submit(run_several, probe, 1)
        records = run_several(load, max(1, len(cores)))
        return judge(records, probed.result(), peak, full, seconds)


def judge(records: Records, probed: Records, peak: float, arrivals: float, seconds: float) -> Found:
    """Return what three phases of so many seconds say, of which the second was the overload."""
    begun, ended = seconds, 2 * seconds
    good, refused = records.get("payment", Record()), records.get("refused", Record())
    before = _latencies(_between(good, 0, begun))
    p99_before = _percentile(before, 0.99)
    in_overload = _between(good, begun, ended)
    probes = probed.get("refused", Record()).latencies
    sent = sum(begun <= moment < ended for record in records.values() for moment in record.sent)
    return Found(
        peak=peak,
        arrivals=arrivals,
        sent=sent / seconds,
        goodput=sum(begun <= moment < ended for moment in good.ended) / seconds,
        good_p99_ms=_percentile(_latencies(in_overload), 0.99) * 1000,
        refused=len(_between(refused, begun, ended)),
        refused_p99_ms=_percentile(probes, 0.99) * 1000,
        probes_refused=len(probes),
        others={kind: len(records[kind].due) for kind in FAILURES[1:] if kind in records},
        p99_ms_before=p99_before * 1000,
        recovery_seconds=_recovery(records, ended, ended + seconds, p99_before),
    )


def _recovery(records: Records, begun: float, ended: float, p99_before: float) -> float | None:
    """Return how long after the overload the first window begins from which on all is as it was before."""
    bound = max(_RECOVERED_SECONDS, _TIMES_BEFORE * p99_before)
    late = [
        due
        for kind, record in records.items()
        for due, _, end in _between(record, begun, ended)
        if kind in FAILURES or end - due > bound
    ]
    if not late:
        return 0.0
    windows = math.floor((max(late) - begun) / _WINDOW_SECONDS) + 1
    # In the last window there is nobody left to see that it recovered.
    return windows * _WINDOW_SECONDS if begun + windows * _WINDOW_SECONDS < ended else None


def _between(record: Record, begun: float, ended: float) -> list[tuple[float, float, float]]:
    """Return due, sent and ended of what was due in that time."""
    found = zip(record.due, record.sent, record.ended, strict=True)
    return [one for one in found if begun <= one[0] < ended]


def _latencies(found: Sequence[tuple[float, float, float]]) -> list[float]:
    return [end - due for due, _, end in found]


def _percentile(values: Sequence[float], share: float) -> float:
    """Return NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.nan


def _serving(machine: Machine, database: Database) -> Any:
    return serve(
        "fastpay", database_url=database.url, redis_url=machine.redis_url, directory=machine.directory
    )


def _show(console: Console, found: Found, factor: float) -> None:
    table = Table(title=f"payments at {factor:g} times the peak of {found.peak:,.0f}/s")
    for column in ("", "found", "asked"):
        table.add_column(column, justify="left" if not column else "right")
    recovery = "not seen" if found.recovery_seconds is None else f"{found.recovery_seconds:.1f} s"
    others = ", ".join(f"{count:,} {kind}" for kind, count in found.others.items()) or "none"
    rows = [
        ("arrivals a second, due and sent", f"{found.arrivals:,.0f} and {found.sent:,.0f}", ""),
        ("goodput a second", f"{found.goodput:,.0f}", ""),
        ("of the peak", f"{found.goodput / found.peak:.0%}", "95%"),
        ("p99 of what succeeded", f"{found.good_p99_ms:,.0f} ms", ""),
        ("refused", f"{found.refused:,}", ""),
        (f"p99 of {found.probes_refused:,} refusals", f"{found.refused_p99_ms:,.1f} ms", "5 ms"),
        ("failed, lost, unanswered", others, "none"),
        ("p99 before", f"{found.p99_ms_before:.1f} ms", ""),
        ("recovered after", recovery, "2 s"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
