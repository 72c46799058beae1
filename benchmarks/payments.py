"""How many confirmed payments a second, and how late, beside FastAPI and Flask writing the same rows?

Run: python -m benchmarks.payments [--seconds 10 --rounds 3 --connections 64,256 --peers fastapi,flask]

Every server gets an empty database of its own in the same PostgreSQL (fsync on) and all of them run at once;
a round loads one after another, so that what else happens on the machine meets them alike. A closed loop
(wrk) gives throughput and the latency under it, an open loop the latency at a fixed rate of arrival. Each
request has an idempotency key of its own; after each round the rows in the database are counted against the
answers. Any answer but a 2xx ends the run.
"""

import itertools
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import click
from rich.console import Console

from benchmarks.load import options
from benchmarks.load.machine import Database, Machine, empty_database, execute, fetch_value, run_machine
from benchmarks.load.open_loop import Latencies, run_open_loop
from benchmarks.load.report import WIDTH, Figures, show_latencies, show_throughput, to_record
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import Sample, run_wrk
from benchmarks.samples import BODY

# At what share of a server's own peak the latency is taken.
SHARE_OF_PEAK = 0.5
_WRITTEN = "select count(*) from payment_intent where status = 'succeeded'"
# Longer than a batch takes: who has written nothing for so long has nothing left.
_SETTLED_SECONDS = 0.2

Servers = dict[str, tuple[Target, Database]]


@click.command()
@options.shared
@click.option("--tenants", default=1, show_default=True, help="Merchants that the payments are spread over.")
def main(tenants: int, **given: Any) -> None:
    """Measure confirmed payments, side by side."""
    asked = options.Options(**given)
    console = Console(width=WIDTH)
    results: dict[str, object] = {"machine": machine_facts(), "tenants": tenants, "options": to_record(asked)}
    with run_machine(asked.directory, database_url=asked.database_url, redis_url=asked.redis_url) as machine:
        for count in asked.connections:
            with ExitStack() as stack:
                servers = start(stack, machine, asked, tenants)
                closed = _closed_loop(console, servers, asked, count)
                show_throughput(console, f"confirmed payments, {count} connections", closed)
                opened = _open_loop(console, servers, closed, connections=count, seconds=asked.seconds)
                show_latencies(console, f"latency at a fixed rate, {count} connections", opened)
            results[f"connections_{count}"] = {
                "closed_loop": {name: figures.to_json() for name, figures in closed.items()},
                "open_loop": {name: [to_record(found) for found in runs] for name, runs in opened.items()},
            }
    console.print(f"written to {write_results('payments', results)}")


def payment_requests(keys: tuple[str, ...], body: bytes = BODY) -> Iterator[bytes]:
    """Yield requests for payments, each with an idempotency key that nobody ever used."""
    run = secrets.token_hex(6)
    heads = [
        b"POST /v1/payment_intents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + key.encode()
        + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nIdempotency-Key: "
        % len(body)
        for key in keys
    ]
    for number in itertools.count():
        yield b"%b%b-%d\r\n\r\n%b" % (heads[number % len(heads)], run.encode(), number, body)


def make_payment(port: int, key: str, body: bytes = BODY) -> dict[str, object]:
    """Make one payment and return the answer. Raises: SystemExit where it is none."""
    return _post(port, key, "/v1/payment_intents", body)


def make_refund(port: int, key: str, payment: object) -> dict[str, object]:
    """Give one minor unit of a payment back and return the answer. Raises: SystemExit where it is none."""
    return _post(port, key, "/v1/refunds", f"payment_intent={payment}&amount=1".encode())


def _post(port: int, key: str, path: str, body: bytes) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": secrets.token_hex(16),
    }
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise SystemExit(f"{path} was refused: {response.status} {said!r}")
    answer: dict[str, object] = json.loads(said)
    return answer


def start(stack: ExitStack, machine: Machine, asked: options.Options, tenants: int) -> Servers:
    """Start all servers, each over an empty database of its own."""
    servers = {}
    for number, name in enumerate(("fastpay", *asked.peers)):
        database = stack.enter_context(empty_database(machine, f"bench_{name}", tenants=tenants))
        redis_url = options.numbered(machine.redis_url, number)
        serving = serve(
            name,
            database_url=database.url,
            redis_url=redis_url,
            directory=machine.directory,
            workers=asked.workers,
        )
        servers[name] = (stack.enter_context(serving), database)
    return servers


def _closed_loop(
    console: Console, servers: Servers, asked: options.Options, connections: int
) -> dict[str, Figures]:
    found: dict[str, list[Sample]] = {name: [] for name in servers}
    for target, database in servers.values():
        load(target, database, connections=connections, seconds=max(1.0, asked.seconds / 5))
    for number in range(asked.rounds):
        for name, (target, database) in servers.items():
            # The pages that the round before left behind are not this one's to write.
            execute(database.url, "checkpoint")
            sample = load(target, database, connections=connections, seconds=asked.seconds)
            found[name].append(sample)
            console.print(f"  round {number + 1}: {name} {sample.rate:,.0f}/s, p99 {sample.p99_ms:.1f} ms")
    return {name: Figures(samples) for name, samples in found.items()}


def load(target: Target, database: Database, *, connections: int, seconds: float) -> Sample:
    """Load a server with payments. Raises: SystemExit where it did not write what it answered."""
    before = _count_settled(database)
    arguments = [secrets.token_hex(6), *database.keys]
    sample = run_wrk(target, "payments.lua", arguments, connections=connections, seconds=seconds)
    written = fetch_value(database.url, _WRITTEN) - before
    # At the end wrk turns away from as many requests as there are connections.
    if not sample.requests <= written <= sample.requests + connections:
        raise SystemExit(f"{target.name} answered {sample.requests} payments and wrote {written}")
    return sample


def _count_settled(database: Database) -> int:
    """Return how many payments there are once no more of an earlier load are on their way."""
    count = int(fetch_value(database.url, _WRITTEN))
    while True:
        time.sleep(_SETTLED_SECONDS)
        again = int(fetch_value(database.url, _WRITTEN))
        if again == count:
            return count
        count = again


def _open_loop(
    console: Console, servers: Servers, closed: dict[str, Figures], *, connections: int, seconds: float
) -> dict[str, list[Latencies]]:
    """Return latencies at a rate that the slowest can do, and at the same share of the server's own peak."""
    shared = min(figures.rate for figures in closed.values()) * SHARE_OF_PEAK
    found: dict[str, list[Latencies]] = {}
    for name, (target, database) in servers.items():
        rates = sorted({shared, closed[name].rate * SHARE_OF_PEAK})
        console.print(f"  open loop: {name} at {' and '.join(f'{rate:,.0f}/s' for rate in rates)}")
        found[name] = [
            run_open_loop(
                target.port,
                payment_requests(database.keys),
                rate=rate,
                connections=connections,
                seconds=seconds,
            )
            for rate in rates
        ]
    return found


if __name__ == "__main__":
    main()
