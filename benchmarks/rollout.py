"""What does fastpay cost in front of an older API, and how soon does it go back from a fault?

Run: python -m benchmarks.rollout [--seconds 10 --rounds 3 --connections 16]

Two older APIs: the Flask peer, and a server that does next to nothing (`benchmarks/load/older.py`). All
routes are theirs. Each is loaded directly and through fastpay in turns: by a closed loop (wrk) for the
throughput, then by an open loop at half of the slower one's rate for the latency. A payment through fastpay
binds its idempotency key to a side, which is a commit in fastpay's database.

Then payments are split in half on two instances, and of those of fastpay's half the processor declines every
tenth. What is asked for: less than 1 ms more at the 99th percentile, less than 5 % of the older API's
throughput, and all payments back at the older API within 10 s on both instances.
"""

import itertools
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.load import older
from benchmarks.load.machine import (
    Database,
    Machine,
    empty_database,
    execute,
    fetch_value,
    replace_name,
    run_machine,
    run_on,
)
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.report import WIDTH, to_record
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import run_wrk
from benchmarks.payments import load, make_payment, payment_requests
from fastpay.engine.rollout.choice import FASTPAY, LEGACY, RouteState, choose
from fastpay.store.rollout import set_route

DIRECT, THROUGH = "direct", "through fastpay"
READS, PAYMENTS = "reads", "payments"
_SHARE_OF_PEAK = 0.5
_ROUTE = "POST /v1/payment_intents"
# One of them at least is drawn for fastpay, for all that chance can do.
_TENANTS = 24
# Of twenty payments in a row, one at each of two instances that take turns.
_FAULTY = (0, 11)
_GIVE_UP_SECONDS = 60.0
_FORM = "amount=1999&currency=usd&confirm=true&payment_method="
_GOOD, _DECLINED = _FORM + "pm_card_visa", _FORM + "pm_card_visa_chargeDeclined"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One of two ways to an older API. Tables are of its database, and `reads` is a file of identifiers."""

    target: Target
    database: Database
    reads: Path

    def requests(self, kind: str) -> Iterator[bytes]:
        """Yield requests of a kind."""
        if kind == PAYMENTS:
            return payment_requests(self.database.keys)
        identifier = self.reads.read_text(encoding="ascii").strip()
        head = f"GET /v1/payment_intents/{identifier} HTTP/1.1\r\nHost: localhost\r\n"
        return itertools.repeat(f"{head}Authorization: Bearer {self.database.keys[0]}\r\n\r\n".encode())


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of the rounds, by way."""

    older: str
    kind: str
    rates: Mapping[str, float]
    p50_ms: Mapping[str, float]
    p99_ms: Mapping[str, float]

    @property
    def row(self) -> tuple[str, ...]:
        """Return what a table shows."""
        direct, through = self.rates[DIRECT], self.rates[THROUGH]
        return (
            f"{self.older}, {self.kind}",
            *(f"{rate:,.0f}" for rate in (direct, through)),
            f"{100 * (1 - through / direct):.1f} %",
            *(f"{self.p99_ms[way]:.2f}" for way in (DIRECT, THROUGH)),
            f"{self.p50_ms[THROUGH] - self.p50_ms[DIRECT]:.2f}",
            f"{self.p99_ms[THROUGH] - self.p99_ms[DIRECT]:.2f}",
        )


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault did until both instances had gone back.

    `harmed` are the payments that clients saw declined, `counted` those that the guardrail has counted.
    """

    payments: int
    harmed: int
    counted: int
    seconds: float
    reason: str


@contextmanager
def both_ways(machine: Machine, name: str) -> Iterator[Mapping[str, Way]]:
    """Serve an older API, and fastpay in front of it, for the block."""
    with ExitStack() as stack:
        database = stack.enter_context(empty_database(machine, "bench_older", tenants=1))
        front = stack.enter_context(_copied(machine, "bench_older", "bench_front"))
        reads = machine.directory / f"{name}.identifier"
        if name == "flask":
            direct = stack.enter_context(_serve(machine, name, database.url))
            reads.write_text(f"{make_payment(direct.port, database.keys[0])['id']}\n", encoding="ascii")
        else:
            direct = Target(name, stack.enter_context(older.serving()), 0)
            reads.write_text("pi_OldPayment1\n", encoding="ascii")
        through = stack.enter_context(_serve(machine, "fastpay", front, legacy_port=direct.port))
        ways = {DIRECT: direct, THROUGH: through}
        yield {way: Way(target=target, database=database, reads=reads) for way, target in ways.items()}


def measure(
    ways: Mapping[str, Way], name: str, kind: str, *, rounds: int, connections: int, seconds: float
) -> Overhead:
    """Load both ways in turns."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    p50_ms: dict[str, list[float]] = {way: [] for way in ways}
    p99_ms: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, own in ways.items():
            rates[way].append(_closed_loop(own, name, kind, connections=connections, seconds=seconds))
    rate = _SHARE_OF_PEAK * min(median(found) for found in rates.values())
    for _ in range(rounds):
        for way, own in ways.items():
            found = run_open_loop(
                own.target.port, own.requests(kind), rate=rate, connections=connections, seconds=seconds
            )
            p50_ms[way].append(found.p50_ms)
            p99_ms[way].append(found.p99_ms)
    medians = [{way: median(all_) for way, all_ in one.items()} for one in (rates, p50_ms, p99_ms)]
    return Overhead(older=name, kind=kind, rates=medians[0], p50_ms=medians[1], p99_ms=medians[2])


