"""API keys as the database identifies and returns them."""

import uuid
from datetime import datetime
from typing import Literal

import msgspec

from fastpay.store.sealing import Binding

Kind = Literal["secret", "publishable"]


class KeyName(msgspec.Struct, frozen=True):
    """Identifies an API key."""

    tenant_id: uuid.UUID
    livemode: bool
    key_id: uuid.UUID

    def binding(self) -> Binding:
        """Return what the signing secrets of this key are sealed with."""
        return Binding("signing", self.tenant_id, self.livemode, self.key_id)


class FoundKey(msgspec.Struct, frozen=True):
    """An API key as stored. Its tenant's fingerprint key is in plain text or sealed."""

    tenant_id: uuid.UUID
    livemode: bool
    key_id: uuid.UUID
    kind: Kind
    expires_at: datetime | None
    revoked_at: datetime | None
    signature_required: bool
    fingerprint_key: bytes | None
    fingerprint_sealed: bytes | None
    fingerprint_under: str | None
    secrets_sealed: list[bytes]
    secrets_under: list[str]
    secrets_expire: list[datetime | None]

    def __repr__(self) -> str:
        """Hide the secrets."""
        return f"FoundKey({self.key_id}, {self.kind!r})"
