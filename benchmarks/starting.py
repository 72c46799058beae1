"""How soon does a server serve, and how much memory does it hold then?

Run: python -m benchmarks.starting [--starts 7]

From the start of the process until its ready file is there, over a PostgreSQL and a Redis that run and a
database that is migrated. Resident memory is that of the process as the kernel counts it, shared pages too.
"""

import time
from statistics import median

import click

from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.serving import free_port, serve
from benchmarks.suite_figures import Start
from benchmarks.transport_load import resident_bytes

# Beside servers that run already, none of which is to lose its ready file.
_FIRST_INSTANCE = 100


@click.command()
@click.option("--starts", default=7, show_default=True, help="How often.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(starts: int, directory: str) -> None:
    """Start again and again."""
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_starting", tenants=1) as database,
    ):
        found = measure(machine, database, starts)
    ready = sorted(one.ready_ms for one in found)
    held = sorted(one.resident_bytes / 1e6 for one in found)
    print(f"ready after {median(ready):,.0f} ms ({ready[0]:,.0f} to {ready[-1]:,.0f})")
    print(f"resident then {median(held):.1f} MB ({held[0]:.1f} to {held[-1]:.1f})")


def measure(machine: Machine, database: Database, starts: int) -> list[Start]:
    """Start fastpay so many times, one after another."""
    found = []
    for number in range(starts):
        # A port of our own choice makes the ready file what is waited for.
        port, begun = free_port(), time.monotonic()
        with serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
            port=port,
            instance=_FIRST_INSTANCE + number,
        ) as target:
            ready_ms = (time.monotonic() - begun) * 1000
            found.append(Start(ready_ms, resident_bytes(target.pid)))
    return found


if __name__ == "__main__":
    main()
