"""Tenants and their API keys: create, list, roll, revoke, find. Only a digest of a key is stored."""

import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fastpay.clock import Clock
from fastpay.domain.rules import Rules
from fastpay.errors import NotFound
from fastpay.store.key_records import FoundKey, KeyName, Kind
from fastpay.store.random_values import ALPHABET, random_text, random_uuid
from fastpay.store.rows import timestamp
from fastpay.store.sealing import Binding, Sealed, Vault, open_sealed
from fastpay.store.signing_secrets import copy_secrets
from fastpay.store.statements import SQL
from fastpay.store.tenants import check_name, rule_values

# Connections are `Any`, since asyncpg has no types.

TAG_CHARS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PREFIXES: dict[tuple[Kind, bool], str] = {
    ("secret", False): "sk_test_",
    ("secret", True): "sk_live_",
    ("publishable", False): "pk_test_",
    ("publishable", True): "pk_live_",
}


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just created. Its text is available only here."""

    key_id: uuid.UUID
    key: str


class ListedKey(msgspec.Struct, frozen=True):
    """A key as an operator sees it, with the number of its valid signing secrets."""

    key_id: uuid.UUID
    kind: Kind
    last4: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    signature_required: bool
    signing_secrets: int

    def state(self, now: datetime) -> str:
        """Return good, expiring, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "good"
        return "expired" if self.expires_at <= now else "expiring"

    def signing(self) -> str:
        """Return in words whether requests with this key can, or must, be signed."""
        words = {0: "", 1: "can"}.get(self.signing_secrets, f"can, {self.signing_secrets} secrets")
        return words.replace("can", "must") if self.signature_required else words


def hash_key(key: str) -> bytes:
    """Return the digest by which a key is stored and found. A key has enough entropy to need no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


async def find_tenant(connection: Any, name: str) -> uuid.UUID | None:
    """Return the tenant of this name, or None."""
    found: uuid.UUID | None = await connection.fetchval(SQL["tenant_find"], name)
    return found


async def create_tenant(
    connection: Any, name: str, *, clock: Clock, vault: Vault | None = None, rules: Rules | None = None
) -> uuid.UUID:
    """Create a tenant with a book for each mode, or return the existing tenant of this name unchanged.

    Without a vault the fingerprint key is stored in plain text until there is one.
    Raises: InvalidRequest if the name is empty, too long or not printable.
    """
    check_name(name)
    tenant_id = random_uuid(clock)
    fingerprint_key = clock.random_bytes(32)
    kept: tuple[bytes | None, bytes | None, str | None] = (fingerprint_key, None, None)
    if vault is not None:
        sealed = vault.seal(fingerprint_key, fingerprint_binding(tenant_id))
        kept = (None, sealed.content, sealed.under)
    values = (tenant_id, name, *kept, timestamp(clock), *rule_values(rules or Rules()))
    if await connection.fetch(SQL["tenant_create"], *values):
        return tenant_id
    found = await find_tenant(connection, name)
    assert found is not None, "tenants are never deleted"
    return found


async def create_key(
    connection: Any,
    tenant_id: uuid.UUID,
    *,
    livemode: bool,
    clock: Clock,
    kind: Kind = "secret",
    signature_required: bool = False,
) -> NewKey:
    """Create a key. Its text is never available again."""
    key_id = random_uuid(clock)
    key = PREFIXES[kind, livemode] + random_text(clock)[:-TAG_CHARS]
    tag_key = await read_tag_key(connection)
    key += tag_of(key, tag_key)
    values = (
        tenant_id,
        livemode,
        key_id,
        kind,
        hash_key(key),
        key[-4:],
        signature_required,
        timestamp(clock),
    )
    await connection.execute(SQL["key_create"], *values)
    return NewKey(key_id, key)


async def list_keys(
    connection: Any, tenant_id: uuid.UUID, *, livemode: bool, clock: Clock
) -> list[ListedKey]:
    """Return the tenant's keys in this mode, oldest first."""
    rows = await connection.fetch(SQL["key_list"], tenant_id, livemode, timestamp(clock))
    return [ListedKey(*row) for row in rows]


