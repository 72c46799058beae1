"""What the write path asks of the database."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.ports import Changes, IdempotencyRow


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """Changes in the form in which a store sends them; only the store that made it looks inside.

    `rest` is what later statements of the same transaction write.
    """

    rest: "tuple[Encoded, ...]" = ()


class Loader(Protocol):
    """What a batch may read. `moment_ms` is the database's time when books were last read or locked here."""

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
        """Lock and return the books of these scopes: from here on nobody else writes to them."""

    async def write(self, changes: Changes) -> None:
        """Write the net effect of the batch."""

    async def write_ahead(self, books: Sequence[Book], encoded: Encoded) -> None:
        """Lock these books, and write what was decided on them before this transaction began.

        What is in its `rest` is left to `write_more`. Raises: OutdatedBatch where a book does not stand as
        it is given, and nothing is written.
        """

    async def write_more(self, encoded: Encoded) -> None:
        """Write one part of what `write_ahead` has left."""

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Keep what fails inside from undoing what came before. Raises: RefusedBatch, TransientFailure."""


class WriterStore(Protocol):
    """The database as the writer sees it."""

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Encoded]:
        """Return the changes as `BatchTransaction.write_ahead` takes them; many take several steps.

        With `rows_max`, no statement writes more transfers or accounts of batches than that.

        Raises: RefusedBatch for what no database could be told, as a batch that was refused.
        """

    async def run_batch(
        self,
        work: "BatchWork",
        *,
        goes_on: Callable[[], bool] = lambda: False,
        timeout_ms: float = limits.commit_timeout_ms,
    ) -> None:
        """Run `work` inside one transaction and commit it, within `timeout_ms`, whatever hangs.

        `goes_on` is asked when the work is done: where another batch is certain to come, its transaction may
        begin at once. To find out what became of a COMMIT may take `resolve_timeout_ms` more.

        Raises: TransientFailure when nothing was committed and trying again may help; UnknownOutcome when
        the connection was lost after COMMIT was sent; OutdatedBatch and WrongMoment where `work` did;
        RefusedBatch when the database refused a statement or `work` raised anything else. With the last three
        nothing was committed, and trying the same again would not help.
        """

    def loading(self) -> AbstractAsyncContextManager[Loader]:
        """Lend what reads beside a batch that may be running: what is committed, as of each statement.

        Raises: TransientFailure, RefusedBatch, as the reads inside do.
        """


class BatchWork(Protocol):
    """What the writer does inside a transaction."""

    async def __call__(self, transaction: BatchTransaction) -> None:
        """Do it."""