def _closed_loop(way: Way, name: str, kind: str, *, connections: int, seconds: float) -> float:
    if kind == READS:
        arguments = [str(way.reads), way.database.keys[0]]
        return run_wrk(way.target, "reads.lua", arguments, connections=connections, seconds=seconds).rate
    if name == "flask":
        # Counts the rows in the older API's database as well.
        return load(way.target, way.database, connections=connections, seconds=seconds).rate
    arguments = [secrets.token_hex(6), *way.database.keys]
    return run_wrk(way.target, "payments.lua", arguments, connections=connections, seconds=seconds).rate


def revert(machine: Machine) -> Reverted:
    """Split payments in half, decline every tenth of fastpay's, and wait until both instances go back."""
    with ExitStack() as stack:
        database = stack.enter_context(empty_database(machine, "bench_split", tenants=_TENANTS))
        port = stack.enter_context(older.serving())
        instances = [
            stack.enter_context(_serve(machine, "fastpay", database.url, legacy_port=port, instance=number))
            for number in range(2)
        ]
        state = RouteState("split", 50)
        run_on(database.url, lambda one: set_route(one, _ROUTE, state, changed_by="benchmark"))
        client = _Client(instances, _key_at_fastpay(database, state))
        stack.callback(client.close)
        return client.harm(database.url)


class _Client:
    """Pays at one instance and the other, a customer of the older API and one who is new in turns."""

    def __init__(self, instances: list[Target], key: str) -> None:
        self._connections = [HTTPConnection("127.0.0.1", one.port, timeout=30) for one in instances]
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def harm(self, database_url: str) -> Reverted:
        """Pay until both instances have gone back."""
        for connection in self._connections:
            self._wait_split(connection)
        begun, payments, harmed = time.monotonic(), 0, 0
        left = list(self._connections)
        while left:
            if time.monotonic() - begun > _GIVE_UP_SECONDS:
                raise SystemExit(f"the route did not go back, though {harmed} of {payments} were declined")
            for connection in list(left):
                self._pay(connection, _GOOD + "&customer=cus_OldCustomer1")
                payments += 1
                side, status = self._pay(connection, _DECLINED if payments % 20 in _FAULTY else _GOOD)
                harmed += status != 200
                if side == LEGACY:
                    left.remove(connection)
        seconds = time.monotonic() - begun
        counted = "select fastpay_bad from rollout_guard where metric = 'declines'"
        while (known := fetch_value(database_url, counted)) != harmed:
            if time.monotonic() - begun > _GIVE_UP_SECONDS:
                break
            time.sleep(0.1)
        reason = fetch_value(database_url, "select reason from rollout_change where reason is not null")
        return Reverted(
            payments=payments, harmed=harmed, counted=known or 0, seconds=seconds, reason=str(reason)
        )

    def _wait_split(self, connection: HTTPConnection) -> None:
        end_s = time.monotonic() + _GIVE_UP_SECONDS
        while self._pay(connection, _GOOD)[0] != FASTPAY:
            if time.monotonic() > end_s:
                raise SystemExit("the route was not split")
            time.sleep(0.05)

    def _pay(self, connection: HTTPConnection, body: str) -> tuple[str | None, int]:
        """Return who has answered, and the status."""
        connection.request("POST", "/v1/payment_intents", body, self._headers)
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("Fastpay-Served-By"), answer.status