async def roll_key(
    connection: Any,
    tenant_id: uuid.UUID,
    key_id: uuid.UUID,
    *,
    livemode: bool,
    clock: Clock,
    overlap: timedelta = timedelta(0),
    vault: Vault | None = None,
) -> NewKey:
    """Create a key of the same kind. The old key expires after `overlap`, by default at once.

    The new key has the signing secrets of the old one, and the same requirement to sign.
    Raises: NotFound if the tenant has no such valid key in this mode; InvalidRequest if the key has signing
    secrets and there is no vault.
    """
    now = timestamp(clock)
    async with connection.transaction():
        values = (tenant_id, livemode, key_id, now + overlap, now)
        row = await connection.fetchrow(SQL["key_expire"], *values)
        if row is None:
            raise NotFound(f"No such valid key: {key_id}", param="key_id")
        kind, required = row
        made = await create_key(
            connection, tenant_id, livemode=livemode, clock=clock, kind=kind, signature_required=required
        )
        names = (KeyName(tenant_id, livemode, key_id), KeyName(tenant_id, livemode, made.key_id))
        await copy_secrets(connection, *names, vault=vault, clock=clock)
        return made


async def revoke_key(
    connection: Any, tenant_id: uuid.UUID, key_id: uuid.UUID, *, livemode: bool, clock: Clock
) -> None:
    """Revoke a key for ever. Raises: NotFound if the tenant has no such key in this mode."""
    values = (tenant_id, livemode, key_id, timestamp(clock))
    if await connection.fetchval(SQL["key_revoke"], *values) is None:
        raise NotFound(f"No such key: {key_id}", param="key_id")


async def find_key(connection: Any, key_hash: bytes) -> FoundKey | None:
    """Return the key with this digest, also if it is expired or revoked, or None."""
    return (await find_keys(connection, [key_hash])).get(key_hash)


async def find_keys(connection: Any, key_hashes: Sequence[bytes]) -> dict[bytes, FoundKey]:
    """Return the keys with these digests, as `find_key` does, in one statement."""
    rows = await connection.fetch(SQL["key_find"], key_hashes)
    return {bytes(row["key_hash"]): _found(row) for row in rows}


def _found(row: Any) -> FoundKey:
    _, *facts, listed = row
    secrets = msgspec.json.decode(listed or "[]", type=list[tuple[str, str, int | None]])
    sealed = [bytes.fromhex(text) for text, _, _ in secrets]
    under = [name for _, name, _ in secrets]
    ends = [None if end_us is None else _EPOCH + timedelta(microseconds=end_us) for _, _, end_us in secrets]
    return FoundKey(*(*facts, sealed, under, ends))


async def read_tag_key(connection: Any) -> bytes:
    """Return the installation's secret for the tags of API keys."""
    seal_key: bytes = await connection.fetchval(SQL["read_seal_key"])
    return hashlib.blake2b(key=seal_key, person=b"api key tag", digest_size=32).digest()


def tag_of(text: str, tag_key: bytes) -> str:
    """Return the tag: the last characters of a key that begins with `text`.

    Only this installation can compute it. It tells a key that was created here from an invented one without a
    look-up. It does not say whether the key is still valid.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=tag_key, digest_size=TAG_CHARS)
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest.digest())


def has_tag(key: str, tag_key: bytes) -> bool:
    """Tell whether a key has the tag of this installation. Keys from before there were tags have none."""
    tag = tag_of(key[:-TAG_CHARS], tag_key)
    return hmac.compare_digest(tag.encode(), key[-TAG_CHARS:].encode("utf-8", "surrogatepass"))


def fingerprint_binding(tenant_id: uuid.UUID) -> Binding:
    """Return what a tenant's fingerprint key is sealed with. Both modes share the key."""
    return Binding("fingerprint", tenant_id, None, tenant_id)


def open_fingerprint_key(found: FoundKey, vault: Vault | None) -> bytes:
    """Return the fingerprint key of a key's tenant. Raises: SecretUnreadable."""
    if found.fingerprint_key is not None:
        return found.fingerprint_key
    assert found.fingerprint_sealed is not None
    assert found.fingerprint_under is not None
    sealed = Sealed(found.fingerprint_sealed, found.fingerprint_under)
    return open_sealed(sealed, fingerprint_binding(found.tenant_id), vault)


async def read_fingerprint_key(
    fetch: Callable[..., Awaitable[list[Any]]], tenant_id: uuid.UUID, vault: Vault | None
) -> bytes | None:
    """Return the fingerprint key of a tenant, None if there is no such tenant. Raises: SecretUnreadable."""
    found = await fetch(SQL["tenant_key"], tenant_id)
    if not found:
        return None
    plain, sealed, under = found[0]
    if plain is not None:
        return bytes(plain)
    return open_sealed(Sealed(sealed, under), fingerprint_binding(tenant_id), vault)
