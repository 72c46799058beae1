"""The signing secrets of API keys: make, roll, remove, require. A secret is shown once and kept sealed."""

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

# Connections are asyncpg's, which has no types: hence `Any` throughout.

PREFIX = "fpss_"


async def create_secret(connection: Any, name: KeyName, *, vault: Vault, clock: Clock) -> str:
    """Make the first signing secret of an API key. Its text is returned here and nowhere else, ever.

    Raises: NotFound when there is no such key that is still good; InvalidRequest when it has one already, or
    is a publishable key.
    """
    async with connection.transaction():
        kind = (await _lock(connection, name, clock))["kind"]
        if kind != "secret":
            raise InvalidRequest(
                "A publishable key is for browsers, which cannot keep a secret to sign with."
            )
        if await _list(connection, name, clock):
            raise InvalidRequest("This key has a signing secret already: roll it.")
        return await _insert(connection, name, vault=vault, clock=clock)


async def roll_secret(
    connection: Any, name: KeyName, *, vault: Vault, clock: Clock, overlap: timedelta = timedelta(0)
) -> str:
    """Make a new signing secret; those before it end after `overlap`, by default at once.

    Raises: NotFound when there is no such good key, or it has no signing secret; InvalidRequest when too many
    would be good at the same time.
    """
    async with connection.transaction():
        await _lock(connection, name, clock)
        old = await _list(connection, name, clock)
        if not old:
            raise NotFound(f"This key has no signing secret: {name.key_id}", param="key_id")
        if overlap and len(old) >= limits.signing_secrets_max:
            raise InvalidRequest(
                f"{len(old)} signing secrets of this key are good, and no more can be: wait until one of "
                "them has ended, or roll without overlap."
            )
        values = (name.tenant_id, name.livemode, name.key_id, timestamp(clock) + overlap)
        await connection.execute(SQL["signing_secret_expire"], *values)
        return await _insert(connection, name, vault=vault, clock=clock)


async def remove_secrets(connection: Any, name: KeyName, *, clock: Clock) -> int:
    """Forget the signing secrets of an API key and return how many were good.

    Raises: NotFound when there is no such good key; InvalidRequest while it must sign.
    """
    async with connection.transaction():
        if (await _lock(connection, name, clock))["signature_required"]:
            raise InvalidRequest("This key must sign, and could not any more: stop requiring it first.")
        good = len(await _list(connection, name, clock))
        await connection.execute(SQL["signing_secret_remove"], name.tenant_id, name.livemode, name.key_id)
        return good


async def require_signatures(connection: Any, name: KeyName, *, required: bool, clock: Clock) -> None:
    """Say whether requests with an API key must be signed.

    Raises: NotFound when there is no such good key; InvalidRequest when it could not sign.
    """
    async with connection.transaction():
        await _lock(connection, name, clock)
        if required and not await _list(connection, name, clock):
            raise InvalidRequest("This key has no signing secret: make one first.")
        values = (name.tenant_id, name.livemode, name.key_id, required)
        await connection.execute(SQL["key_require_signatures"], *values)


async def copy_secrets(
    connection: Any, source: KeyName, target: KeyName, *, vault: Vault | None, clock: Clock
) -> None:
    """Give an API key the signing secrets of the one that it takes the place of, inside a transaction.

    Raises: InvalidRequest when there are some and no vault to open them.
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
    """Return the signers of an API key that are good now, newest first, and when the first of them ends.

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
        # None is made empty; and were one there, then whatever it signs must not be taken.
        if secret:
            signers.append(Signer(secret))
    return tuple(reversed(signers)), min((end for end in ends if end > now), default=None)


async def _lock(connection: Any, name: KeyName, clock: Clock) -> Any:
    row = await connection.fetchrow(
        SQL["key_lock"], name.tenant_id, name.livemode, name.key_id, timestamp(clock)
    )
    if row is None:
        raise NotFound(f"No such good key: {name.key_id}", param="key_id")
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
    """Keep a secret: a new one, or with the times of another's row."""
    secret_id = random_uuid(clock)
    sealed = vault.seal(secret, name.binding())
    times = (timestamp(clock), None) if row is None else (row["created_at"], row["expires_at"])
    values = (name.tenant_id, name.livemode, name.key_id, secret_id, sealed.content, sealed.under, *times)
    await connection.execute(SQL["signing_secret_create"], *values)
