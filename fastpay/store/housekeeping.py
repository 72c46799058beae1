"""Housekeeping in the database: small statements on the shared pool."""

from fastpay.domain.charging import AUTHORIZATION_VALID_S
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Purged
from fastpay.store import rows
from fastpay.store.ledger_rows import transfer_id
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL


class PostgresHousekeeping:
    """Satisfies `HousekeepingStore` and `ExpiryStore`."""

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
            (rows.scope_of(row), transfer_id(row["moment_ms"], row["sequence"], row["place"]))
            for row in found
        ]

    async def list_due_payments(self, after: str, rows_max: int) -> list[tuple[Scope, str]]:
        """Return payment intents whose authorization may have expired, above an identifier's digits.

        An intent that is younger than an authorization's lifetime is not due. Raises: DatabaseUnavailable.
        """
        valid_ms = AUTHORIZATION_VALID_S * 1000
        found = await self._pool.fetch(SQL["list_due_payments"], after, valid_ms, rows_max)
        return [(rows.scope_of(row), "pi_" + row["payment_intent_id"].hex) for row in found]
