"""`fastpay bench`: load a running server at a fixed rate, and print latencies.

The load is open loop: requests are due at fixed times, whether earlier ones were answered or not, and a
latency counts from when its request was due. So a stall is fully visible. Payments are made in test mode
and stay.
"""

import asyncio
import itertools
import random
import secrets
import time
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.operations.demo.client import Client
from fastpay.outbound.http import Answer

_PAYMENT = {
    "amount": 2000,
    "currency": "usd",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "description": "bench",
}
_SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The load; requests that are neither payments nor refunds are reads. Shares are percentages."""

    url: str
    key: str
    signing_secret: str | None = None
    rate: float
    seconds: float
    concurrency: int
    payments: int
    refunds: int


class Outcome(msgspec.Struct):
    """The result."""

    latencies_ms: dict[str, list[float]] = msgspec.field(default_factory=dict)
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    retries: int = 0


def run(**options: Any) -> int:
    """Load the server and print a table; return the exit status, 1 if anything failed."""
    load = Load(**options)
    if load.payments + load.refunds > 100:
        raise ConfigurationError("--payments and --refunds are shares of a hundred: together at most 100")
    console = Console()
    with Progress(console=console) as progress:
        bar = progress.add_task("asking", total=max(1, int(load.rate * load.seconds)))
        outcome = asyncio.run(_run(load, progress, bar))
    _show(console, load, outcome)
    return 1 if outcome.failures else 0


async def _run(load: Load, progress: Progress, bar: TaskID) -> Outcome:
    client = Client(load.url, load.key, signing_secret=load.signing_secret)
    try:
        return await _ask(client, load, progress, bar)
    finally:
        await client.close()


async def _ask(client: Client, load: Load, progress: Progress, bar: TaskID) -> Outcome:
    outcome = Outcome()
    # Every run has keys that were never used before.
    keys = (f"bench-{number}-{prefix}" for prefix in [secrets.token_hex(8)] for number in itertools.count())
    made = await client.post("/v1/payment_intents", next(keys), _PAYMENT)
    if made.status != 200:
        raise ConfigurationError(f"the server takes no payments: {made.status} {made.body[:300]!r}")
    # A refund returns one minor unit of a payment. One payment serves all refunds, as long as it lasts.
    known = [str(made.json()["id"])]
    free = asyncio.Semaphore(load.concurrency)
    chance = random.Random(1)  # noqa: S311 - what is asked for is no secret
    total = max(1, int(load.rate * load.seconds))
    started = time.monotonic()

    async def one(due: float) -> None:
        await _one(client, _choose(load, chance.random() * 100), next(keys), known, outcome, due)
        free.release()
        progress.advance(bar)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(total):
                due = started + number / load.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                # The wait for a free connection counts too, because `due` does not change.
                await free.acquire()
                group.create_task(one(due))
    except* ConfigurationError as errors:
        raise errors.exceptions[0] from None
    outcome.retries = client.retries
    return outcome


def _choose(load: Load, chance: float) -> str:
    if chance < load.payments:
        return "payment"
    return "refund" if chance < load.payments + load.refunds else "read"


async def _one(client: Client, kind: str, key: str, known: list[str], outcome: Outcome, due: float) -> None:
    answer = await _send(client, kind, key, known)
    outcome.latencies_ms.setdefault(kind, []).append((time.monotonic() - due) * 1000)
    if answer.status != 200:
        reason = f"{kind}: {answer.status}"
        outcome.failures[reason] = outcome.failures.get(reason, 0) + 1
    elif kind == "payment" and len(known) < limits.bench_payments_known_max:
        known.append(str(answer.json()["id"]))


async def _send(client: Client, kind: str, key: str, known: list[str]) -> Answer:
    identifier = random.choice(known)  # noqa: S311 - nor is this
    match kind:
        case "payment":
            return await client.post("/v1/payment_intents", key, _PAYMENT)
        case "refund":
            return await client.post("/v1/refunds", key, {"payment_intent": identifier, "amount": 1})
        case _:
            return await client.get(f"/v1/payment_intents/{identifier}")


def _show(console: Console, load: Load, outcome: Outcome) -> None:
    table = Table(title=f"{load.url}: {load.rate:g} requests a second for {load.seconds:g} s")
    table.add_column("request")
    for column in ("count", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "slowest ms"):
        table.add_column(column, justify="right")
    for kind, latencies in sorted(outcome.latencies_ms.items()):
        ordered = sorted(latencies)
        figures = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in _SHARES)
        table.add_row(kind, f"{len(ordered):,}", *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    if outcome.retries:
        console.print(
            f"{outcome.retries:,} requests were sent again; their latencies count from the first time"
        )
    for reason, count in sorted(outcome.failures.items()):
        console.print(f"failed: {reason}, {count:,} times")
