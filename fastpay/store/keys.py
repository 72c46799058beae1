"""Tenants and their API keys: make, list, roll, revoke, find. A key is shown once and kept as a digest."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from fastpay.clock import Clock
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store.statements import SQL

# Connections are asyncpg's, which has no types: hence `Any` throughout.

Kind = Literal["secret", "publishable"]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 32 characters of 62 are 190 bits; 10 more cost nothing and say that nobody need count.
RANDOM_CHARS = 42
TENANT_NAME_CHARS_MAX = 100
PREFIXES: dict[tuple[Kind, bool], str] = {
    ("secret", False): "sk_test_",
    ("secret", True): "sk_live_",
    ("publishable", False): "pk_test_",
    ("publishable", True): "pk_live_",
}


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made: the only time that its text is known."""

    key_id: uuid.UUID
    key: str


class ListedKey(msgspec.Struct, frozen=True):
    """A key as an operator sees it."""

    key_id: uuid.UUID
    kind: Kind
    last4: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return good, expiring, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "good"
        return "expired" if self.expires_at <= now else "expiring"


class FoundKey(msgspec.Struct, frozen=True):
    """Whose key it is, and until when."""

    tenant_id: uuid.UUID
    livemode: bool
    kind: Kind
    fingerprint_key: bytes
    expires_at: datetime | None
    revoked_at: datetime | None


def hash_key(key: str) -> bytes:
    """Return the digest that a key is kept and found by. It has entropy enough to need no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


async def find_tenant(connection: Any, name: str) -> uuid.UUID | None:
    """Return the tenant of this name, or None."""
    found: uuid.UUID | None = await connection.fetchval(SQL["tenant_find"], name)
    return found


async def create_tenant(connection: Any, name: str, *, clock: Clock) -> uuid.UUID:
    """Make the tenant, with a book for each mode, or return the one that has this name.

    Raises: InvalidRequest when the name is empty, too long or cannot be stored.
    """
    if not 1 <= len(name) <= TENANT_NAME_CHARS_MAX or not name.isprintable():
        raise InvalidRequest(
            f"A tenant's name has 1 to {TENANT_NAME_CHARS_MAX} printable characters.", param="name"
        )
    tenant_id = _random_uuid(clock)
    values = (tenant_id, name, clock.random_bytes(32), _now(clock))
    if await connection.fetch(SQL["tenant_create"], *values):
        return tenant_id
    found = await find_tenant(connection, name)
    assert found is not None, "tenants are never deleted"
    return found


async def create_key(
    connection: Any, tenant_id: uuid.UUID, *, livemode: bool, clock: Clock, kind: Kind = "secret"
) -> NewKey:
    """Make a key. Its text is returned here and nowhere else, ever."""
    key_id = _random_uuid(clock)
    key = PREFIXES[kind, livemode] + _random_text(clock)
    values = (tenant_id, livemode, key_id, kind, hash_key(key), key[-4:], _now(clock))
    await connection.execute(SQL["key_create"], *values)
    return NewKey(key_id, key)


async def list_keys(connection: Any, tenant_id: uuid.UUID, *, livemode: bool) -> list[ListedKey]:
    """Return the tenant's keys in this mode, oldest first."""
    rows = await connection.fetch(SQL["key_list"], tenant_id, livemode)
    return [ListedKey(*row) for row in rows]


async def roll_key(
    connection: Any,
    tenant_id: uuid.UUID,
    key_id: uuid.UUID,
    *,
    livemode: bool,
    clock: Clock,
    overlap: timedelta = timedelta(0),
) -> NewKey:
    """Make a key of the same kind; the old one ends after `overlap`, by default at once.

    Raises: NotFound when the tenant has no such key in this mode that is still good.
    """
    now = _now(clock)
    async with connection.transaction():
        values = (tenant_id, livemode, key_id, now + overlap, now)
        kind = await connection.fetchval(SQL["key_expire"], *values)
        if kind is None:
            raise NotFound(f"No such good key: {key_id}", param="key_id")
        return await create_key(connection, tenant_id, livemode=livemode, clock=clock, kind=kind)


async def revoke_key(
    connection: Any, tenant_id: uuid.UUID, key_id: uuid.UUID, *, livemode: bool, clock: Clock
) -> None:
    """End a key for good. Raises: NotFound when the tenant has no such key in this mode."""
    values = (tenant_id, livemode, key_id, _now(clock))
    if await connection.fetchval(SQL["key_revoke"], *values) is None:
        raise NotFound(f"No such key: {key_id}", param="key_id")


async def find_key(connection: Any, key_hash: bytes) -> FoundKey | None:
    """Return whose key has this digest, or None. One statement; expired and revoked ones are found too."""
    row = await connection.fetchrow(SQL["key_find"], key_hash)
    return FoundKey(*row) if row is not None else None


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def _random_uuid(clock: Clock) -> uuid.UUID:
    return uuid.UUID(bytes=clock.random_bytes(16), version=4)


def _random_text(clock: Clock) -> str:
    """Return random characters, each of the 62 as likely as any other."""
    text = ""
    while len(text) < RANDOM_CHARS:
        # 248 is the largest multiple of 62 in a byte: what lies above would favour some characters.
        text += "".join(ALPHABET[byte % 62] for byte in clock.random_bytes(RANDOM_CHARS) if byte < 248)
    return text[:RANDOM_CHARS]
