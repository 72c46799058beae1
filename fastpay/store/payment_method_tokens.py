"""Tokens of cards that processors keep for later payments. They are stored sealed."""

import uuid
from typing import Any

from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import SavedCard
from fastpay.store.sealing import Binding, Sealed, Vault, open_sealed


def sealed_row(scope: Scope, payment_method: str, saved: SavedCard, vault: Vault) -> tuple[object, ...]:
    """Return the row of a token."""
    own_id = method_id(payment_method)
    sealed = vault.seal(saved.token.encode(), binding(scope, own_id))
    return *scope, own_id, saved.processor, sealed.content, sealed.under


def opened(scope: Scope, own_id: uuid.UUID, row: Any, vault: Vault | None) -> SavedCard:
    """Return the token of a row. Raises: SecretUnreadable."""
    sealed = Sealed(row["sealed"], row["sealed_under"])
    token = open_sealed(sealed, binding(scope, own_id), vault).decode()
    return SavedCard(processor=row["processor"], token=token)


def binding(scope: Scope, own_id: uuid.UUID) -> Binding:
    """Return what the token of a payment method is bound to."""
    return Binding("token", uuid.UUID(scope.tenant_id), scope.livemode, own_id)


def method_id(payment_method: str) -> uuid.UUID:
    """Return a payment method as the tables name it."""
    return uuid.UUID(payment_method.rpartition("_")[2])
