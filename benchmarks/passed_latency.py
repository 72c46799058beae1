"""How much later is an answer of an older API through fastpay, at a rate that leaves everybody time?

Run: python -m benchmarks.passed_latency [--rate 200 --seconds 2 --rounds 5]

The older API is a server that does next to nothing, on a core of its own. Fastpay, its PostgreSQL and the
load generator share the other one, which the direct way has for itself. Asked for: at most 1 ms more at the
99th percentile for what fastpay does not serve. A payment is on a route that fastpay could serve, so its
idempotency key is bound to a side first. The last row is what such a commit takes at least: one row, one
index, one connection, no other work.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from benchmarks.load.machine import empty_database, execute, run_on
from benchmarks.load.open_loop import Latencies, run_open_loop
from benchmarks.load.report import WIDTH, to_record
from benchmarks.load.serving import machine_facts, write_results
from benchmarks.passing import FAST, PAYMENTS, READS, Way, both_ways, place_apart

_CONNECTIONS = 16
_BODY = b"amount=2000"
_PAUSE_SECONDS = 0.004


def unserved_posts(key: str) -> Iterator[bytes]:
    """Yield requests to a path that fastpay does not serve, each with an idempotency key of its own."""
    run = secrets.token_hex(6)
    for number in itertools.count():
        head = (
            "POST /v1/old_things HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(_BODY)}\r\nIdempotency-Key: {run}-{number}\r\n\r\n"
        )
        yield head.encode() + _BODY


_KINDS: dict[str, Callable[[Way], Iterator[bytes]]] = {
    "reads": lambda way: way.requests(READS),
    "POSTs to an unserved path": lambda way: unserved_posts(way.database.keys[0]),
    "payments": lambda way: way.requests(PAYMENTS),
}


def time_commits(url: str, count: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of so many commits of one row, in milliseconds."""
    execute(url, "create table one_row (id bytea primary key, side text)")

    async def commit(connection: object) -> list[float]:
        found = []
        for _ in range(count):
            begun = time.perf_counter()
            await connection.execute(  # type: ignore[attr-defined]  # asyncpg has no types
                "insert into one_row values ($1, 'legacy')", secrets.token_bytes(16)
            )
            found.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(_PAUSE_SECONDS)
        return sorted(found)

    found = run_on(url, commit)
    return median(found), found[len(found) * 99 // 100]


@click.command()
@click.option("--rate", default=200.0, show_default=True, help="Requests a second.")
@click.option("--seconds", default=2.0, show_default=True, help="How long each way is loaded.")
@click.option("--rounds", default=5, show_default=True, help="One more is not counted.")
@click.option("--directory", default="/var/tmp", show_default=True)
def main(rate: float, seconds: float, rounds: int, directory: str) -> None:
    """Measure the latency of what is passed on, beside the older API's own."""
    found: dict[str, list[Latencies]] = {}
    with place_apart(directory) as place:
        with both_ways(place, FAST) as ways:
            for (kind, requests), number in itertools.product(_KINDS.items(), range(rounds + 1)):
                for way in list(ways)[:: 1 if number % 2 else -1]:
                    loaded = run_open_loop(
                        ways[way].target.port,
                        requests(ways[way]),
                        rate=rate,
                        connections=_CONNECTIONS,
                        seconds=seconds,
                    )
                    if number:
                        found.setdefault(f"{kind}, {way}", []).append(loaded)
        with empty_database(place.own, "bench_one_row", tenants=1) as database:
            floor = time_commits(database.url, int(rate * seconds * rounds))
    table = Table("requests, way", title=f"{rate:,.0f} a second, medians of {rounds} rounds")
    for column in ("p50 ms", "p99 ms", "range of p99"):
        table.add_column(column, justify="right")
    for name, runs in found.items():
        tails = [one.p99_ms for one in runs]
        p50_ms = median(one.p50_ms for one in runs)
        table.add_row(name, f"{p50_ms:.2f}", f"{median(tails):.2f}", f"{min(tails):.1f}-{max(tails):.1f}")
    table.add_row("a commit of one row", f"{floor[0]:.2f}", f"{floor[1]:.2f}", "")
    Console(width=WIDTH).print(table)
    results = {name: [to_record(one) for one in runs] for name, runs in found.items()}
    click.echo(f"written to {write_results('passed_latency', {'machine': machine_facts(), **results})}")


if __name__ == "__main__":
    main()
