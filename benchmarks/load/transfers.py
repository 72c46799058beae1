"""Loads of ledger transfers: singly by wrk, in batches over HTTP, and at the writer's door without it."""

import asyncio
import functools
import itertools
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path

import uvloop

from benchmarks.load.machine import Database, fetch_value
from benchmarks.load.serving import Target
from benchmarks.load.wrk import Sample, run_wrk
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_batches import BatchItems, CreateLedgerBatch
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.domain.plan import Command
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ports import Outcome, Submission
from fastpay.engine.write.writer import Writer
from fastpay.store.batches import PostgresBatches
from fastpay.store.postgres import DatabaseSettings

# What every transfer moves.
AMOUNT = 5
# Enough to have one batch decoded while another is at the database.
SENDERS = 4
_OPENED_AT_ONCE = 1_000

Pairs = list[tuple[str, str]]
Submit = Callable[[Command], "asyncio.Future[Outcome]"]


def open_accounts(database: Database, count: int) -> list[str]:
    """Open accounts without bounds, through the writer's door, and return their identifiers."""

    async def work() -> list[str]:
        opened = CreateLedgerAccount(currency="usd", code="bench", normal_side="C")
        names: list[str] = []
        async with _door(database) as submit:
            while len(names) < count:
                room = min(_OPENED_AT_ONCE, count - len(names))
                outcomes = await asyncio.gather(*(submit(opened) for _ in range(room)))
                names += [str(outcome.answer.object_id) for outcome in outcomes]
        return names

    return uvloop.run(work())


def run_singles(
    target: Target, key: str, file: Path, pairs: Pairs, connections: int, seconds: float
) -> Sample:
    """Make one transfer a request. The pairs of accounts go by way of a file."""
    file.write_text("".join(f"{debit} {credit}\n" for debit, credit in pairs), encoding="utf-8")
    arguments = [secrets.token_hex(6), key, str(file)]
    return run_wrk(target, "transfers.lua", arguments, connections=connections, seconds=seconds)


def batch_bodies(pairs: Pairs, size: int) -> list[bytes]:
    """Return a body for each sender, so that none of them is made while the clock runs."""
    endless = itertools.cycle(pairs)
    return [
        json.dumps(
            {
                "transfers": [
                    {"debit_account": debit, "credit_account": credit, "amount": AMOUNT}
                    for debit, credit in itertools.islice(endless, size)
                ]
            },
            separators=(",", ":"),
        ).encode()
        for _ in range(SENDERS)
    ]


def run_batches(target: Target, key: str, bodies: Sequence[bytes], seconds: float) -> Sample:
    """Have every sender send its batch again and again. The sample counts transfers, and times requests.

    Raises: SystemExit where a transfer was not made.
    """
    begun = time.perf_counter()
    taken_ms: list[float] = []
    made: list[int] = []

    def work(body: bytes) -> None:
        connection = HTTPConnection("127.0.0.1", target.port, timeout=30)
        while time.perf_counter() - begun < seconds:
            sent = time.perf_counter()
            headers = {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Idempotency-Key": secrets.token_hex(16),
            }
            connection.request("POST", "/v1/ledger/batches", body, headers)
            response = connection.getresponse()
            text = response.read()
            taken_ms.append((time.perf_counter() - sent) * 1000)
            if response.status != 200:
                raise SystemExit(f"a batch was refused: {response.status} {text[:300]!r}")
            answer = json.loads(text)
            if answer["failed"]:
                raise SystemExit(f"{answer['failed']} transfers of a batch were refused")
            made.append(answer["succeeded"])
        connection.close()

    _in_threads([functools.partial(work, body) for body in bodies])
    return _sample(sum(made), time.perf_counter() - begun, taken_ms)


def run_door(database: Database, pairs: Pairs, size: int, waiting: int, seconds: float) -> Sample:
    """Keep so many commands waiting at the writer's door, without HTTP before it."""
    endless = itertools.cycle(pairs)
    commands: list[Command] = []
    if size == 1:
        commands += [
            CreateLedgerTransfer(debit_account=debit, credit_account=credit, amount=AMOUNT)
            for debit, credit in pairs
        ]
    else:
        for _ in range(SENDERS):
            commands.append(CreateLedgerBatch(items=_items(list(itertools.islice(endless, size)))))
    return uvloop.run(_submit_on_and_on(database, commands, size, waiting, seconds))


async def _submit_on_and_on(
    database: Database, commands: Sequence[Command], size: int, waiting: int, seconds: float
) -> Sample:
    taken_ms: list[float] = []
    wanted = itertools.cycle(commands)

    async def work(submit: Submit, begun: float) -> None:
        while time.perf_counter() - begun < seconds:
            sent = time.perf_counter()
            outcome = await submit(next(wanted))
            taken_ms.append((time.perf_counter() - sent) * 1000)
            if outcome.answer.error is not None:
                raise SystemExit(f"a command was refused: {outcome.answer.error}")

    async with _door(database) as submit:
        begun = time.perf_counter()
        await asyncio.gather(*(work(submit, begun) for _ in range(waiting)))
        return _sample(len(taken_ms) * size, time.perf_counter() - begun, taken_ms)


@asynccontextmanager
async def _door(database: Database) -> AsyncIterator[Submit]:
    """Run a writer for the block, and lend what submits commands of the database's first tenant."""
    tenant_id = await asyncio.to_thread(fetch_value, database.url, "select tenant_id from tenant limit 1")
    scope = Scope(tenant_id.hex, False)
    clock = SystemClock()
    store = PostgresBatches(DatabaseSettings(url=database.url))
    writer = Writer(store, clock=clock)
    identifiers = IdentifierFactory(clock)
    run, numbers = secrets.token_hex(6), itertools.count()

    def submit(command: Command) -> "asyncio.Future[Outcome]":
        stamp = identifiers.stamp()
        submission = Submission(
            scope=scope,
            command=command,
            request_id=identifiers.request_id(),
            moment_ms=stamp.moment_ms,
            head=stamp.head,
            tail=stamp.tail,
            idempotency_key=f"{run}-{next(numbers)}",
            fingerprint=b"f" * 32,
        )
        return asyncio.ensure_future(writer.submit(submission))

    writer.start()
    try:
        yield submit
    finally:
        await writer.close()
        await store.close()


def _items(pairs: Pairs) -> BatchItems:
    numbers: dict[str, int] = {}
    debits = [numbers.setdefault(debit, len(numbers)) for debit, _ in pairs]
    credited = [numbers.setdefault(credit, len(numbers)) for _, credit in pairs]
    return BatchItems(list(numbers), debits, credited, [AMOUNT] * len(pairs), [0] * len(pairs))


def _sample(transfers: int, seconds: float, taken_ms: list[float]) -> Sample:
    taken_ms.sort()
    return Sample(
        requests=transfers,
        seconds=seconds,
        p50_ms=taken_ms[len(taken_ms) // 2],
        p99_ms=taken_ms[len(taken_ms) * 99 // 100],
        max_ms=taken_ms[-1],
        refused=0,
        connect=0,
        read=0,
        write=0,
        timeout=0,
    )


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    """Run all of this at once, a thread each; what fails in one of them fails here."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  it is raised again below, in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
