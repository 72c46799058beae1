"""The whole comparison in one run: raw figures, a Markdown report and plots under benchmarks/results/DATE/.

Run: python -m benchmarks.suite [--quick] [--peers fastapi,flask]

fastpay and its peers get an empty database each and run side by side; every round loads one after another, so
that what else happens on the machine meets them alike. Closed loops (wrk) give throughput and cost against
concurrency, an open loop gives latency against the rate of arrival, and several processes of it a mix of
reads, payments and refunds. --quick takes less than five minutes.
"""

import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.progress import Progress

from benchmarks import payments, starting, suite_mixed, transport_memory
from benchmarks.load import options
from benchmarks.load.machine import Database, Machine, execute, run_machine
from benchmarks.load.open_loop import Latencies, Phase, Record, count_failures, run_phases, summarize
from benchmarks.load.serving import ROOT, Target, machine_facts
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.suite_figures import (
    FULL,
    MERCHANTS,
    QUICK,
    TINY,
    Cost,
    Costs,
    Found,
    Load,
    Plan,
    Servers,
    peak,
)
from benchmarks.suite_processes import cpu_of
from benchmarks.suite_report import draw, report

_Result = TypeVar("_Result")


@click.command()
@click.option("--quick", is_flag=True, help="Less than five minutes; not for quoting.")
@click.option("--tiny", is_flag=True, help="Only to see that everything works.")
@click.option("--peers", type=options.Several(str, ("fastapi", "flask")), default="fastapi,flask")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
@click.option("--database-url", help="A PostgreSQL to use in place of the embedded one.")
@click.option("--redis-url", help="A Redis to use in place of the embedded one; emptied.")
def main(
    quick: bool,
    tiny: bool,
    peers: tuple[str, ...],
    directory: str,
    database_url: str | None,
    redis_url: str | None,
) -> None:
    """Measure everything, side by side."""
    plan = TINY if tiny else QUICK if quick else FULL
    asked = options.Options(
        seconds=plan.seconds,
        rounds=plan.rounds,
        connections=plan.concurrency,
        peers=peers,
        workers=None,
        directory=directory,
        database_url=database_url,
        redis_url=redis_url,
    )
    folder = ROOT / "benchmarks" / "results" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    with Progress() as progress:
        keeper = Keeper(folder, progress)
        found = measure(plan, asked, progress, keeper)
    keeper.write(msgspec.to_builtins(found, str_keys=True))
    text = report(found)
    (folder / "report.md").write_text(text, encoding="utf-8")
    draw(folder, found)
    print(text)
    print(f"written to {folder}")


