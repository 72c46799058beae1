"""Runs the transactions of batches on a connection of their own."""

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager

from fastpay import limits
from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.ledger import Account
from fastpay.domain.plan import Book, Versioned
from fastpay.engine.failures import RefusedBatch, TransientFailure
from fastpay.engine.ports import Changes, IdempotencyRow
from fastpay.engine.write.ports import BatchWork, Encoded, TakenBooks
from fastpay.store import columns, ledger_rows, lost_commits, rows
from fastpay.store.columns import Witness
from fastpay.store.failures import is_answer, translate
from fastpay.store.lost_commits import Backend, HasEnded
from fastpay.store.postgres import Connection, DatabaseSettings, connect
from fastpay.store.statements import SQL, combine

_BEGIN = "begin"


class PostgresBatches:
    """Runs batches on one connection and prefetches on another. Reconnects if one is lost."""

    def __init__(self, settings: DatabaseSettings, *, lock_timeout_ms: int | None = None) -> None:
        self._settings = settings
        self._lock_timeout_ms = lock_timeout_ms or limits.lock_timeout_ms
        self._begin = _BEGIN if settings.session_state else _begin(self._lock_timeout_ms)
        self._lanes: list[PostgresBatches] = []
        self._connection: Connection | None = None
        # What serves the connection, where that is known: one backend for all of its transactions.
        self._backend: Backend | None = None
        # When the transaction that runs must have ended, a time of the loop, and what looks then.
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._side: Connection | None = None
        # A connection runs one statement at a time.
        self._side_lock = asyncio.Lock()

    def lane(self) -> "PostgresBatches":
        """Return a store with connections of its own, which is closed with this one."""
        lane = PostgresBatches(self._settings, lock_timeout_ms=limits.book_wait_ms)
        self._lanes.append(lane)
        return lane

    def encode(self, changes: Changes, rows_max: int | None = None) -> Generator[None, None, Encoded]:
        """Return the changes as a transaction sends them. Raises: RefusedBatch if they cannot be encoded."""
        try:
            return (yield from columns.encode_steps(changes, rows_max))
        except Exception as error:
            raise translate(error) from error

    async def write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], *, timeout_ms: float
    ) -> None:
        """Commit what was decided ahead. Raises: see `WriterStore.write_decided`."""
        assert not encoded.rest
        if not self._settings.session_state:
            # A pooler sends the settings of the session and the statement to different connections.
            await self.run_batch(lambda one: one.write_ahead(books, encoded, moments), timeout_ms=timeout_ms)
            return
        self._limit(timeout_ms)
        try:
            await self._write_decided(books, encoded, moments, timeout_ms)
        finally:
            self._due = None

    async def _write_decided(
        self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int], timeout_ms: float
    ) -> None:
        try:
            connection = await self._usable(timeout_ms)
        except Exception as error:
            raise translate(error) from error
        transaction, backend = PostgresTransaction(connection), self._backend
        assert backend is not None
        try:
            # Outside of a transaction block it is committed with its own end.
            await transaction.write_ahead(books, encoded, moments)
        except Exception as error:
            if not is_answer(error):
                await self._close()
                await self._look_up(lost_commits.by_backend(backend), transaction)
                return
            failure = translate(error)
            if isinstance(failure, TransientFailure) and failure.kind != "contention":
                # The host may now be another server: connect again for the next attempt.
                await self._close()
            raise failure from error
        except BaseException:
            await self._close()
            raise

    async def run_batch(self, work: BatchWork, *, timeout_ms: float = limits.commit_timeout_ms) -> None:
        """Run `work` in one transaction and commit it. Raises: see `WriterStore.run_batch`."""
        self._limit(timeout_ms)
        try:
            await self._run_batch(work, timeout_ms)
        finally:
            self._due = None

    async def _run_batch(self, work: BatchWork, timeout_ms: float) -> None:
        try:
            connection = await self._usable(timeout_ms)
            await connection.execute(self._begin)
            transaction = PostgresTransaction(connection)
            await work(transaction)
        except Exception as error:
            failure = translate(error)
            if isinstance(error, AttributeError) and self._due is None:
                # What the driver meets if its connection is aborted between two of its own steps.
                failure = TransientFailure("08000", reason="no answer in time")
            if isinstance(failure, TransientFailure) and failure.kind != "contention":
                # The host may now be another server: connect again for the next attempt.
                await self._close()
            else:
                await self._abandon()
            raise failure from error
        except BaseException:
            # Cancelled: do not wait for a rollback, which a server that hangs would not answer.
            await self._close()
            raise
        try:
            status = await connection.execute("commit")
        except Exception as error:
            await self._close()
            if is_answer(error):
                raise translate(error) from error
            # A pooler may let another client have the backend, so that its end would say nothing.
            await self._look_up(lost_commits.by_number(transaction.transaction_id), transaction)
            return
        except BaseException:
            await self._close()
            raise
        if status != "COMMIT":
            # PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error.
            raise RefusedBatch("25P02", None)

    @asynccontextmanager
    async def loading(self) -> AsyncIterator["PostgresLoader"]:
        """Lend the connection for prefetches. Raises: TransientFailure, RefusedBatch."""
        async with self._side_lock:
            try:
                if self._side is None or self._side.is_closed():
                    self._side = await connect(self._settings)
                if self._settings.session_state:
                    yield PostgresLoader(self._side)
                else:
                    # Outside a transaction a pooler may send each statement to another server connection.
                    async with self._side.transaction(readonly=True):
                        yield PostgresLoader(self._side)
            except Exception as error:
                failure = translate(error)
                if isinstance(failure, TransientFailure) and failure.kind != "contention":
                    self._drop_side()
                raise failure from error
            except BaseException:
                self._drop_side()
                raise

    async def close(self) -> None:
        """Close the connections."""
        for lane in self._lanes:
            await lane.close()
        if self._timer is not None:
            self._timer.cancel()
        self._drop_side()
        await self._close()

    def _drop_side(self) -> None:
        side, self._side = self._side, None
        if side is not None and not side.is_closed():
            side.terminate()

    def _limit(self, timeout_ms: float) -> None:
        """Let a transaction take so long.

        One timer serves many transactions. One for each would cost half a turn of the event loop, and a
        timeout for each statement several times as much.
        """
        due = self._due = asyncio.get_running_loop().time() + timeout_ms / 1000
        if self._timer is None or due < self._timer.when():
            self._wake_at(due)

    def _wake_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(time, self._watch)

    def _watch(self) -> None:
        """Abort the connection of a transaction that is due, or look again when it is."""
        self._timer, due = None, self._due
        if due is None:
            return
        if due > asyncio.get_running_loop().time():
            self._wake_at(due)
        else:
            self._give_up()

    def _give_up(self) -> None:
        """Abort a connection that hangs. Its waiters get an error that it was lost."""
        self._due = None
        if self._connection is not None and not self._connection.is_closed():
            self._connection.terminate()

    async def _usable(self, timeout_ms: float) -> Connection:
        connection = self._connection
        if connection is None or connection.is_closed():
            async with asyncio.timeout(timeout_ms / 1000):
                connection = await self._connected()
        return connection

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection, self._backend = None, None
            connection = await connect(self._settings, lock_timeout_ms=self._lock_timeout_ms)
            try:
                if self._settings.session_state:
                    self._backend = await lost_commits.backend_of(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _abandon(self) -> None:
        """Roll back, or close the connection if that fails."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            return
        try:
            async with asyncio.timeout(limits.resolve_timeout_ms / 1000):
                await self._connection.execute("rollback")
        except Exception:  # noqa: BLE001  whatever it is, a connection that cannot roll back is closed
            await self._close()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _look_up(self, has_ended: HasEnded, transaction: "PostgresTransaction") -> None:
        """Return if a transaction whose end nobody has told us was committed.

        Raises: TransientFailure if it was not; UnknownOutcome if the database does not answer in time.
        """
        if transaction.witness is not None:
            await lost_commits.look_up(self._connected, self._close, has_ended, transaction.witness)


def _begin(lock_timeout_ms: int) -> str:
    """Return how a transaction begins that cannot rely on settings of its session."""
    return (
        f"begin; set local statement_timeout = {limits.statement_timeout_ms}; "
        f"set local lock_timeout = {lock_timeout_ms}; "
        f"set local idle_in_transaction_session_timeout = {limits.idle_in_transaction_timeout_ms}"
    )


class PostgresLoader:
    """The reads of a batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.moment_ms: int | None = None

    async def load_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Return the books of these scopes that exist, without locking them."""
        found = await self._connection.fetch(
            SQL["load_books"], [scope.tenant_id for scope in scopes], [scope.livemode for scope in scopes]
        )
        if found:
            self.moment_ms = found[-1]["moment_ms"]
        return [rows.book(row) for row in found]

    async def load_idempotency(self, digests: Sequence[tuple[Scope, bytes]]) -> list[IdempotencyRow]:
        """Return the rows that exist."""
        found = await self._connection.fetch(
            SQL["load_idempotency"],
            [digest for _, digest in digests],
            [scope.tenant_id for scope, _ in digests],
            [scope.livemode for scope, _ in digests],
        )
        return [rows.idempotency(row) for row in found]

    async def load_objects(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Versioned]]:
        """Return the latest version of each object that exists."""
        stored = [pair for pair in wanted if not pair[1].startswith("ltr_")]
        moved = [pair for pair in wanted if pair[1].startswith("ltr_")]
        found = []
        if stored:
            objects = await self._fetch_wanted("load_objects", stored)
            found += [(rows.scope_of(row), rows.versioned(row)) for row in objects]
        if moved:
            transfers = await self._connection.fetch(
                SQL["load_ledger_transfers"], *ledger_rows.wanted(moved), ledger_rows.NOW
            )
            found += [(rows.scope_of(row), ledger_rows.transfer(row)) for row in transfers]
        return found

    async def load_accounts(self, wanted: Sequence[tuple[Scope, str]]) -> list[tuple[Scope, Account]]:
        """Return the accounts that exist."""
        found = await self._fetch_wanted("load_accounts", wanted)
        return [(rows.scope_of(row), rows.account(row)) for row in found]

    async def _fetch_wanted(self, statement: str, wanted: Sequence[tuple[Scope, str]]) -> list[rows.Row]:
        found: list[rows.Row] = await self._connection.fetch(
            SQL[statement],
            [scope.tenant_id for scope, _ in wanted],
            [scope.livemode for scope, _ in wanted],
            [digits(identifier) for _, identifier in wanted],
        )
        return found


class PostgresTransaction(PostgresLoader):
    """The reads and writes of a batch inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.transaction_id: str | None = None
        # A statement with arguments that finds a row which only this transaction can have written.
        self.witness: Witness | None = None

    async def lock_books(self, scopes: Sequence[Scope]) -> list[Book]:
        """Lock and return the books of these scopes, in the order of the tenants."""
        ordered = sorted(scopes)
        found = await self._connection.fetch(
            SQL["lock_books"], [scope.tenant_id for scope in ordered], [scope.livemode for scope in ordered]
        )
        if found:
            self.transaction_id = found[0]["transaction_id"]
            self.moment_ms = found[-1]["moment_ms"]
        return [rows.book(row) for row in found]

    async def take_books(self, scopes: Sequence[Scope]) -> TakenBooks:
        """Lock those books of these scopes that are free, and return them in the order of the tenants."""
        ordered = sorted(scopes)
        found = await self._connection.fetch(
            SQL["take_books"], [scope.tenant_id for scope in ordered], [scope.livemode for scope in ordered]
        )
        if found:
            self.transaction_id = found[0]["transaction_id"]
            self.moment_ms = found[-1]["moment_ms"]
        return TakenBooks(
            books=[rows.book(row) for row in found if not row["is_busy"]],
            busy=frozenset(rows.scope_of(row) for row in found if row["is_busy"]),
        )

    async def write(self, changes: Changes) -> None:
        """Write the net effect of the batch."""
        encoded = columns.encode(changes)
        if encoded.names:
            await self._connection.execute(combine(encoded.names), *encoded.arguments)
        self.witness = encoded.witness or self.witness

    async def write_ahead(self, books: Sequence[Book], encoded: Encoded, moments: tuple[int, int]) -> None:
        """Lock these books and write, in one statement. `translate` knows what it raises."""
        assert isinstance(encoded, columns.EncodedChanges)
        self.witness = encoded.witness or self.witness
        # The main statement locks and compares. PostgreSQL runs the data-modifying parts in WITH after it.
        statement = combine((*encoded.names, "require_books"))
        self.transaction_id = await self._connection.fetchval(
            statement, *encoded.arguments, *columns.encode_books(books), *moments
        )

    async def write_more(self, encoded: Encoded) -> None:
        """Write a further part of the batch after `write_ahead`."""
        assert isinstance(encoded, columns.EncodedChanges)
        await self._connection.execute(combine(encoded.names), *encoded.arguments)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Roll back only the block if it fails. Raises: the error, translated."""
        await self._connection.execute("savepoint command")
        witness = self.witness
        try:
            yield
        except Exception as error:
            self.witness = witness
            await self._connection.execute("rollback to savepoint command; release savepoint command")
            raise translate(error) from error
        await self._connection.execute("release savepoint command")
