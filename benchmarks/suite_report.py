"""The suite's report as Markdown, and its plots."""

from pathlib import Path
from statistics import median

from benchmarks.suite_figures import SHARES, Cost, Costs, Found, Mixed, Start, rate_of
from benchmarks.transport import describe_machine, table_of

# What fastpay is to reach beside each peer, in requests a second.
_ASKED = {"payments": {"fastapi": "10x", "flask": "30x"}, "reads": {"fastapi": "20x"}}
_READY_MS_ASKED, _RESIDENT_MB_ASKED = 1_000, 80
# The load of the case study, in requests a second, and the servers that it took before and after.
CASE_STUDY_RATE, _SERVERS_BEFORE, _SERVERS_AFTER = 10_000, 20, 10
# How much of a server may be used at that load, and how many cores one has.
_UTILIZATION, _CORES_A_SERVER = 0.6, 4


def report(found: Found) -> str:
    """Return the report."""
    plan = found.plan
    length = f"{plan.rounds} rounds of {plan.seconds:g} s in turns"
    parts = [f"`{found.command}`: {length}, {describe_machine(found.machine)}."]
    versions = found.machine["versions"]
    assert isinstance(versions, dict)
    parts.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    for title, costs in (("payments", found.payments), ("reads", found.reads)):
        parts += [f"## {title}", _throughput(title, costs)]
    parts += ["## payments at a fixed rate of arrival", _latencies(found)]
    parts += [f"## {_describe_shares()}, at a fixed rate of arrival", _mixed(found.mixed)]
    parts += ["## what it costs", _costs(found)]
    rows = [
        [name, f"{held:,}", f"{weight:,.0f}"]
        for name, by in found.memory.items()
        for held, weight in by.items()
    ]
    parts += ["## idle connections", table_of(("server", "connections", "bytes each"), rows)]
    parts += ["## start to ready, over a database that is there", _starts(found.starts)]
    took = ", ".join(f"{part} {seconds:.0f}" for part, seconds in found.durations.items())
    parts.append(f"Seconds that the parts took: {took}.")
    return "\n\n".join(parts) + "\n"


