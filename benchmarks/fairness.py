"""How much later are one merchant's payments while another floods the server?

Run: python -m benchmarks.fairness [--seconds 10 --rounds 3 --rate 40 --floods batches-6,lists]

One tenant sends payments at a fixed, low rate (an open loop; latency counts from when a payment was due),
and health checks beside them. Another tenant floods the same server in a closed loop from a process of its
own, as fast as it is answered and whatever the answer is. That process gets only the processor time that
others leave (SCHED_IDLE): a client's own work is another machine's in production. Within a round every
flood has its turn, with a quiet time of the same length before each. What is asked for: a p99 of payments
beside any flood of at most twice the quiet one. The ratio compares the p99 over all rounds with that of all
quiet times.
"""

import asyncio
import itertools
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console

from benchmarks.load import transfers
from benchmarks.load.machine import Database, Machine, empty_database, run_machine
from benchmarks.load.open_loop import Phase, Record, Records, run_phases
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target, machine_facts, serve, write_results
from benchmarks.payments import payment_requests
from fastpay import limits

_ASKED_RATIO = 2.0
_ACCOUNTS = 2_000
_PROBE_CONNECTIONS = 32
# A flood lasts a little longer than the payments beside it, at both ends.
_AROUND_SECONDS = 0.5
# Payments are nearly as quick as usual again before the next quiet time begins.
_SETTLE_SECONDS, _SETTLE_TIMES, _SETTLED_RATIO = 0.5, 30, 5.0