def _key_at_fastpay(database: Database, state: RouteState) -> str:
    """Return the key of a tenant whose new payments are drawn for fastpay."""
    query = "select tenant_id from tenant order by length(name), name"
    tenants = run_on(database.url, lambda connection: connection.fetch(query))
    for row, key in zip(tenants, database.keys, strict=True):
        if choose(state, f"{row['tenant_id'].hex} False") == FASTPAY:
            return key
    raise SystemExit("no tenant was drawn for fastpay")


@contextmanager
def _copied(machine: Machine, template: str, name: str) -> Iterator[str]:
    """Copy a database for the block, so that fastpay knows the keys of the older API."""
    execute(machine.database_url, f"drop database if exists {name} with (force)")
    execute(machine.database_url, f"create database {name} template {template}")
    try:
        yield replace_name(machine.database_url, name)
    finally:
        execute(machine.database_url, f"drop database if exists {name} with (force)")


def _serve(
    machine: Machine, name: str, database_url: str, *, legacy_port: int = 0, instance: int = 0
) -> AbstractContextManager[Target]:
    # fastpay takes identifiers of version 7 for its own. On a busy machine nothing goes back for being slow.
    more = {"PEER_UUID_VERSION": "4"}
    if legacy_port:
        more = {"FASTPAY_LEGACY_URL": f"http://127.0.0.1:{legacy_port}", "FASTPAY_ROLLOUT_SLOW_MS": "600000"}
    return serve(
        name,
        database_url=database_url,
        redis_url=machine.redis_url,
        directory=machine.directory,
        instance=instance,
        more=more,
    )


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each way is loaded.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=16, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True)
def main(seconds: float, rounds: int, connections: int, directory: str) -> None:
    """Measure pass-through beside the older API itself, and a rollback."""
    console, found = Console(width=WIDTH), []
    with run_machine(directory, database_url=None, redis_url=None) as machine:
        for name in ("flask", "fast"):
            with both_ways(machine, name) as ways:
                for kind in (READS, PAYMENTS):
                    found.append(
                        measure(ways, name, kind, rounds=rounds, connections=connections, seconds=seconds)
                    )
        reverted = [revert(machine) for _ in range(rounds)]
    table = Table(title=f"in front of an older API, {connections} connections")
    for column in ("older API", "direct/s", "through/s", "loss", "p99 ms", "through", "p50 more", "p99 more"):
        table.add_column(column, justify="left" if column == "older API" else "right", no_wrap=True)
    for one in found:
        table.add_row(*one.row)
    console.print(table)
    for back in reverted:
        console.print(
            f"every tenth declined: back on both instances after {back.seconds:.1f} s and "
            f"{back.harmed} harmed payments, of {back.payments} ({back.reason})"
        )
    results = {
        "machine": machine_facts(),
        "overhead": [to_record(one) for one in found],
        "reverted": [to_record(one) for one in reverted],
    }
    console.print(f"written to {write_results('rollout', results)}")


if __name__ == "__main__":
    main()
