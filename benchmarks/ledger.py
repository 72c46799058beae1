"""How many transfers of the ledger a second, singly and in batches, onto one hot account and over many?

Run: python -m benchmarks.ledger [--seconds 10 --rounds 3 --connections 256 --accounts 10000 --batch 8190]

Over HTTP, on an empty database in a PostgreSQL with fsync on: single transfers by wrk, and batches by a few
threads that have their bodies ready; then the same through the writer's door in this process, without HTTP
before it. All forms of the load take turns within a round. Every request has an idempotency key of its own;
the rows in the database are counted against the answers, and the books verified at the end.
"""

import asyncio
import itertools
import json
import random
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.load.machine import Database, empty_database, fetch_value, run_machine, run_on
from benchmarks.load.report import WIDTH
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.load.wrk import run_wrk
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_batches import BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.domain.plan import Command
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Submission
from fastpay.engine.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.postgres import DatabaseSettings

_COUNT = "select count(*) from ledger_transfer"
# Enough to have one batch decoded while another is at the database.
_SENDERS = 4
_PAIRS = 20_000

Pairs = list[tuple[str, str]]
Load = Callable[[], int]


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each form of the load lasts.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=256, show_default=True, help="Of single transfers.")
@click.option("--accounts", default=10_000, show_default=True, help="That the spread load is spread over.")
@click.option("--batch", default=limits.ledger_batch_transfers_max, show_default=True)
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(seconds: float, rounds: int, connections: int, accounts: int, batch: int, directory: str) -> None:
    """Measure transfers of the ledger."""
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_ledger", tenants=1) as database,
    ):
        serving = serve(
            "fastpay",
            database_url=database.url,
            redis_url=machine.redis_url,
            directory=machine.directory,
        )
        with serving as target:
            names = _open_accounts(target, database.keys[0], accounts)
            placed = {"hot": [(names[0], names[1])], "spread": _random_pairs(names)}
            loads: dict[str, Load] = {}
            for where, pairs in placed.items():
                loads[f"single, {where}"] = _singles(
                    target,
                    database,
                    machine.directory / where,
                    pairs,
                    connections=connections,
                    seconds=seconds,
                )
                loads[f"batch, {where}"] = _batches(target, database, pairs, batch, seconds)
            rates = _measure(console, database, loads, rounds, seconds)
            _check_books(target, database.keys[0])
        # Without the server: what it holds in memory of the tenant would be wrong from here on.
        loads = {}
        for where, pairs in placed.items():
            loads[f"door, single, {where}"] = _door(database, pairs, 1, connections, seconds)
            loads[f"door, batch, {where}"] = _door(database, pairs, batch, _SENDERS, seconds)
        rates |= _measure(console, database, loads, rounds, seconds)
    _show(console, rates)
    asked = {"seconds": seconds, "rounds": rounds, "connections": connections, "accounts": accounts}
    results = {"machine": machine_facts(), "options": asked | {"batch": batch}, "rates": rates}
    console.print(f"written to {write_results('ledger', results)}")


