"""An API key as the database names it and returns it."""

import uuid
from datetime import datetime
from typing import Literal

import msgspec

from fastpay.store.sealing import Binding

Kind = Literal["secret", "publishable"]


class KeyName(msgspec.Struct, frozen=True):
    """Which API key is meant."""

    tenant_id: uuid.UUID
    livemode: bool
    key_id: uuid.UUID

    def binding(self) -> Binding:
        """Return where the signing secrets of this key are sealed for."""
        return Binding("signing", self.tenant_id, self.livemode, self.key_id)


class FoundKey(msgspec.Struct, frozen=True):
    """Whose key it is, until when, and its secrets as they are kept: a fingerprint key in plain or sealed."""

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
        """Show nothing that is secret."""
        return f"FoundKey({self.key_id}, {self.kind!r})"