class Keeper:
    """Times the parts, and keeps what they found: a later part that fails takes nothing along."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.durations: dict[str, float] = {}
        self._progress = progress
        self._path = folder / "raw.json"
        self._raw: dict[str, object] = {}

    def run(self, part: str, work: Callable[[], _Result]) -> _Result:
        """Run a part and return what it found."""
        begun = time.monotonic()
        found = work()
        self.durations[part] = time.monotonic() - begun
        self._progress.console.print(f"{part}: {self.durations[part]:.0f} s")
        self.write(self._raw | {part: msgspec.to_builtins(found, str_keys=True)})
        return found

    def write(self, raw: dict[str, object]) -> None:
        """Put figures in the place of what was kept before."""
        self._raw = raw
        self._path.write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")


def measure(plan: Plan, asked: options.Options, progress: Progress, keeper: Keeper) -> Found:
    """Run every part."""
    facts, begun = machine_facts(), time.monotonic()
    with (
        run_machine(asked.directory, database_url=asked.database_url, redis_url=asked.redis_url) as machine,
        ExitStack() as stack,
    ):
        servers = payments.start(stack, machine, asked, tenants=MERCHANTS)
        keeper.durations["starting"] = time.monotonic() - begun
        # One merchant's payments wait for each other, as a merchant's do; the mixed load has several.
        single = {
            name: (target, Database(made.url, made.keys[:1])) for name, (target, made) in servers.items()
        }
        paid = keeper.run("payments", lambda: _closed(progress, "payments", single, machine, plan, _pay))
        peaks = {name: peak(by) for name, by in paid.items()}
        late = keeper.run("open loop", lambda: _open(progress, single, peaks, plan))
        reader = _reader(machine, single)
        read = keeper.run("reads", lambda: _closed(progress, "reads", single, machine, plan, reader))
        both = {name: (peaks[name], peak(read[name])) for name in servers}
        bar = progress.add_task("mixed", total=2 * len(servers) + 1)
        mixed = keeper.run(
            "mixed", lambda: suite_mixed.measure(machine, servers, both, plan, lambda: progress.advance(bar))
        )
        starts = keeper.run(
            "start to ready", lambda: starting.measure(machine, servers["fastpay"][1], plan.starts)
        )
    weights = keeper.run("memory", lambda: _weigh(plan))
    return Found(
        machine=facts,
        plan=plan,
        command=shlex.join(["python", "-m", "benchmarks.suite", *sys.argv[1:]]),
        payments=paid,
        reads=read,
        open_loop=late,
        mixed=mixed,
        memory=weights,
        starts=starts,
        durations=keeper.durations,
    )


def _weigh(plan: Plan) -> dict[str, dict[int, float]]:
    return {
        name: {held: transport_memory.weigh(name, held) for held in plan.held}
        for name in ("fastpay", "uvicorn")
    }


def _closed(
    progress: Progress, title: str, servers: Servers, machine: Machine, plan: Plan, load: Load
) -> Costs:
    found: Costs = {name: {count: [] for count in plan.concurrency} for name in servers}
    bar = progress.add_task(title, total=len(plan.concurrency) * (plan.rounds + 1) * len(servers))
    for count in plan.concurrency:
        for number in range(plan.rounds + 1):
            for name, (target, database) in servers.items():
                execute(database.url, "checkpoint")
                cost = _cost(machine, target, database, load, count, plan.seconds if number else 1)
                # The first round warms up.
                if number:
                    found[name][count].append(cost)
                progress.advance(bar)
    return found


def _cost(
    machine: Machine, target: Target, database: Database, load: Load, count: int, seconds: float
) -> Cost:
    before = cpu_of(target, machine)
    sample = load(target, database, count, seconds)
    after = cpu_of(target, machine)
    return Cost(sample, after[0] - before[0], after[1] - before[1])


def _pay(target: Target, database: Database, count: int, seconds: float) -> Sample:
    return payments.load(target, database, connections=count, seconds=seconds)


def _reader(machine: Machine, servers: Servers) -> Load:
    """Return what reads one payment of each server's own again and again."""
    files = {}
    for name, (target, database) in servers.items():
        files[name] = machine.directory / f"{name}.one"
        made = payments.make_payment(target.port, database.keys[0])["id"]
        files[name].write_text(f"{made}\n", encoding="ascii")

    def read(target: Target, database: Database, count: int, seconds: float) -> Sample:
        arguments = [str(files[target.name]), database.keys[0]]
        return run_wrk(target, "reads.lua", arguments, connections=count, seconds=seconds)

    return read


def _open(
    progress: Progress, servers: Servers, peaks: Mapping[str, float], plan: Plan
) -> dict[str, list[Latencies]]:
    found: dict[str, list[Latencies]] = {name: [] for name in servers}
    bar = progress.add_task("open loop", total=len(servers) * len(plan.shares_of_peak))
    for share in plan.shares_of_peak:
        for name, (target, database) in servers.items():
            requests = payments.payment_requests(database.keys)
            phase = Phase(max(2.0, peaks[name] * share), plan.seconds)
            records = run_phases(target.port, requests, (phase,), connections=64, tolerant=True)
            good = records.get("payment", Record()).latencies
            found[name].append(summarize(good, phase.rate, failed=count_failures(records)))
            progress.advance(bar)
    return found


if __name__ == "__main__":
    main()
