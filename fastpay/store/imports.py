"""What was imported from an older API, in the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.imports import ImportedObject, imported_id
from fastpay.domain.ledger import Transfer
from fastpay.domain.objects import StoredObject
from fastpay.store import rows
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL


class PostgresImports:
    """Satisfies `ImportedStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def read_scopes(self) -> Collection[Scope]:
        """Return the tenants and modes into which something was imported.

        Raises: DatabaseUnavailable, Overloaded.
        """
        return {rows.scope_of(row) for row in await self._pool.fetch(SQL["import_scopes"])}

    async def find_ours(self, scope: Scope, theirs: Sequence[str]) -> Mapping[str, str]:
        """Return our identifiers of those of the older API that were imported.

        Raises: DatabaseUnavailable, Overloaded.
        """
        wanted = [imported_id(scope, one) for one in theirs]
        found = (await find_objects(self._pool, scope, wanted)).values()
        return {one.theirs: one.ours for one in found if isinstance(one, ImportedObject) and one.ours}


# Connections are `Any`, since asyncpg has no types.


async def begin_import(connection: Any, scope: Scope) -> None:
    """Note that something is imported for a tenant and mode, before anything is."""
    await connection.execute(SQL["import_scope_add"], *scope)


async def find_objects(
    connection: Any, scope: Scope, identifiers: Sequence[str]
) -> Mapping[str, StoredObject]:
    """Return the objects that exist, by identifier."""
    count = len(identifiers)
    wanted = [scope.tenant_id] * count, [scope.livemode] * count, [digits(one) for one in identifiers]
    found = [rows.versioned(row).object for row in await connection.fetch(SQL["load_objects"], *wanted)]
    return {one.id: one for one in found}


async def find_transfers(connection: Any, scope: Scope, identifiers: Sequence[str]) -> Sequence[Transfer]:
    """Return the transfers that exist."""
    wanted = [digits(identifier) for identifier in identifiers]
    return [rows.transfer(row) for row in await connection.fetch(SQL["load_transfers"], *scope, wanted)]
