"""All figures of the transport in one run, beside other servers, as Markdown for docs/BENCHMARKS.md.

Run: python -m benchmarks.transport [--quick]

Each figure says what was asked for. The server has one core and the load generators the other one, servers
take turns, and medians stand with their spread. Ratios are of processor time a request as well as of requests
a second: on a machine that others use too, the rate says who got the processor.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from benchmarks import transport_floods, transport_http1, transport_http2, transport_idle, transport_memory
from benchmarks.load.serving import ROOT, machine_facts
from benchmarks.transport_load import Figure, bounded

# What fastpay is to reach beside each server, in requests a second.
_ASKED = {
    ("a bare ASGI application", "granian"): "2x",
    ("a bare ASGI application", "uvicorn"): "3.5x",
    ("Starlette; ours through the compiled table", "granian"): "2x",
    ("over TLS: ours a cached payment, others bare", "granian"): "1.5x",
    ("HTTP/2 over TLS, 16 connections of 16 streams", "hypercorn"): "15x",
    ("HTTP/2 over TLS, 16 connections of 16 streams", "granian"): "1x",
}
_IDLE_BYTES_ASKED = 1_600
_IDLE_RATIO_ASKED = "1.3x"
_FLOOD_RATIO_ASKED = "2x"
_WIDTH = 160


class Plan(msgspec.Struct, frozen=True):
    """How long and how often everything is measured."""

    rounds: int
    seconds: float
    http2_requests: int
    held: int
    tls_held: int
    flood_seconds: float
    flood_rounds: int
    # What one part may take before it is given up as hanging.
    part_seconds_max: float


QUICK = Plan(3, 1, 3_000, 5_000, 1_000, 0.5, 3, 240)
FULL = Plan(7, 10, 40_000, 17_500, 6_000, 4.0, 9, 3_600)
TINY = Plan(1, 1, 200, 200, 50, 0.2, 2, 100)


@click.command()
@click.option("--quick", is_flag=True, help="Less than five minutes; not for quoting.")
@click.option("--tiny", is_flag=True, help="Only to see that everything works.")
def main(quick: bool, tiny: bool) -> None:
    """Measure the transport."""
    plan = TINY if tiny else QUICK if quick else FULL
    # Wide enough that no row of a table is broken.
    console = Console(width=_WIDTH)
    record: dict[str, Any] = {"machine": machine_facts(), "plan": msgspec.to_builtins(plan), "durations": {}}
    parts = [
        f"`python -m benchmarks.transport`, {describe_plan(plan)}, {describe_machine(record['machine'])}."
    ]
    steps: dict[str, Callable[[Plan], tuple[str, Any]]] = {
        "HTTP/1.1": _http1,
        "HTTP/2": _http2,
        "idle connections, memory": _memory,
        "idle connections, latency": _idle,
        "floods": _floods,
    }
    with Progress(console=console) as progress:
        bar = progress.add_task("transport", total=len(steps))
        for name, step in steps.items():
            progress.update(bar, description=name)
            begun = time.monotonic()
            with bounded(plan.part_seconds_max, name):
                table, record[name] = step(plan)
            record["durations"][name] = time.monotonic() - begun
            parts.append(table)
            # At once: should a later part fail, this one was not in vain.
            progress.console.print(f"\n{table}\n", markup=False, highlight=False)
            progress.advance(bar)
    took = ", ".join(f"{part} {seconds:.0f}" for part, seconds in record["durations"].items())
    parts.append(f"Seconds that the parts took: {took}.")
    folder = ROOT / "benchmarks" / "results" / time.strftime("%Y%m%d-%H%M%S-transport")
    folder.mkdir(parents=True)
    (folder / "raw.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (folder / "transport.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    console.print(parts[-1])
    console.print(f"written to {folder}")


def describe_plan(plan: Plan) -> str:
    """Return in words how much was measured."""
    return f"{plan.rounds} rounds of {plan.seconds:g} s"


def describe_machine(facts: Mapping[str, Any]) -> str:
    """Return in words what it was measured on."""
    load = facts["load_average"][0]
    return f"{facts['cores']} cores ({facts['cpu']}), load average {load:.1f}, commit {facts['commit']}"


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are figures."""
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _compared(title: str, found: Mapping[str, Sequence[Figure]]) -> tuple[str, Any]:
    """Hold the first server against the others."""
    rows = []
    ours = next(iter(found.values()))
    for name, figures in found.items():
        rates, costs = (sorted(one) for one in ([f.rate for f in figures], [f.cpu_us for f in figures]))
        row = [name, f"{median(rates):,.0f}", f"{rates[0]:,.0f} to {rates[-1]:,.0f}"]
        row += [f"{median(costs):.1f}", f"{costs[0]:.1f} to {costs[-1]:.1f}"]
        if figures is ours:
            rows.append([*row, "", "", ""])
            continue
        # Of one round each: both met the same machine then.
        faster = median(one.rate / other.rate for one, other in zip(ours, figures, strict=True))
        # Short runs may cost less than the clock of the kernel can tell.
        cheaper = median(other.cpu_us / (one.cpu_us or 1) for one, other in zip(ours, figures, strict=True))
        rows.append([*row, f"{faster:.2f}x", f"{cheaper:.2f}x", _ASKED.get((title, name), "")])
    columns = (title, "requests/s", "spread", "CPU us", "spread", "fastpay's rate", "per CPU second", "asked")
    return table_of(columns, rows), {name: [asdict(f) for f in figures] for name, figures in found.items()}


