"""API keys that sign, made in a running server's own database with the sealing keys beside it."""

import asyncio
import uuid
from dataclasses import dataclass

from fastpay.store import keys, signing_secrets
from fastpay.store.connections import connected
from fastpay.store.key_records import KeyName
from fastpay.store.sealing import KEY_FILE, Vault, read_keys
from tests.support.servers import RunningServer
from tests.support.tenants import CLOCK


@dataclass(frozen=True)
class SigningKey:
    """An API key of a tenant of its own, and its signing secret."""

    name: KeyName
    key: str
    secret: str


def make_signing_key(server: RunningServer, *, must_sign: bool = True) -> SigningKey:
    """Make a tenant that has one key, which must sign or only can. `server` is the one with the database."""

    async def work() -> SigningKey:
        vault = Vault(read_keys(server.data_dir / KEY_FILE), clock=CLOCK)
        async with connected(server.database_url) as connection:
            called = f"signs {uuid.uuid4()}"
            tenant_id = await keys.create_tenant(connection, called, clock=CLOCK, vault=vault)
            made = await keys.create_key(connection, tenant_id, livemode=False, clock=CLOCK)
            name = KeyName(tenant_id, False, made.key_id)
            secret = await signing_secrets.create_secret(connection, name, vault=vault, clock=CLOCK)
            if must_sign:
                await signing_secrets.require_signatures(connection, name, required=True, clock=CLOCK)
            return SigningKey(name, made.key, secret)

    return asyncio.run(work())
