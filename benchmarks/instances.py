"""What does another instance add? Payments over one and over several, and a crowd whose writes meet.

Run: python -m benchmarks.instances paired [--instances 4 --tenants 1,100 --connections 64 --seconds 10]
     python -m benchmarks.instances alone [--tenants 1 --connections 64 --seconds 10]
     python -m benchmarks.instances mix [--processes 7 --users 100000 --asking 0.01,0.05 --merchants 1,10,200]
                                        [--without-homes]

paired: a closed loop (wrk) of payments over one instance, and over several that share a port and a database.
Both run at once, and a round loads one after the other, so that what else happens on the machine meets them
alike. The rows in the database are counted against the answers, and any answer but a 2xx ends the run. The
figures are the ratios of throughput and of p99.

alone: the same for one instance that may have homes and one that may not, which must be alike.

mix: connections that stay open over so many processes, and an open loop in which every connection asks in its
turn: 80 % reads, 15 % payments and 5 % refunds, of so many merchants by Zipf's law. The fewer the merchants,
the more instances write to one of them at once; the more, the more books a batch has. What failed is counted.
Without homes every instance writes for every merchant.

To compare a setting, run twice with BENCH_FASTPAY_NAME=VALUE: it is FASTPAY_NAME of every server.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import click
from rich.console import Console

from benchmarks import crowd
from benchmarks.load.machine import Machine, empty_database, execute, run_machine
from benchmarks.load.mix import Shares
from benchmarks.load.options import Several, numbered
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, free_port, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample
from benchmarks.payments import load
from benchmarks.transport_load import cpu_seconds

_COLUMNS = ("tenants", "instances", "payments/s", "of one", "p50 ms", "p99 ms", "of one", "cpu us")
# What was answered in one round, and the processor time of all instances.
_Round = tuple[Sample, float]


@click.group()
def main() -> None:
    """Load one instance and several."""


@main.command("paired")
@click.option("--instances", default=4, show_default=True)
@click.option("--tenants", type=Several(int), default="1,100", show_default=True)
@click.option("--connections", default=64, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def run_paired(
    instances: int, tenants: tuple[int, ...], connections: int, seconds: float, rounds: int, directory: str
) -> None:
    """Compare payments over one instance and over several."""
    console = Console(width=WIDTH + 20)
    found: dict[int, dict[str, Any]] = {}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for count in tenants:
            found[count] = pair(
                machine,
                instances,
                tenants=count,
                connections=connections,
                seconds=seconds,
                rounds=rounds,
                report=console.print,
            )
    console.print(table_of_pairs(found, connections))
    console.print(f"written to {write_results('instances', {'machine': machine_facts(), 'paired': found})}")


@main.command("alone")
@click.option("--tenants", default=1, show_default=True)
@click.option("--connections", default=64, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def run_alone(tenants: int, connections: int, seconds: float, rounds: int, directory: str) -> None:
    """Compare one instance that may have homes with one that may not."""
    console = Console(width=WIDTH + 20)
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        found = pair(
            machine,
            1,
            tenants=tenants,
            connections=connections,
            seconds=seconds,
            rounds=rounds,
            more=({"FASTPAY_HOMES": "false"}, {"FASTPAY_HOMES": "true"}),
            report=console.print,
        )
    console.print("first without homes, then with")
    console.print(table_of_pairs({tenants: found}, connections))
    record = {"machine": machine_facts(), "alone": found}
    console.print(f"written to {write_results('instances_alone', record)}")


@main.command("mix")
@click.option("--processes", default=7, show_default=True)
@click.option("--users", default=100_000, show_default=True)
@click.option("--asking", type=Several(float), default="0.01,0.05", show_default=True, help="Share a second.")
@click.option("--merchants", type=Several(int), default="1,10,200", show_default=True)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--without-homes", is_flag=True, help="Every instance writes by itself.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def run_mix(
    processes: int,
    users: int,
    asking: tuple[float, ...],
    merchants: tuple[int, ...],
    seconds: float,
    without_homes: bool,
    directory: str,
) -> None:
    """Let a crowd read and write, of few merchants and of many."""
    console = Console(width=WIDTH + 30)
    table = Table(title=f"{users:,} users, a fifth of their requests are writes")
    for column in ("merchants", *crowd.COLUMNS):
        table.add_column(column, justify="right", no_wrap=True)
    found: dict[int, dict[str, Any]] = {}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for count in merchants:
            held = found[count] = crowd.hold(
                machine,
                "fastpay",
                processes,
                users,
                asking=asking,
                seconds=seconds,
                merchants=count,
                shares=Shares(),
                more={"FASTPAY_HOMES": str(not without_homes).lower()},
            )
            for cells in crowd.rows_of("fastpay", held):
                table.add_row(f"{count:,}", *cells)
            for line in crowd.breakages("fastpay", users, held):
                console.print(f"{count:,} merchants: {line}")
    console.print(table)
    record = {"machine": machine_facts(), "without_homes": without_homes, "mix": found}
    console.print(f"written to {write_results('instances_mix', record)}")


def pair(
    machine: Machine,
    instances: int,
    *,
    tenants: int,
    connections: int,
    seconds: float,
    rounds: int,
    more: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Load one instance and several in turn, and return what each came to, and the ratios of the rounds.

    `more` are further environment variables of the one and of the several.
    """
    with ExitStack() as stack:
        sides = []
        for number, count in enumerate((1, instances)):
            name = f"bench_instances_{number}"
            database = stack.enter_context(empty_database(machine, name, tenants=tenants))
            targets = [
                stack.enter_context(serving)
                for serving in _servings(machine, database.url, number, count, more[number])
            ]
            sides.append((targets, database))
            load(targets[0], database, connections=connections, seconds=1.0)
        one, several = list[_Round](), list[_Round]()
        for number in range(rounds):
            for found, (targets, database) in zip((one, several), sides, strict=True):
                # The pages that the round before left behind are not this one's to write.
                execute(database.url, "checkpoint")
                used = _cpu(targets)
                sample = load(targets[0], database, connections=connections, seconds=seconds)
                found.append((sample, _cpu(targets) - used))
                of = f"{tenants} tenants, {len(targets)} instances"
                report(f"  round {number + 1}: {of} {sample.rate:,.0f}/s, p99 {sample.p99_ms:.1f} ms")
    return {
        "instances": instances,
        "one": _describe(one),
        "several": _describe(several),
        "rate_ratio": _ratio(several, one, lambda sample: sample.rate),
        "p99_ratio": _ratio(several, one, lambda sample: sample.p99_ms),
    }


