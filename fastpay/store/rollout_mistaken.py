"""Identifiers of the legacy API that look like this server's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from fastpay.domain.identifiers import prefix_of
from fastpay.store.pool import ReaderPool
from fastpay.store.statements import SQL


class Mistaken(msgspec.Struct, frozen=True):
    """The newest one of a prefix, and where it was seen."""

    prefix: str
    identifier: str
    route: str
    first_at: datetime
    last_at: datetime


class PostgresMistaken:
    """Satisfies `MistakenStore`."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool

    async def add_mistaken(self, identifiers: Sequence[str], route: str) -> None:
        """Note objects of the legacy API, one of each prefix. Raises: DatabaseUnavailable, Overloaded."""
        prefixes = [prefix_of(one) for one in identifiers]
        await self._pool.fetch(SQL["rollout_mistaken_add"], prefixes, list(identifiers), route)


# Connections are `Any`, since asyncpg has no types.


async def list_mistaken(connection: Any) -> list[Mistaken]:
    """Return what was seen."""
    return [Mistaken(**row) for row in await connection.fetch(SQL["rollout_mistaken_list"])]


async def forget_mistaken(connection: Any) -> int:
    """Forget what was seen; return of how many prefixes."""
    count: int = await connection.fetchval(SQL["rollout_mistaken_forget"])
    return count
