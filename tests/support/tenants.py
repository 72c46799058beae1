"""Tenants with their keys, made in a running server's own database."""

import asyncio
import itertools
import uuid
from dataclasses import dataclass

from fastpay.clock import SystemClock
from fastpay.domain.rules import Rules
from fastpay.store import keys
from fastpay.store.connections import connected
from fastpay.store.key_records import Kind

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Tenant:
    """A tenant, and one key of each kind in each mode."""

    tenant_id: uuid.UUID
    secret: str
    publishable: str
    live_secret: str
    live_publishable: str


def make_tenant(database_url: str, rules: Rules | None = None) -> Tenant:
    """Make a tenant that nobody else has."""

    async def work() -> Tenant:
        async with connected(database_url) as connection:
            name = f"tenant of a test {next(_NUMBERS)} {uuid.uuid4()}"
            tenant_id = await keys.create_tenant(connection, name, clock=CLOCK, rules=rules)

            async def key(kind: Kind, livemode: bool) -> str:
                made = await keys.create_key(connection, tenant_id, livemode=livemode, clock=CLOCK, kind=kind)
                return made.key

            return Tenant(
                tenant_id,
                secret=await key("secret", False),
                publishable=await key("publishable", False),
                live_secret=await key("secret", True),
                live_publishable=await key("publishable", True),
            )

    return asyncio.run(work())


def revoke_all(database_url: str, tenant: Tenant, *, livemode: bool) -> None:
    """End every key of a tenant in one mode."""

    async def work() -> None:
        async with connected(database_url) as connection:
            for listed in await keys.list_keys(connection, tenant.tenant_id, livemode=livemode, clock=CLOCK):
                await keys.revoke_key(
                    connection, tenant.tenant_id, listed.key_id, livemode=livemode, clock=CLOCK
                )

    asyncio.run(work())


CLOCK = SystemClock()
