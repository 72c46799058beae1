"""How many payments of one tenant do several instances make, beside one instance alone?

Run: python -m benchmarks.homes [--instances 4 --connections 64 --seconds 10 --rounds 5]

Three sets of instances run at once, each on one port and one empty database: one instance, several that send
the tenant's writes to its home, and several without homes. A round loads each set in turn (wrk, a closed
loop), so that what else happens on the machine meets all alike. Processor time is of all instances together,
and of the busiest, which is the home where there is one. What is asked for: at least 0.95 times the payments
of one instance, and a p99 of at most 1.5 times its own.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import click
import msgspec
from rich.console import Console

from benchmarks import payments
from benchmarks.load.machine import Database, Machine, empty_database, execute, run_machine
from benchmarks.load.report import WIDTH, Table, to_record
from benchmarks.load.serving import Target, free_port, machine_facts, serve, write_results
from benchmarks.transport_load import cpu_seconds

ALONE, HOMES, APART = "one instance", "with homes", "without homes"
_WARM_UP_SECONDS = 3.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one load of a set found. Processor time is in microseconds a payment."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    busiest_cpu_us: float


class Set(msgspec.Struct, frozen=True):
    """Instances on one port and one database."""

    targets: tuple[Target, ...]
    database: Database


@click.command()
@click.option("--instances", default=4, show_default=True)
@click.option("--connections", default=64, show_default=True)
@click.option("--tenants", default=1, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="How long a set is loaded in each round.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(instances: int, connections: int, tenants: int, seconds: float, rounds: int, directory: str) -> None:
    """Compare one instance with several, with homes and without."""
    console = Console(width=WIDTH)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        found = run(
            machine,
            instances=instances,
            connections=connections,
            tenants=tenants,
            seconds=seconds,
            rounds=rounds,
            report=console.print,
        )
    _show(console, found)
    record = {
        "machine": machine_facts(),
        "instances": instances,
        "connections": connections,
        "tenants": tenants,
        "found": {name: [to_record(one) for one in runs] for name, runs in found.items()},
        "ratios": {name: ratios(found, name) for name in (HOMES, APART)},
    }
    console.print(f"written to {write_results('homes', record)}")


def run(
    machine: Machine,
    *,
    instances: int,
    connections: int,
    tenants: int,
    seconds: float,
    rounds: int,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Found]]:
    """Return what each set found in each round."""
    with ExitStack() as stack:
        sets = {
            name: stack.enter_context(_start(machine, number, count, tenants, with_homes=name == HOMES))
            for number, (name, count) in enumerate(((ALONE, 1), (HOMES, instances), (APART, instances)))
        }
        found: dict[str, list[Found]] = {name: [] for name in sets}
        for one in sets.values():
            _load(one, connections, min(seconds, _WARM_UP_SECONDS))
        for number in range(rounds):
            for name, one in sets.items():
                execute(one.database.url, "checkpoint")
                found[name].append(_load(one, connections, seconds))
                last = found[name][-1]
                report(f"round {number + 1}: {name} {last.rate:,.0f}/s, p99 {last.p99_ms:.1f} ms")
    return found


def ratios(found: Mapping[str, list[Found]], name: str) -> dict[str, float]:
    """Return the medians over the rounds of what a set did, as parts of what one instance did beside it."""
    pairs = list(zip(found[name], found[ALONE], strict=True))
    return {
        "rate": statistics.median(one.rate / alone.rate for one, alone in pairs),
        "p99": statistics.median(one.p99_ms / alone.p99_ms for one, alone in pairs),
        "busiest_cpu": statistics.median(one.busiest_cpu_us / alone.busiest_cpu_us for one, alone in pairs),
    }


@contextmanager
def _start(machine: Machine, number: int, count: int, tenants: int, *, with_homes: bool) -> Iterator[Set]:
    port = free_port()
    with empty_database(machine, f"bench_homes_{number}", tenants=tenants) as database, ExitStack() as stack:
        targets = [
            stack.enter_context(
                serve(
                    "fastpay",
                    database_url=database.url,
                    redis_url=machine.redis_url,
                    directory=machine.directory,
                    port=port,
                    instance=100 * number + instance,
                    more={"FASTPAY_HOMES": str(with_homes).lower()},
                )
            )
            for instance in range(count)
        ]
        yield Set(tuple(targets), database)


def _load(one: Set, connections: int, seconds: float) -> Found:
    before = [cpu_seconds(target.pid) for target in one.targets]
    sample = payments.load(one.targets[0], one.database, connections=connections, seconds=seconds)
    used = [cpu_seconds(target.pid) - was for target, was in zip(one.targets, before, strict=True)]
    return Found(
        rate=sample.rate,
        p50_ms=sample.p50_ms,
        p99_ms=sample.p99_ms,
        cpu_us=sum(used) / sample.requests * 1e6,
        busiest_cpu_us=max(used) / sample.requests * 1e6,
    )


def _show(console: Console, found: Mapping[str, list[Found]]) -> None:
    table = Table(title="one tenant's payments, medians")
    for column in (
        "instances",
        "payments/s",
        "p50 ms",
        "p99 ms",
        "us each",
        "us of the busiest",
        "rate of one",
    ):
        table.add_column(column, justify="left" if column == "instances" else "right")
    for name, runs in found.items():
        figures = [
            statistics.median(getattr(one, field) for one in runs)
            for field in ("rate", "p50_ms", "p99_ms", "cpu_us", "busiest_cpu_us")
        ]
        ratio = "" if name == ALONE else f"{ratios(found, name)['rate']:.2f}x"
        table.add_row(name, f"{figures[0]:,.0f}", *(f"{one:,.1f}" for one in figures[1:]), ratio)
    console.print(table)


if __name__ == "__main__":
    main()