def table_of_pairs(found: Mapping[int, dict[str, Any]], connections: int) -> Table:
    """Return what to show of pairs, by the number of tenants."""
    table = Table(title=f"payments over {connections} connections")
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for tenants, one in found.items():
        for side in ("one", "several"):
            figures, is_one = one[side], side == "one"
            table.add_row(
                f"{tenants:,}",
                "1" if is_one else str(one["instances"]),
                f"{figures['rate']:,.0f}",
                "" if is_one else f"{one['rate_ratio']:.2f}x",
                f"{figures['p50_ms']:.1f}",
                f"{figures['p99_ms']:.1f}",
                "" if is_one else f"{one['p99_ratio']:.2f}x",
                f"{figures['cpu_us_a_payment']:.0f}",
            )
    return table


def _servings(
    machine: Machine, url: str, number: int, count: int, more: Mapping[str, str]
) -> Iterator[AbstractContextManager[Target]]:
    """Yield the instances to start, which share a port."""
    port = free_port()
    for instance in range(count):
        yield serve(
            "fastpay",
            database_url=url,
            redis_url=numbered(machine.redis_url, number),
            directory=machine.directory,
            port=port,
            # Its files must not be those of an instance of the other side.
            instance=100 * number + instance,
            more=more,
        )


def _cpu(targets: Sequence[Target]) -> float:
    return sum(cpu_seconds(target.pid) for target in targets)


def _describe(rounds: Sequence[_Round]) -> dict[str, Any]:
    payments = sum(sample.requests for sample, _ in rounds)
    return {
        "rate": statistics.median(sample.rate for sample, _ in rounds),
        "p50_ms": statistics.median(sample.p50_ms for sample, _ in rounds),
        "p99_ms": statistics.median(sample.p99_ms for sample, _ in rounds),
        "cpu_us_a_payment": sum(used for _, used in rounds) / max(1, payments) * 1e6,
    }


def _ratio(several: Sequence[_Round], one: Sequence[_Round], figure: Callable[[Sample], float]) -> float:
    """Return the median of the ratios within the rounds."""
    pairs = zip(several, one, strict=True)
    ratios = [figure(more) / figure(less) for (more, _), (less, _) in pairs if figure(less)]
    return statistics.median(ratios) if ratios else math.nan


if __name__ == "__main__":
    main()
