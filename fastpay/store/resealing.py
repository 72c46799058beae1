"""Counts the secrets by sealing key, and seals them again under the newest key."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.store.keys import fingerprint_binding
from fastpay.store.operators import second_factor_binding
from fastpay.store.payment_method_tokens import binding as token_binding
from fastpay.store.processors import binding as processor_binding
from fastpay.store.sealing import Binding, Sealed, Vault
from fastpay.store.statements import SQL

# Connections are `Any`, since asyncpg has no types.

_LOWEST = uuid.UUID(int=0)


class Stock(msgspec.Struct, frozen=True):
    """The number of secrets of a purpose that are sealed under a key. `under` None means plain text."""

    purpose: str
    under: str | None
    secrets: int


async def survey(connection: Any) -> list[Stock]:
    """Return the numbers of secrets."""
    return [Stock(*row) for row in await connection.fetch(SQL["sealed_survey"])]


async def reseal(connection: Any, vault: Vault, *, only_plain: bool = False) -> int:
    """Seal all secrets under the newest key, and return how many were changed.

    Each secret has a transaction of its own: after an interruption another call continues, and two calls at a
    time do no harm. With `only_plain`, only secrets in plain text are sealed.
    Raises: SecretUnreadable if a secret cannot be opened.
    """
    moved = await _reseal_tenants(connection, vault, only_plain=only_plain)
    if not only_plain:
        moved += await _reseal_signing_secrets(connection, vault)
        for found, changed, lowest, binding in _ROWS:
            moved += await _reseal_rows(connection, vault, found, changed, lowest, binding)
    return moved


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


async def _reseal_rows(
    connection: Any,
    vault: Vault,
    found: str,
    changed: str,
    after: tuple[Any, ...],
    binding: Callable[..., Binding],
) -> int:
    """Seal the rows that a statement finds behind `after`, and return how many were changed.

    A row has its key, perhaps more that its binding takes, and then what is sealed and under which key.
    """
    moved, width = 0, len(after)
    while True:
        rows = await connection.fetch(SQL[found], vault.newest, *after, limits.sealing_rows_max)
        for *owner, content, under in rows:
            after, bound = tuple(owner[:width]), binding(*owner)
            sealed = vault.seal(vault.open(Sealed(content, under), bound), bound)
            change = (*after, sealed.content, sealed.under, content)
            moved += await connection.execute(SQL[changed], *change) == "UPDATE 1"
        if len(rows) < limits.sealing_rows_max:
            return moved


def _of_processor(tenant_id: uuid.UUID, livemode: bool, _name: str, processor_id: uuid.UUID) -> Binding:
    return processor_binding(Scope(tenant_id.hex, livemode), processor_id)


def _of_token(tenant_id: uuid.UUID, livemode: bool, method_id: uuid.UUID) -> Binding:
    return token_binding(Scope(tenant_id.hex, livemode), method_id)


# The statements that find and change rows, what is below the lowest key, and what a row's secret is bound to.
_ROWS: tuple[tuple[str, str, tuple[Any, ...], Callable[..., Binding]], ...] = (
    ("reseal_operators", "reseal_operator", (_LOWEST,), second_factor_binding),
    ("reseal_processors", "reseal_processor", (_LOWEST, False, ""), _of_processor),
    (
        "reseal_payment_method_tokens",
        "reseal_payment_method_token",
        (_LOWEST, False, _LOWEST),
        _of_token,
    ),
)
