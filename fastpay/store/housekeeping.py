"""Housekeeping in the database: small statements on the shared pool."""

from fastpay.domain.attempts import AUTHORIZATION_VALID_S
from fastpay.domain.identifiers import Scope
from fastpay.engine.funds_ports import DueFunds, Unreleased
from fastpay.engine.ports import Purged
from fastpay.store import rows
from fastpay.store.ledger_rows import transfer_id
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL
from fastpay.store.tables import BY_PREFIX


class PostgresHousekeeping:
    """Satisfies `HousekeepingStore`, `ExpiryStore`, `AttemptStore` and `FundsStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def purge_idempotency(
        self, first_block: int, blocks_max: int, *, retention_hours: int, now_ms: int
    ) -> Purged:
        """Delete the first answers in these blocks that are too old by the database's time and by `now_ms`.

        Raises: DatabaseUnavailable.
        """
        bounds = (first_block, 0), (first_block + blocks_max, 0)
        (row,) = await self._pool.fetch(SQL["purge_idempotency"], *bounds, retention_hours, now_ms)
        return Purged(rows=row["rows"], blocks=row["blocks"])

    async def list_due_holds(self, rows_max: int) -> list[tuple[Scope, str]]:
        """Return open holds whose expiry has passed. Raises: DatabaseUnavailable."""
        found = await self._pool.fetch(SQL["list_due_holds"], rows_max)
        return [
            (rows.scope_of(row), transfer_id(row["moment_ms"], row["sequence"], row["position"]))
            for row in found
        ]

    async def list_due_payments(self, after: str, rows_max: int) -> list[tuple[Scope, str]]:
        """Return payment intents whose authorization may have expired, above an identifier's digits.

        An intent that is younger than an authorization's lifetime is not due. Raises: DatabaseUnavailable.
        """
        valid_ms = AUTHORIZATION_VALID_S * 1000
        found = await self._pool.fetch(SQL["list_due_payments"], after, valid_ms, rows_max)
        return [(rows.scope_of(row), "pi_" + row["payment_intent_id"].hex) for row in found]

    async def list_due_funds(self, after: Scope, books_max: int) -> list[DueFunds]:
        """Return the next books above a cursor, all of them. Raises: DatabaseUnavailable."""
        found = await self._pool.fetch(SQL["list_due_funds"], *after, books_max)
        return [
            DueFunds(
                scope=rows.scope_of(row),
                released_through=row["released_through"].hex,
                currencies=tuple(filter(None, row["currencies"].split(","))),
                is_due=row["is_due"],
                is_credited=row["is_credited"],
                is_payable=row["is_payable"],
            )
            for row in found
        ]

    async def list_unreleased(self, scope: Scope, rows_max: int) -> Unreleased | None:
        """Return transfers of a book above its watermark that are old enough, None if there are none.

        Raises: DatabaseUnavailable.
        """
        found = await self._pool.fetch(SQL["list_unreleased"], *scope, rows_max)
        if not found:
            return None
        captures = [row for row in found if row["is_capture"]]
        return Unreleased(
            after=found[0]["released_through"].hex,
            through=found[-1]["transfer_id"].hex,
            captures=tuple(row["transfer_id"].hex for row in captures),
            charges=tuple("ch_" + row["source_id"].hex for row in captures),
            currencies=tuple({row["currency"] for row in captures}),
        )

    async def list_processing_debits(self, after: str, rows_max: int) -> list[tuple[Scope, str]]:
        """Return payment intents that may be processing debits, above an identifier's digits.

        Raises: DatabaseUnavailable.
        """
        found = await self._pool.fetch(SQL["list_processing_debits"], after, rows_max)
        return [(rows.scope_of(row), "pi_" + row["payment_intent_id"].hex) for row in found]

    async def count_held_attempts(self) -> dict[str, tuple[int, int]]:
        """Return by currency how many are in doubt, and their amounts. Raises: DatabaseUnavailable."""
        found = await self._pool.fetch(SQL["count_held_attempts"])
        return {row["currency"]: (row["attempts"], row["amount"]) for row in found}

    async def list_due_objects(self, prefix: str, rows_max: int) -> list[tuple[Scope, str]]:
        """Return objects of a kind that change by themselves and are due. Raises: DatabaseUnavailable."""
        found = await self._pool.fetch(SQL[BY_PREFIX[prefix].due_statement], rows_max)
        return [(rows.scope_of(row), f"{prefix}_{row['object_id'].hex}") for row in found]