def draw(folder: Path, found: Found) -> None:
    """Draw the plots."""
    from benchmarks.load import plots  # noqa: PLC0415 - only the whole suite needs matplotlib

    for title, costs in (("payments", found.payments), ("reads", found.reads)):
        lines = {
            name: [(float(count), rate_of(one)) for count, one in by.items()] for name, by in costs.items()
        }
        plots.draw_lines(
            folder, f"{title}-throughput", lines, title=title, across="connections", up="requests/s"
        )
    slow = {name: [(run.rate, run.p99_ms) for run in runs] for name, runs in found.open_loop.items()}
    plots.draw_lines(folder, "latency", slow, title="payments, open loop", across="arrivals/s", up="p99, ms")
    half = {
        f"{name} at {runs[len(runs) // 2].rate:,.0f}/s": runs[len(runs) // 2].curve
        for name, runs in found.open_loop.items()
    }
    plots.draw_percentiles(folder, "percentiles", half, title="payments, open loop")
    for kind in ("read", "payment", "refund"):
        curves = {
            f"{one.server} at {one.rate:,.0f}/s": one.latencies[kind].curve
            for one in found.mixed
            if kind in one.latencies
        }
        plots.draw_percentiles(folder, f"mixed-{kind}", curves, title=f"{kind}s, {_describe_shares()}")
    crowds = {
        name: [(held, held * one / 1e6) for held, one in by.items()] for name, by in found.memory.items()
    }
    plots.draw_lines(
        folder, "memory", crowds, title="idle connections", across="connections", up="MB", log=False
    )


def _throughput(title: str, found: Costs) -> str:
    rows = []
    ours = next(iter(found.values()))
    for count in ours:
        for name, by in found.items():
            rates = sorted(cost.sample.rate for cost in by[count])
            slow = sorted(cost.sample.p99_ms for cost in by[count])
            row = [str(count), name, f"{median(rates):,.0f}", f"{rates[0]:,.0f} to {rates[-1]:,.0f}"]
            row += [f"{median(slow):.1f}", f"{slow[0]:.1f} to {slow[-1]:.1f}"]
            ratio = "" if by is ours else _ratio(ours[count], by[count])
            rows.append([*row, ratio, _ASKED[title].get(name, "")])
    columns = ("connections", "server", "requests/s", "spread", "p99 ms", "spread", "fastpay is", "asked")
    return table_of(columns, rows)


def _ratio(ours: list[Cost], theirs: list[Cost]) -> str:
    """Return the median of the rounds, each of which met both alike, with its spread."""
    pairs = zip(ours, theirs, strict=True)
    times = sorted(one.sample.rate / other.sample.rate for one, other in pairs if other.sample.requests)
    if len(times) < len(theirs):
        return "a round without an answer"
    return f"{median(times):.2f}x ({times[0]:.2f} to {times[-1]:.2f})"


def _latencies(found: Found) -> str:
    rows = []
    for name, runs in found.open_loop.items():
        for run in runs:
            figures = (run.p50_ms, run.p99_ms, run.p999_ms, run.max_ms)
            row = [name, f"{run.rate:,.0f}", *(f"{figure:.1f}" for figure in figures), f"{run.failed:,}"]
            rows.append(row)
    return table_of(("server", "arrivals/s", "p50 ms", "p99 ms", "p99.9 ms", "slowest", "failed"), rows)


def _describe_shares() -> str:
    reads = 1 - SHARES.payments - SHARES.refunds
    return f"{reads:.0%} reads, {SHARES.payments:.0%} payments, {SHARES.refunds:.0%} refunds"


def _mixed(found: list[Mixed]) -> str:
    rows = []
    for one in found:
        for kind, late in sorted(one.latencies.items()):
            figures = (late.p50_ms, late.p99_ms, late.p999_ms)
            row = [one.server, f"{one.rate:,.0f}", kind, *(f"{figure:.1f}" for figure in figures)]
            rows.append([*row, f"{one.failed:,}", f"{one.seconds_a_million:,.0f}"])
    columns = ["server", "arrivals/s", "kind", "p50 ms", "p99 ms", "p99.9 ms", "failed of all"]
    return table_of([*columns, "CPU s a million of the mix"], rows)


def _costs(found: Found) -> str:
    """What a million cost where each server does most, and the servers that the case study's load takes."""
    rows = []
    for name in found.payments:
        million = [_cheapest(costs[name]) for costs in (found.payments, found.reads)]
        mixed = [one for one in found.mixed if one.server == name]
        # Of the highest rate, where a batch is largest and nothing runs idle.
        busiest = max(mixed, key=lambda one: one.rate)
        cores = busiest.seconds_a_million * CASE_STUDY_RATE / 1e6 / _UTILIZATION
        figures = [*(f"{one:,.0f}" for one in (*million, busiest.seconds_a_million)), f"{cores:,.1f}"]
        rows.append([name, *figures, f"{cores / _CORES_A_SERVER:,.1f}"])
    columns = (
        "server with its database",
        "CPU s a million payments",
        "a million reads",
        "a million of the mix",
        "cores",
        f"servers of {_CORES_A_SERVER} cores",
    )
    note = (
        f"Cores for {CASE_STUDY_RATE:,} requests a second of the mix: the CPU seconds that a million of them "
        f"take at the highest rate above, x {CASE_STUDY_RATE:,} / 1,000,000, / {_UTILIZATION:g} since no "
        f"more than {_UTILIZATION:.0%} of a core is to be used; the database's part is among them. The case "
        f"study went from {_SERVERS_BEFORE} servers to {_SERVERS_AFTER}."
    )
    return f"{table_of(columns, rows)}\n\n{note}"


def _cheapest(by: dict[int, list[Cost]]) -> float:
    best = max(by.values(), key=rate_of)
    return median(cost.seconds_a_million for cost in best)


def _starts(starts: list[Start]) -> str:
    ready = ("ms until it is ready", [one.ready_ms for one in starts], _READY_MS_ASKED)
    held = ("resident MB then", [one.resident_bytes / 1e6 for one in starts], _RESIDENT_MB_ASKED)
    rows = [
        [title, f"{median(figures):,.0f}", f"{min(figures):,.0f} to {max(figures):,.0f}", f"{asked:,}"]
        for title, figures, asked in (ready, held)
    ]
    return table_of(("fastpay", "median", "spread", "asked at most"), rows)