class Flood(msgspec.Struct, frozen=True):
    """Requests that each of so many connections sends again and again."""

    connections: int
    requests: tuple[bytes, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one time found: latencies in seconds, and what the flood was answered, by status."""

    payments: list[float]
    checks: list[float]
    others: int
    flood: dict[str, int] = {}


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each flood lasts.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--rate", default=40.0, show_default=True, help="Payments a second, and health checks.")
@click.option("--floods", default="", help="Names of floods, with commas; all by default.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(seconds: float, rounds: int, rate: float, floods: str, directory: str) -> None:
    """Flood a server as one tenant, and pay as another."""
    console = Console(width=WIDTH)
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_fairness", tenants=2) as database,
    ):
        most = limits.ledger_batch_transfers_max
        wanted = make_floods(database, accounts=_ACCOUNTS, transfers_a_batch=most)
        names = floods.split(",") if floods else list(wanted)
        unknown = set(names) - set(wanted)
        if unknown:
            raise SystemExit(f"no such floods: {', '.join(sorted(unknown))}; there are {', '.join(wanted)}")
        chosen = {name: wanted[name] for name in names}
        found = run(
            machine, database, chosen, seconds=seconds, rounds=rounds, rate=rate, report=console.print
        )
    _show(console, found)
    record = {
        "machine": machine_facts(),
        "rate": rate,
        "found": {name: _summary(runs) for name, runs in found.items()},
    }
    console.print(f"written to {write_results('fairness', record)}")


def make_floods(database: Database, *, accounts: int, transfers_a_batch: int) -> dict[str, Flood]:
    """Return every flood by its name, as the database's first tenant sends it."""
    key = database.keys[0]
    opened = transfers.open_accounts(database, accounts)
    pairs = list(zip(opened, [*opened[1:], opened[0]], strict=True))
    bodies = transfers.batch_bodies(pairs, transfers_a_batch)
    batches = tuple(_post(key, "/v1/ledger/batches", body) for body in bodies)
    small = tuple(_post(key, "/v1/ledger/batches", body) for body in transfers.batch_bodies(pairs, 100))
    invalid = json.loads(bodies[0])
    invalid["transfers"][-1]["amount"] = -1
    spaced = json.dumps(invalid, indent=24).encode()
    brackets = b'{"metadata":[' + b"[]," * (limits.body_bytes_max // 3 - 10) + b"[]]}"
    escapes = b"&".join(b"metadata[k%d]=" % number + b"%41" * 300 for number in range(1_000))
    listed = _get(key, "/v1/ledger/accounts?limit=100")
    return {
        "batches-6": Flood(6, batches),
        "batches-16": Flood(16, batches),
        "small-batches-64": Flood(64, small),
        "transfers-64": Flood(64, tuple(_transfer(key, pair) for pair in pairs[:100])),
        "payments-64": Flood(64, tuple(_without_key(key, number) for number in range(10))),
        "lists-64": Flood(64, (listed,)),
        "invalid-batches": Flood(4, (_post(key, "/v1/ledger/batches", spaced),)),
        "brackets": Flood(1, (_post(key, "/v1/customers", brackets),)),
        "escapes": Flood(4, (_post(key, "/v1/customers", escapes, "application/x-www-form-urlencoded"),)),
    }


def run(
    machine: Machine,
    database: Database,
    floods: dict[str, Flood],
    *,
    seconds: float,
    rounds: int,
    rate: float,
    gives_way: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Found]]:
    """Return what each flood found beside itself, and under "quiet" what there was without any.

    A flood that `gives_way` gets only the processor time that others leave.
    """
    found: dict[str, list[Found]] = {"quiet": [], **{name: [] for name in floods}}
    context = multiprocessing.get_context("spawn")
    with (
        serve(
            "fastpay", database_url=database.url, redis_url=machine.redis_url, directory=machine.directory
        ) as target,
        ProcessPoolExecutor(1, mp_context=context) as pool,
    ):
        _pay(target, database, rate=rate, seconds=min(seconds, 1.0))
        usual = _percentile_ms(_pay(target, database, rate=rate, seconds=min(seconds, 1.0)).payments, 0.5)
        for number in range(rounds):
            for name, flood in floods.items():
                _settle(target, database, rate=rate, usual_ms=usual)
                found["quiet"].append(_pay(target, database, rate=rate, seconds=seconds))
                flooding = pool.submit(
                    _flood, target.port, flood, seconds + 2 * _AROUND_SECONDS, gives_way=gives_way
                )
                time.sleep(_AROUND_SECONDS)
                paid = _pay(target, database, rate=rate, seconds=seconds)
                found[name].append(msgspec.structs.replace(paid, flood=flooding.result()))
                quiet, beside = found["quiet"][-1], found[name][-1]
                report(
                    f"round {number + 1}: {name} p99 {_p99_ms(beside.payments):.1f} ms, quiet "
                    f"{_p99_ms(quiet.payments):.1f} ms, flood answered {beside.flood}"
                )
    return found


def ratio(found: dict[str, list[Found]], name: str) -> float:
    """Return how many times its quiet p99 a payment's p99 is beside a flood."""
    beside, quiet = _together(found[name]), _together(found["quiet"])
    return _p99_ms(beside) / _p99_ms(quiet)


def _pay(target: Target, database: Database, *, rate: float, seconds: float) -> Found:
    """Send payments and health checks as the second tenant."""
    records = run_phases(
        target.port,
        _alternately(database.keys[1]),
        (Phase(2 * rate, seconds),),
        connections=_PROBE_CONNECTIONS,
        tolerant=True,
    )
    return judge(records)


def _settle(target: Target, database: Database, *, rate: float, usual_ms: float) -> None:
    """Return once the server is through with what a flood has left in its queues."""
    for _ in range(_SETTLE_TIMES):
        paid = _pay(target, database, rate=rate, seconds=_SETTLE_SECONDS).payments
        if paid and max(paid) * 1000 <= _SETTLED_RATIO * usual_ms:
            return


def judge(records: Records) -> Found:
    """Return what an open loop of payments and health checks says."""
    return Found(
        payments=records.get("payment", Record()).latencies,
        checks=records.get("read", Record()).latencies,
        others=sum(len(record.due) for kind, record in records.items() if kind not in {"payment", "read"}),
    )


def _alternately(key: str) -> Iterator[bytes]:
    check = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for payment in payment_requests((key,)):
        yield payment
        yield check


def _flood(port: int, flood: Flood, seconds: float, *, gives_way: bool) -> dict[str, int]:
    """Send a flood for so long, and return how many answers there were of each status."""
    if gives_way:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    return uvloop.run(_flood_on(port, flood, seconds))


async def _flood_on(port: int, flood: Flood, seconds: float) -> dict[str, int]:
    answers: dict[str, int] = {}

    async def send(number: int) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with suppress(OSError, asyncio.IncompleteReadError):
                for request in itertools.islice(itertools.cycle(flood.requests), number, None):
                    writer.write(request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    answers[head[9:12].decode()] = answers.get(head[9:12].decode(), 0) + 1
                    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                    await reader.readexactly(length)
                    if b"connection: close" in head.lower():
                        break
            writer.close()

    tasks = [asyncio.create_task(send(number)) for number in range(flood.connections)]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answers


def _post(key: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _get(key: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def _transfer(key: str, pair: tuple[str, str]) -> bytes:
    body = {"debit_account": pair[0], "credit_account": pair[1], "amount": transfers.AMOUNT}
    return _post(key, "/v1/ledger/transfers", json.dumps(body).encode())


def _without_key(key: str, number: int) -> bytes:
    body = {
        "amount": 2_000 + number,
        "currency": "usd",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "return_url": "https://example.com/",
    }
    return _post(key, "/v1/payment_intents", json.dumps(body).encode())


def _together(runs: Sequence[Found]) -> list[float]:
    return [latency for one in runs for latency in one.payments]


def _p99_ms(latencies: Sequence[float]) -> float:
    """Return NaN of nothing."""
    return _percentile_ms(latencies, 0.99)


def _percentile_ms(latencies: Sequence[float], share: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else math.nan


def _summary(runs: Sequence[Found]) -> dict[str, Any]:
    paid = _together(runs)
    checks = [latency for one in runs for latency in one.checks]
    return {
        "payments": len(paid),
        "p50_ms": _percentile_ms(paid, 0.5),
        "p99_ms": _p99_ms(paid),
        "max_ms": max(paid, default=math.nan) * 1000,
        "healthz_p99_ms": _p99_ms(checks),
        "others": sum(one.others for one in runs),
        "flood": [one.flood for one in runs],
    }


def _show(console: Console, found: dict[str, list[Found]]) -> None:
    table = Table(title="one tenant's payments beside floods of another")
    columns = "flood,payments,p50 ms,p99 ms,max ms,healthz p99,failed,of quiet,asked"
    for column in columns.split(","):
        table.add_column(column, justify="left" if column == "flood" else "right")
    for name, runs in found.items():
        of = _summary(runs)
        figures = [f"{of[figure]:,.1f}" for figure in ("p50_ms", "p99_ms", "max_ms", "healthz_p99_ms")]
        times = "" if name == "quiet" else f"{ratio(found, name):.1f}x"
        asked = "" if name == "quiet" else f"{_ASKED_RATIO:g}x"
        table.add_row(name, f"{of['payments']:,}", *figures, f"{of['others']:,}", times, asked)
    console.print(table)


if __name__ == "__main__":
    main()
