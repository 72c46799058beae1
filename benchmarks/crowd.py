"""A hundred thousand users: connections that all stay open, while some of them ask each second.

Run: python -m benchmarks.crowd [--users 100000 --asking 0.01,0.05 --seconds 20 --peers fastapi] [--one]

So many connections over several loopback addresses to several processes on one port (SO_REUSEPORT), then the
same beside FastAPI as far as it goes, and where it breaks. --one holds what one process can: 19,000 where a
process may have 20,000 files. The load is open, and every connection asks in its turn: reads, or with
--mixed 80 % reads, 15 % payments and 5 % refunds, of merchants by Zipf's law.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import click
from rich.console import Console

from benchmarks.holding import raise_open_files
from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.mix import ONLY_READS, Shares
from benchmarks.load.options import Several
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, free_port, machine_facts, serve, write_results
from benchmarks.load.users import Asked, Users
from benchmarks.payments import make_payment
from benchmarks.transport_load import cpu_seconds, resident_bytes
from fastpay import limits

# Below what a process accepts, since the kernel does not spread connections quite evenly.
_USERS_A_PROCESS = 15_500
_ONE_PROCESS = 19_000
_PAYMENTS_A_KEY = 50
_WARM_UP_SECONDS = 3.0
# Longer than every run, so that nobody is sent away for being idle.
_IDLE_SECONDS = 1_800
COLUMNS = (
    "server",
    "open",
    "asking/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "failed",
    "cores",
    "MB",
    "MB a process",
)
_PERCENTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)


@click.command()
@click.option("--users", default=100_000, show_default=True)
@click.option("--asking", type=Several(float), default="0.01,0.05", show_default=True, help="Share a second.")
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--peers", type=Several(str, ("fastapi",)), default="fastapi", show_default=True)
@click.option("--merchants", default=10, show_default=True)
@click.option("--one", is_flag=True, help="As many as one process holds.")
@click.option("--mixed", is_flag=True, help="Payments and refunds among the reads.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the databases are put.")
def main(
    users: int,
    asking: tuple[float, ...],
    seconds: float,
    peers: tuple[str, ...],
    merchants: int,
    one: bool,
    mixed: bool,
    directory: str,
) -> None:
    """Hold a crowd and see how those who ask fare."""
    console = Console(width=WIDTH + 20)
    count = min(users, _ONE_PROCESS) if one else users
    table = Table(title=f"{count:,} users")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    results: dict[str, Any] = {"machine": machine_facts(), "users": count, "mixed": mixed}
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for name in ("fastpay", *peers):
            processes = 1 if one else math.ceil(count / _USERS_A_PROCESS)
            found = hold(
                machine,
                name,
                processes,
                count,
                asking=asking,
                seconds=seconds,
                merchants=merchants,
                shares=Shares() if mixed else ONLY_READS,
            )
            results[name] = found
            for cells in rows_of(name, found):
                table.add_row(*cells)
            for line in breakages(name, count, found):
                console.print(line)
    console.print(table)
    console.print(f"written to {write_results('crowd', results)}")


def hold(  # noqa: PLR0913 - most are named
    machine: Machine,
    name: str,
    processes: int,
    count: int,
    *,
    asking: tuple[float, ...],
    seconds: float,
    merchants: int,
    shares: Shares,
    more: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Hold so many connections to so many processes of a server, and let shares of them ask.

    `more` are further environment variables of fastpay. What a server breaks at is told under "broke", beside
    all that was measured until then.
    """
    found: dict[str, Any] = {"processes": processes, "open": 0, "runs": []}
    try:
        _hold(found, machine, name, count, asking, seconds, merchants, shares, more=more or {})
    except (SystemExit, OSError) as error:
        # A number is the status of a process that was told to end: nothing broke.
        if name == "fastpay" or (isinstance(error, SystemExit) and not isinstance(error.code, str)):
            raise
        found["broke"] = str(error)
    return found