def _measure(
    console: Console, database: Database, loads: dict[str, Load], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Run the loads in turn and return the rates of each."""
    rates: dict[str, list[float]] = {name: [] for name in loads}
    for number in range(rounds):
        for name, load in loads.items():
            before = fetch_value(database.url, _COUNT)
            begun = time.perf_counter()
            answered = load()
            elapsed = time.perf_counter() - begun
            written = fetch_value(database.url, _COUNT) - before
            if written < answered:
                raise SystemExit(f"{name}: {answered} transfers were answered and {written} are there")
            rates[name].append(answered / max(seconds, elapsed))
            console.print(f"  round {number + 1}: {name} {rates[name][-1]:,.0f}/s")
    return rates


def _show(console: Console, rates: dict[str, list[float]]) -> None:
    table = Table(title="transfers of the ledger, medians")
    for column in ("load", "transfers/s", "lowest", "highest"):
        table.add_column(column, justify="left" if column == "load" else "right")
    for name, found in rates.items():
        table.add_row(name, *(f"{rate:,.0f}" for rate in (statistics.median(found), min(found), max(found))))
    console.print(table)


def _random_pairs(names: Sequence[str]) -> Pairs:
    chance = random.Random(1)
    return [(debit, credit) for debit, credit in (chance.sample(names, 2) for _ in range(_PAIRS))]


def _open_accounts(target: Target, key: str, count: int) -> list[str]:
    """Open accounts without bounds, some at a time, and return their identifiers."""
    names: list[str] = []
    body = "code=bench&currency=usd&normal_side=credit"

    def work() -> None:
        with _Client(target, key) as client:
            while len(names) < count:
                names.append(
                    str(client.post("/v1/ledger/accounts", body, "application/x-www-form-urlencoded")["id"])
                )

    _in_threads(work)
    return names[: max(2, count)]


def _singles(
    target: Target, database: Database, file: Path, pairs: Pairs, *, connections: int, seconds: float
) -> Load:
    file.write_text("".join(f"{debit} {credit}\n" for debit, credit in pairs), encoding="utf-8")

    def load() -> int:
        arguments = [secrets.token_hex(6), database.keys[0], str(file)]
        return run_wrk(target, "transfers.lua", arguments, connections=connections, seconds=seconds).requests

    return load


def _batches(target: Target, database: Database, pairs: Pairs, size: int, seconds: float) -> Load:
    bodies = []
    endless = itertools.cycle(pairs)
    for _ in range(_SENDERS):
        items = [
            {"debit_account": debit, "credit_account": credit, "amount": 5}
            for debit, credit in itertools.islice(endless, size)
        ]
        bodies.append(json.dumps({"transfers": items}, separators=(",", ":")))

    def load() -> int:
        end = time.perf_counter() + seconds
        made: list[int] = []
        numbers = itertools.count()

        def work() -> None:
            body = bodies[next(numbers) % len(bodies)]
            with _Client(target, database.keys[0]) as client:
                while time.perf_counter() < end:
                    made.append(
                        int(str(client.post("/v1/ledger/batches", body, "application/json")["succeeded"]))
                    )

        _in_threads(work)
        return sum(made)

    return load


def _door(database: Database, pairs: Pairs, size: int, waiting: int, seconds: float) -> Load:
    rows = run_on(database.url, lambda connection: connection.fetch("select tenant_id from tenant"))
    scope = Scope(rows[0]["tenant_id"].hex, False)
    endless = itertools.cycle(pairs)
    if size == 1:
        commands: list[Command] = [
            CreateLedgerTransfer(debit_account=debit, credit_account=credit, amount=5)
            for debit, credit in pairs
        ]
    else:
        commands = [
            CreateLedgerBatch(items=_items(list(itertools.islice(endless, size)))) for _ in range(_SENDERS)
        ]
    return lambda: uvloop.run(_submit(database.url, scope, commands, waiting, seconds)) * size


def _items(pairs: Pairs) -> BatchItems:
    numbers: dict[str, int] = {}
    debits = [numbers.setdefault(debit, len(numbers)) for debit, _ in pairs]
    credited = [numbers.setdefault(credit, len(numbers)) for _, credit in pairs]
    return BatchItems(list(numbers), debits, credited, [5] * len(pairs), [0] * len(pairs))


async def _submit(url: str, scope: Scope, commands: Sequence[Command], waiting: int, seconds: float) -> int:
    """Keep so many commands waiting at the writer's door, and return how many were committed."""
    clock = SystemClock()
    store = PostgresBatches(DatabaseSettings(url=url))
    writer = Writer(store, clock=clock)
    writer.start()
    identifiers = IdentifierFactory(clock)
    endless = itertools.cycle(commands)
    run = secrets.token_hex(6)
    end = time.perf_counter() + seconds
    committed = 0

    async def submit_on_and_on() -> None:
        nonlocal committed
        while time.perf_counter() < end:
            stamp = identifiers.stamp()
            outcome = await writer.submit(
                Submission(
                    scope=scope,
                    command=next(endless),
                    request_id=identifiers.request_id(),
                    moment_ms=stamp.moment_ms,
                    head=stamp.head,
                    tail=stamp.tail,
                    idempotency_key=f"{run}-{stamp.head}",
                    fingerprint=b"f" * 32,
                )
            )
            assert outcome.answer.error is None
            committed += 1

    await asyncio.gather(*(submit_on_and_on() for _ in range(waiting)))
    await writer.close()
    await store.close()
    return committed


def _check_books(target: Target, key: str) -> None:
    with _Client(target, key) as client:
        found = client.send("GET", "/v1/ledger/verify", None, {})
    if found["problems"]:
        raise SystemExit(f"the books do not agree: {found['problems']}")


class _Client:
    """One connection that asks and must be answered well."""

    def __init__(self, target: Target, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", target.port, timeout=60)
        self._key = key

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, path: str, body: str, content_type: str) -> dict[str, object]:
        """Send a request with an idempotency key of its own."""
        return self.send(
            "POST", path, body, {"Content-Type": content_type, "Idempotency-Key": secrets.token_hex(16)}
        )

    def send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> dict[str, object]:
        """Send any request. Raises: SystemExit where the answer is not a good one."""
        self._connection.request(method, path, body, {"Authorization": f"Bearer {self._key}", **headers})
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {text[:300]!r}")
        answer: dict[str, object] = json.loads(text)
        return answer


def _in_threads(work: Callable[[], None]) -> None:
    """Run the same work in all senders' threads; what fails in one of them fails here."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  it is raised again below, in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    main()
