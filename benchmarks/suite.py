"""The whole comparison in one run: raw figures, a Markdown report and plots under benchmarks/results/DATE/.

Run: python -m benchmarks.suite [--quick] [--peers fastapi,flask]

fastpay and its peers get an empty database each and run side by side; every round loads one after another, so
that what else happens on the machine meets them alike. Closed loops (wrk) give throughput and cost against
concurrency, an open loop gives latency against the rate of arrival. --quick takes less than five minutes.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click
import msgspec
from rich.progress import Progress

from benchmarks import payments, transport_memory
from benchmarks.load import options
from benchmarks.load.machine import Database, Machine, execute, run_machine
from benchmarks.load.open_loop import Latencies, run_open_loop
from benchmarks.load.serving import ROOT, Target, machine_facts
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.transport import describe_machine, table_of
from benchmarks.transport_load import cpu_seconds

# What fastpay is to reach beside each peer, in requests a second.
_ASKED = {"payments": {"fastapi": "10x", "flask": "30x"}, "reads": {"fastapi": "20x"}}
# The load of the case study: requests a second, and how many of a hundred are reads.
CASE_STUDY_RATE, CASE_STUDY_READS = 10_000, 80
# How much of a server may be used at that load.
_UTILIZATION = 0.6


class Plan(msgspec.Struct, frozen=True):
    """How long and how often everything is measured."""

    concurrency: tuple[int, ...]
    rounds: int
    seconds: float
    shares_of_peak: tuple[float, ...]
    objects: int
    held: tuple[int, ...]


QUICK = Plan((16, 64, 256), 2, 2, (0.25, 0.5, 0.75), 1_000, (500, 2_000))
FULL = Plan((1, 4, 16, 64, 128, 256, 512), 5, 10, (0.1, 0.25, 0.5, 0.75, 0.9), 1_000, (1_000, 5_000, 17_500))
TINY = Plan((2, 4), 1, 1, (0.5,), 10, (20, 40))


class Cost(msgspec.Struct, frozen=True):
    """One loaded server: what the load saw, and what server and database used for it."""

    sample: Sample
    server_cpu_seconds: float
    database_cpu_seconds: float

    @property
    def seconds_a_million(self) -> float:
        """Processor time of both for a million requests."""
        return (self.server_cpu_seconds + self.database_cpu_seconds) / self.sample.requests * 1e6


Servers = dict[str, tuple[Target, Database]]
Load = Callable[[Target, Database, int, float], Sample]
Costs = dict[str, dict[int, list[Cost]]]


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
    folder = ROOT / "benchmarks" / "results" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
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
    facts = machine_facts()
    with (
        run_machine(directory, database_url=database_url, redis_url=redis_url) as machine,
        Progress() as progress,
        ExitStack() as stack,
    ):
        progress.add_task("starting", total=None, visible=True)
        servers = payments.start(stack, machine, asked, tenants=1)
        paid = _closed(progress, "payments", servers, machine, plan, _pay)
        peaks = {name: max(_rate(costs) for costs in by.values()) for name, by in paid.items()}
        late = _open(progress, servers, peaks, plan)
        read = _closed(progress, "reads", servers, machine, plan, _reader(machine, servers))
    weights = {
        name: {held: transport_memory.weigh(name, held) for held in plan.held}
        for name in ("fastpay", "uvicorn")
    }
    raw = {
        "machine": facts,
        "plan": msgspec.to_builtins(plan),
        "payments": msgspec.to_builtins(paid, str_keys=True),
        "reads": msgspec.to_builtins(read, str_keys=True),
        "open_loop": msgspec.to_builtins(late),
        "memory": msgspec.to_builtins(weights, str_keys=True),
    }
    (folder / "raw.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    text = report(facts, plan, paid, read, late, weights)
    (folder / "report.md").write_text(text, encoding="utf-8")
    draw(folder, paid, read, late, weights)
    print(text)
    print(f"written to {folder}")


def report(
    facts: Mapping[str, Any],
    plan: Plan,
    paid: Costs,
    read: Costs,
    late: Mapping[str, list[Latencies]],
    weights: Mapping[str, Mapping[int, float]],
) -> str:
    """Return the report as Markdown."""
    length = f"{plan.rounds} rounds of {plan.seconds:g} s"
    parts = [f"`python -m benchmarks.suite`: {length}, {describe_machine(facts)}."]
    for title, found in (("payments", paid), ("reads", read)):
        parts += [f"## {title}", _throughput(title, found)]
    parts += ["## payments at a fixed rate of arrival", _latencies(late)]
    parts += ["## what it costs", _costs(paid, read)]
    rows = [
        [name, f"{held:,}", f"{weight:,.0f}"] for name, by in weights.items() for held, weight in by.items()
    ]
    parts += ["## idle connections", table_of(("server", "connections", "bytes each"), rows)]
    return "\n\n".join(parts) + "\n"


def draw(
    folder: Path,
    paid: Costs,
    read: Costs,
    late: Mapping[str, list[Latencies]],
    weights: Mapping[str, Mapping[int, float]],
) -> None:
    """Draw the plots of a run."""
    from benchmarks.load import plots  # noqa: PLC0415 - only the whole suite needs matplotlib

    for title, found in (("payments", paid), ("reads", read)):
        lines = {
            name: [(float(count), _rate(costs)) for count, costs in by.items()] for name, by in found.items()
        }
        plots.draw_lines(
            folder, f"{title}-throughput", lines, title=title, across="connections", up="requests/s"
        )
    slow = {name: [(run.rate, run.p99_ms) for run in runs] for name, runs in late.items()}
    plots.draw_lines(folder, "latency", slow, title="payments, open loop", across="arrivals/s", up="p99, ms")
    half = {
        f"{name} at {runs[len(runs) // 2].rate:,.0f}/s": runs[len(runs) // 2].curve
        for name, runs in late.items()
    }
    plots.draw_percentiles(folder, "percentiles", half, title="payments, open loop")
    crowds = {name: [(held, held * one / 1e6) for held, one in by.items()] for name, by in weights.items()}
    plots.draw_lines(
        folder, "memory", crowds, title="idle connections", across="connections", up="MB", log=False
    )


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
    postmaster = postmaster_of(machine)
    before = cpu_seconds(target.pid), cpu_seconds(postmaster) if postmaster else 0.0
    sample = load(target, database, count, seconds)
    after = cpu_seconds(target.pid), cpu_seconds(postmaster) if postmaster else 0.0
    return Cost(sample, after[0] - before[0], after[1] - before[1])


def postmaster_of(machine: Machine) -> int | None:
    """Return the process of the embedded PostgreSQL; None where the database was named."""
    for path in machine.directory.glob("data/**/postmaster.pid"):
        return int(path.read_text(encoding="ascii").splitlines()[0])
    return None


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
            rate = max(2.0, peaks[name] * share)
            found[name].append(
                run_open_loop(target.port, requests, rate=rate, connections=64, seconds=plan.seconds)
            )
            progress.advance(bar)
    return found


def _rate(costs: list[Cost]) -> float:
    return median(cost.sample.rate for cost in costs)


def _throughput(title: str, found: Costs) -> str:
    rows = []
    ours = next(iter(found.values()))
    for count in ours:
        for name, by in found.items():
            rates = sorted(cost.sample.rate for cost in by[count])
            slow = sorted(cost.sample.p99_ms for cost in by[count])
            pairs = zip(ours[count], by[count], strict=True)
            times = sorted(one.sample.rate / other.sample.rate for one, other in pairs)
            row = [str(count), name, f"{median(rates):,.0f}", f"{rates[0]:,.0f} to {rates[-1]:,.0f}"]
            row += [f"{median(slow):.1f}", f"{slow[0]:.1f} to {slow[-1]:.1f}"]
            ratio = "" if by is ours else f"{median(times):.2f}x ({times[0]:.2f} to {times[-1]:.2f})"
            rows.append([*row, ratio, _ASKED[title].get(name, "")])
    columns = ("connections", "server", "requests/s", "spread", "p99 ms", "spread", "fastpay is", "asked")
    return table_of(columns, rows)


def _latencies(late: Mapping[str, list[Latencies]]) -> str:
    rows = []
    for name, runs in late.items():
        for run in runs:
            figures = (run.p50_ms, run.p99_ms, run.p999_ms, run.max_ms)
            rows.append([name, f"{run.rate:,.0f}", *(f"{figure:.1f}" for figure in figures)])
    return table_of(("server", "arrivals/s", "p50 ms", "p99 ms", "p99.9 ms", "slowest"), rows)


def _costs(paid: Costs, read: Costs) -> str:
    """Of the concurrency where each server does most, and the servers that the case study's load takes."""
    rows = []
    for name in paid:
        million = [_cheapest(found[name]) for found in (paid, read)]
        a_second = CASE_STUDY_RATE / 1e6
        used = a_second * (million[0] * (100 - CASE_STUDY_READS) + million[1] * CASE_STUDY_READS) / 100
        cores = used / _UTILIZATION
        rows.append([name, *(f"{one:,.0f}" for one in million), f"{cores:,.1f}"])
    load = f"cores for {CASE_STUDY_RATE:,}/s, {CASE_STUDY_READS} % reads, {_UTILIZATION:.0%} used"
    return table_of(("server with its database", "CPU s a million payments", "a million reads", load), rows)


def _cheapest(by: Mapping[int, list[Cost]]) -> float:
    best = max(by.values(), key=_rate)
    return median(cost.seconds_a_million for cost in best)


if __name__ == "__main__":
    main()
