"""Signing secrets for the API keys of a benchmark's database, sealed under keys of its machine."""

import asyncio
from pathlib import Path

from benchmarks.load.machine import SEALING_KEYS, Database
from fastpay.clock import SystemClock
from fastpay.store.connections import connected
from fastpay.store.key_records import KeyName
from fastpay.store.keys import find_key, hash_key
from fastpay.store.sealing import Vault, read_keys
from fastpay.store.signing_secrets import create_secret


def make_secrets(database: Database, directory: Path) -> dict[str, str]:
    """Give each API key of the database a signing secret, and return the secrets by key."""

    async def make() -> dict[str, str]:
        clock = SystemClock()
        vault = Vault(read_keys(directory / SEALING_KEYS), clock=clock)
        async with connected(database.url) as connection:
            made = {}
            for key in database.keys:
                found = await find_key(connection, hash_key(key))
                assert found is not None
                name = KeyName(found.tenant_id, found.livemode, found.key_id)
                made[key] = await create_secret(connection, name, vault=vault, clock=clock)
            return made

    return asyncio.run(make())
