"""What the write path needs from the database, and what it offers to who does not wait in a coroutine."""

from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.ports import Changes, IdempotencyRow, Reply, Submission, Writer


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """Changes as a store sends them. Opaque to everybody but the store that made it.

    `rest` is written by later statements of the same transaction.
    """

    rest: "tuple[Encoded, ...]" = ()


class TakenBooks(msgspec.Struct, frozen=True):
    """The books that are locked now, and the tenants whose book another transaction holds."""

    books: Sequence[Book]
    busy: frozenset[Scope] = frozenset()


class Loader(Protocol):
    """Reads for a batch. `moment_ms` is the database's time at which books were last read or locked."""

    moment_ms: int | None

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Return the books that exist, without locking them."""

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        """Return the rows that exist."""

    async def load_objects(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Versioned]]:
        """Return the latest version of each object that exists."""

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        """Return the accounts that exist."""


class BatchTransaction(Loader, Protocol):
    """One database transaction around one batch."""

    async def lock_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Lock and return the books of these scopes. Nobody else can write to them until the end.

        Waits for other transactions, in a lane at most `book_wait_ms`. Raises: TransientFailure.
        """

    async def take_books(self, scopes: Sequence[Scope]) -> TakenBooks:
        """Do the same, but skip the books that another transaction holds."""

    async def write(self, changes: Changes) -> None:
        """Write the net effect of the batch."""

    async def write_ahead(self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int]) -> None:
        """Lock these books, compare them, and write what was decided on them before the transaction began.

        The `rest` is left to `write_more`. Raises: see `WriterStore.write_decided`; then nothing is written.
        """

    async def write_more(self, encoded: Encoded) -> None:
        """Write one part of the `rest`."""

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo only the block if it fails. Raises: RefusedBatch, TransientFailure."""


class WriterStore(Protocol):
    """What the writer needs from the database."""

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Encoded]:
        """Return the changes as `BatchTransaction.write_ahead` takes them, in steps if there are many.

        With `rows_max`, no statement writes more transfers or accounts of batches than that.

        Raises: RefusedBatch for values that cannot be encoded.
        """

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        """Commit what was decided on these books, in a transaction of its own, within `timeout_ms`.

        It has no `rest`. Raises: OutdatedBatch if a book differs, or another transaction holds it.
        WrongMoment if the database's time is not between the `moments`. The others are those of `run_batch`;
        here UnknownOutcome may follow whenever the connection is lost.
        """

    async def run_batch(self, work: "BatchWork", *, timeout_ms: float = limits.commit_timeout_ms) -> None:
        """Run `work` inside one transaction and commit it, within `timeout_ms`.

        Looking up the outcome of a lost COMMIT may take `resolve_timeout_ms` more.

        Raises: TransientFailure if nothing was committed and a retry may succeed. UnknownOutcome if the
        connection was lost after COMMIT was sent. OutdatedBatch and WrongMoment if `work` raises them.
        RefusedBatch if the database refused a statement, or `work` raised anything else. With the last three
        nothing was committed, and a retry of the same would fail again.
        """

    def lane(self) -> "WriterStore":
        """Return a store with connections of its own, so that its batches run beside those of this one."""

    def loading(self) -> AbstractAsyncContextManager[Loader]:
        """Lend a loader on another connection. Each of its reads sees what is committed by then.

        Raises: TransientFailure, RefusedBatch, also for reads inside the block.
        """


class BatchWork(Protocol):
    """Work inside a transaction."""

    async def __call__(self, transaction: BatchTransaction) -> None:
        """Do it."""


class QueueingWriter(Writer, Protocol):
    """A writer for who does not wait in a coroutine."""

    def put(self, submission: Submission, reply: Reply) -> None:
        """Queue a command. The reply gets what `submit` would return, or raise once the command is queued.

        Raises: Overloaded, WriterStopped.
        """