def _hold(  # noqa: PLR0913 - as `hold`
    found: dict[str, Any],
    machine: Machine,
    name: str,
    count: int,
    asking: tuple[float, ...],
    seconds: float,
    merchants: int,
    shares: Shares,
    *,
    more: Mapping[str, str],
) -> None:
    # Servers inherit it; a peer does not raise it by itself.
    raise_open_files()
    with empty_database(machine, f"bench_crowd_{name}", tenants=merchants) as database, ExitStack() as stack:
        port = free_port()
        servers = [
            stack.enter_context(serving)
            for serving in _servings(machine, name, database, port, count, found["processes"], more)
        ]
        payments = {
            key: [str(make_payment(port, key)["id"]) for _ in range(_PAYMENTS_A_KEY)] for key in database.keys
        }
        users = Users(port, payments, shares)
        stack.callback(users.close)
        found["megabytes_before"] = sum(resident_bytes(server.pid) for server in servers) / 1e6
        begun = time.monotonic()
        opened = found["open"] = users.open(count)
        found["opening_seconds"] = time.monotonic() - begun
        if not opened:
            raise SystemExit("no connection was taken")
        # The least first: what a server has not answered under one load would wait in the way of the next.
        users.ask(min(asking) * opened, _WARM_UP_SECONDS)
        for share in sorted(asking):
            used = sum(cpu_seconds(server.pid) for server in servers)
            asked = users.ask(share * opened, seconds)
            used = sum(cpu_seconds(server.pid) for server in servers) - used
            memory = sum(resident_bytes(server.pid) for server in servers)
            found["runs"].append(_describe(asked, share * opened, used, memory))


def _servings(
    machine: Machine,
    name: str,
    database: Database,
    port: int,
    count: int,
    processes: int,
    more: Mapping[str, str],
) -> Iterator[AbstractContextManager[Target]]:
    """Yield the servers to start, which share the port; a peer starts its own processes."""
    for number in range(processes if name == "fastpay" else 1):
        yield serve(
            name,
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            workers=processes,
            port=port,
            instance=number,
            idle_seconds=_IDLE_SECONDS,
            # The default leaves room for other files; one process alone is to hold more than that.
            more=dict(more)
            | (
                {"FASTPAY_CONNECTIONS_MAX": str(max(limits.connections_max, count))} if processes == 1 else {}
            ),
        )


def rows_of(name: str, found: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table."""
    rows = []
    for run in found["runs"]:
        figures = (run["p50_ms"], run["p99_ms"], run["p999_ms"])
        row = [f"{name} x {found['processes']}", f"{found['open']:,}", f"{run['rate']:,.0f}"]
        row += [f"{figure:.1f}" for figure in figures]
        row += [f"{run['failed'] + run['unanswered']:,}", f"{run['cores']:.2f}"]
        rows.append([*row, f"{run['megabytes']:,.0f}", f"{run['megabytes'] / found['processes']:,.0f}"])
    return rows


def breakages(name: str, count: int, found: dict[str, Any]) -> list[str]:
    """Return in words where a server did not bear the crowd."""
    said = []
    if found["open"] < count:
        said.append(f"{name}: {found['open']:,} of {count:,} connections were taken")
    for run in found["runs"]:
        if run["failed"] or run["unanswered"]:
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in run["failures"].items())
            lost = f"{run['failed']:,} requests failed ({reasons}) and {run['unanswered']:,} had no answer"
            said.append(f"{name} at {run['rate']:,.0f} a second: {lost}")
    if "broke" in found:
        said.append(f"{name} broke: {found['broke']}")
    return said


def _describe(asked: Asked, rate: float, cpu: float, memory: int) -> dict[str, Any]:
    ordered = sorted(asked.latencies) or [math.nan]

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    return {
        "rate": rate,
        "answered": len(asked.latencies),
        "p50_ms": percentile(0.5),
        "p99_ms": percentile(0.99),
        "p999_ms": percentile(0.999),
        "max_ms": ordered[-1],
        "percentiles": {str(share): percentile(share) for share in _PERCENTILES},
        "failed": asked.failed,
        "failures": asked.failures,
        "unanswered": asked.unanswered,
        "cores": cpu / asked.seconds,
        "cpu_us_a_request": cpu / max(1, len(asked.latencies)) * 1e6,
        "megabytes": memory / 1e6,
    }


if __name__ == "__main__":
    main()
