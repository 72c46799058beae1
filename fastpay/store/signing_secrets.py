"""The signing secrets of API keys: create, roll, remove, require. They are stored sealed."""

from datetime import datetime, timedelta
from typing import Any

from fastpay import limits
from fastpay._native.signature import Signer
from fastpay.clock import Clock
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store.key_records import FoundKey, KeyName
from fastpay.store.random_values import random_text, random_uuid
from fastpay.store.rows import timestamp
from fastpay.store.sealing import Sealed, Vault, open_sealed
from fastpay.store.statements import SQL

# Connections are `Any`, since asyncpg has no types.

PREFIX = "fpss_"


async def create_secret(connection: Any, name: KeyName, *, vault: Vault, clock: Clock) -> str:
    """Create the first signing secret of an API key. Its text is never available again.

    Raises: NotFound if there is no such valid key; InvalidRequest if it has a secret already, or is a
    publishable key.
    """
    async with connection.transaction():
        kind = (await _lock(connection, name, clock))["kind"]
        if kind != "secret":
            raise InvalidRequest(
                "A publishable key is for browsers, which cannot keep a secret to sign with."
            )
        if await _list(connection, name, clock):
            raise InvalidRequest("This key already has a signing secret. Roll it instead.")
        return await _insert(connection, name, vault=vault, clock=clock)


async def roll_secret(
    connection: Any, name: KeyName, *, vault: Vault, clock: Clock, overlap: timedelta = timedelta(0)
) -> str:
    """Create a new signing secret. The older ones expire after `overlap`, by default at once.

    Raises: NotFound if there is no such valid key, or it has no signing secret; InvalidRequest if too many
    secrets would be valid at the same time.
    """
    async with connection.transaction():
        await _lock(connection, name, clock)
        old = await _list(connection, name, clock)
        if not old:
            raise NotFound(f"This key has no signing secret: {name.key_id}", param="key_id")
        if overlap and len(old) >= limits.signing_secrets_max:
            raise InvalidRequest(
                f"This key has {len(old)} valid signing secrets, which is the maximum. Wait until "
                "one expires, or roll without overlap."
            )
        values = (name.tenant_id, name.livemode, name.key_id, timestamp(clock) + overlap)
        await connection.execute(SQL["signing_secret_expire"], *values)
        return await _insert(connection, name, vault=vault, clock=clock)


async def remove_secrets(connection: Any, name: KeyName, *, clock: Clock) -> int:
    """Delete the signing secrets of an API key and return how many were valid.

    Raises: NotFound if there is no such valid key; InvalidRequest if signatures are required.
    """
    async with connection.transaction():
        if (await _lock(connection, name, clock))["signature_required"]:
            raise InvalidRequest("Requests with this key must be signed. Stop requiring that first.")
        good = len(await _list(connection, name, clock))
        await connection.execute(SQL["signing_secret_remove"], name.tenant_id, name.livemode, name.key_id)
        return good


async def require_signatures(connection: Any, name: KeyName, *, required: bool, clock: Clock) -> None:
    """Set whether requests with an API key must be signed.

    Raises: NotFound if there is no such valid key; InvalidRequest if it has no signing secret.
    """
    async with connection.transaction():
        await _lock(connection, name, clock)
        if required and not await _list(connection, name, clock):
            raise InvalidRequest("This key has no signing secret. Create one first.")
        values = (name.tenant_id, name.livemode, name.key_id, required)
        await connection.execute(SQL["key_require_signatures"], *values)


async def copy_secrets(
    connection: Any, source: KeyName, target: KeyName, *, vault: Vault | None, clock: Clock
) -> None:
    """Copy the signing secrets of an API key to its successor, inside a transaction.

    Raises: InvalidRequest if there are secrets and no vault to open them.
    """
    rows = await _list(connection, source, clock)
    if rows and vault is None:
        raise InvalidRequest("This key has signing secrets, which cannot be read without the sealing keys.")
    for row in rows:
        assert vault is not None
        secret = vault.open(Sealed(row["sealed"], row["sealed_under"]), source.binding())
        await _keep(connection, target, secret, vault=vault, clock=clock, row=row)


def open_signers(
    found: FoundKey, vault: Vault | None, now: datetime
) -> tuple[tuple[Signer, ...], datetime | None]:
    """Return the valid signers of an API key, newest first, and when the first of them expires.

    Raises: SecretUnreadable.
    """
    name = KeyName(found.tenant_id, found.livemode, found.key_id)
    signers = []
    ends = [expires_at for expires_at in found.secrets_expire if expires_at is not None]
    listed = (found.secrets_sealed, found.secrets_under, found.secrets_expire)
    for content, under, expires_at in zip(*listed, strict=True):
        if expires_at is not None and expires_at <= now:
            continue
        secret = open_sealed(Sealed(content, under), name.binding(), vault)
        # Secrets are never empty. If one were, its signatures must not be accepted.
        if secret:
            signers.append(Signer(secret))
    return tuple(reversed(signers)), min((end for end in ends if end > now), default=None)


async def _lock(connection: Any, name: KeyName, clock: Clock) -> Any:
    row = await connection.fetchrow(
        SQL["key_lock"], name.tenant_id, name.livemode, name.key_id, timestamp(clock)
    )
    if row is None:
        raise NotFound(f"No such valid key: {name.key_id}", param="key_id")
    return row


async def _list(connection: Any, name: KeyName, clock: Clock) -> list[Any]:
    values = (name.tenant_id, name.livemode, name.key_id, timestamp(clock))
    return list(await connection.fetch(SQL["signing_secret_list"], *values))


async def _insert(connection: Any, name: KeyName, *, vault: Vault, clock: Clock) -> str:
    secret = PREFIX + random_text(clock)
    purged = (name.tenant_id, name.livemode, name.key_id, timestamp(clock))
    await connection.execute(SQL["signing_secret_purge"], *purged)
    await _keep(connection, name, secret.encode(), vault=vault, clock=clock)
    return secret


async def _keep(
    connection: Any, name: KeyName, secret: bytes, *, vault: Vault, clock: Clock, row: Any = None
) -> None:
    """Store a secret: a new one, or one with the times of another row."""
    secret_id = random_uuid(clock)
    sealed = vault.seal(secret, name.binding())
    times = (timestamp(clock), None) if row is None else (row["created_at"], row["expires_at"])
    values = (name.tenant_id, name.livemode, name.key_id, secret_id, sealed.content, sealed.under, *times)
    await connection.execute(SQL["signing_secret_create"], *values)