def _http1(plan: Plan) -> tuple[str, Any]:
    tables, record = [], {}
    for title, found in transport_http1.measure_all(plan.rounds, plan.seconds).items():
        table, record[title] = _compared(title, found)
        tables.append(table)
    return "\n\n".join(tables), record


def _http2(plan: Plan) -> tuple[str, Any]:
    found = transport_http2.measure(plan.rounds, plan.http2_requests)
    return _compared("HTTP/2 over TLS, 16 connections of 16 streams", found)


def _memory(plan: Plan) -> tuple[str, Any]:
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tls = transport_http2.make_certificate(Path(folder))
        for name in transport_memory.SERVERS:
            plain = transport_memory.weigh(name, plan.held)
            found[name] = [plain, transport_memory.weigh(name, plan.tls_held, *tls)]
    rows = [[name, f"{plain:,.0f}", f"{over_tls:,.0f}"] for name, (plain, over_tls) in found.items()]
    rows.append(["asked", f"{_IDLE_BYTES_ASKED:,}", ""])
    held = f"bytes each, {plan.held:,} plain"
    columns = ("an idle connection that had an answer", held, f"{plan.tls_held:,} TLS")
    return table_of(columns, rows), found


def _idle(plan: Plan) -> tuple[str, Any]:
    pairs = transport_idle.compare(plan.held, plan.rounds, plan.seconds)
    alone, beside, spread = transport_idle.describe(pairs)
    columns = ("64 busy connections", "p99 alone, ms", f"beside {plan.held:,} idle", "ratio", "asked")
    row = ["fastpay", f"{alone:.2f}", f"{beside:.2f}", spread, _IDLE_RATIO_ASKED]
    return table_of(columns, [row]), pairs


def _floods(plan: Plan) -> tuple[str, Any]:
    found = [
        transport_floods.measure(name, plan.flood_seconds, plan.flood_rounds)
        for name in transport_floods.FLOODS
    ]
    rows = [
        [
            one.name,
            f"{one.floods_per_second:,.0f}",
            f"{one.alone_ms:.1f}",
            f"{one.beside_ms:.1f}",
            f"{one.ratio:.1f}x ({one.lowest:.1f} to {one.highest:.1f})",
            _FLOOD_RATIO_ASKED,
        ]
        for one in found
    ]
    columns = ("flood over HTTP/2", "floods/s", "p99 alone, ms", "p99 beside it", "ratio", "asked")
    return table_of(columns, rows), [msgspec.to_builtins(one) for one in found]


if __name__ == "__main__":
    main()
