"""Which sealing keys the secrets in the database are sealed under, and how they get to the newest one."""

import uuid
from typing import Any

import msgspec

from fastpay import limits
from fastpay.store.keys import fingerprint_binding
from fastpay.store.sealing import Binding, Sealed, Vault
from fastpay.store.statements import SQL

# Connections are asyncpg's, which has no types: hence `Any` throughout.

_LOWEST = uuid.UUID(int=0)


class Stock(msgspec.Struct, frozen=True):
    """How many secrets of a purpose are sealed under a key; none of them under any where `under` is None."""

    purpose: str
    under: str | None
    secrets: int


async def survey(connection: Any) -> list[Stock]:
    """Return what there is."""
    return [Stock(*row) for row in await connection.fetch(SQL["sealed_survey"])]


async def reseal(connection: Any, vault: Vault, *, only_plain: bool = False) -> int:
    """Seal all secrets under the newest key, also those that are in plain, and return how many were moved.

    Each is a transaction of its own: whatever ends this, it goes on where it stopped when it is called again,
    and two at a time do no harm. With `only_plain` what is sealed already is let be.
    Raises: SecretUnreadable when one of them cannot be opened.
    """
    moved = await _reseal_tenants(connection, vault, only_plain=only_plain)
    return moved if only_plain else moved + await _reseal_signing_secrets(connection, vault)


async def _reseal_tenants(connection: Any, vault: Vault, *, only_plain: bool) -> int:
    moved, after = 0, _LOWEST
    while True:
        wanted = (vault.newest, after, limits.sealing_rows_max)
        rows = await connection.fetch(SQL["reseal_tenants"], *wanted)
        for tenant_id, plain, content, under in rows:
            after = tenant_id
            if only_plain and plain is None:
                continue
            binding = fingerprint_binding(tenant_id)
            secret = plain if plain is not None else vault.open(Sealed(content, under), binding)
            sealed = vault.seal(secret, binding)
            change = (tenant_id, sealed.content, sealed.under, under)
            moved += await connection.execute(SQL["reseal_tenant"], *change) == "UPDATE 1"
        if len(rows) < limits.sealing_rows_max:
            return moved


async def _reseal_signing_secrets(connection: Any, vault: Vault) -> int:
    moved = 0
    after: tuple[uuid.UUID, bool, uuid.UUID, uuid.UUID] = (_LOWEST, False, _LOWEST, _LOWEST)
    while True:
        wanted = (vault.newest, *after, limits.sealing_rows_max)
        rows = await connection.fetch(SQL["reseal_signing_secrets"], *wanted)
        for tenant_id, livemode, key_id, secret_id, content, under in rows:
            after = (tenant_id, livemode, key_id, secret_id)
            binding = Binding("signing", tenant_id, livemode, key_id)
            sealed = vault.seal(vault.open(Sealed(content, under), binding), binding)
            change = (*after, sealed.content, sealed.under, under)
            moved += await connection.execute(SQL["reseal_signing_secret"], *change) == "UPDATE 1"
        if len(rows) < limits.sealing_rows_max:
            return moved
