"""From submissions to outcomes: queue, batch, decisions, columns and answers, with no request or database.

The store takes every batch as it is, at once. So all of a batch's way is here but the driver's part of it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import msgspec
import uvloop

from benchmarks import samples
from benchmarks.in_memory import loop_apart
from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book
from fastpay.engine.ports import Changes, CommitObserver, IdempotencyRow, Outcome
from fastpay.engine.write.ports import Encoded, WriterStore
from fastpay.engine.write.writer import Writer
from fastpay.store import columns


class _Loader:
    """Knows the book of a tenant without payments, and nothing else."""

    moment_ms: int | None = None

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        return [Book(scope, 0, samples.FEES) for scope in scopes]

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        return []

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        return []


class _Store:
    """Takes every batch."""

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Encoded]:
        return columns.encode_steps(changes, rows_max)

    async def write_decided(self, books: Sequence[Book], encoded: Encoded, *_: object, **__: object) -> None:
        """Take the batch."""

    def lane(self) -> "_Store":
        return self

    @asynccontextmanager
    async def loading(self) -> AsyncIterator[_Loader]:
        yield _Loader()


class _Clock(SystemClock):
    """Stands still, after the time in which a writer that has just begun looks keys up.

    So batches close after the same turns of the loop however busy the machine is.
    """

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return 1 + self.ahead_ns


@contextmanager
def queueing(count: int, observer: CommitObserver) -> Iterator[Callable[[], list[Outcome]]]:
    """Give a function that submits so many payments at once and returns their outcomes.

    `observer` is told of each commit.
    """
    clock, numbers, first = _Clock(), itertools.count(), samples.new_submission(0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        writer = Writer(cast(WriterStore, _Store()), clock=clock, observer=observer)

        async def start() -> None:
            writer.start()

        async def pay() -> list[Outcome]:
            replies = []
            for number in itertools.islice(numbers, count):
                writer.admit(samples.SCOPE)
                submission = msgspec.structs.replace(
                    first,
                    head=first.head + number,
                    tail=number.to_bytes(8, "big"),
                    idempotency_key=f"key-{number}",
                )
                reply: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
                writer.put(submission, reply)
                replies.append(reply)
            return await asyncio.gather(*replies)

        def run() -> list[Outcome]:
            with loop_apart():
                return runner.get_loop().run_until_complete(pay())

        runner.run(start())
        runner.run(pay())
        clock.ahead_ns = (limits.keys_doubted_ms + 1) * 1_000_000
        yield run
        runner.run(writer.close())
