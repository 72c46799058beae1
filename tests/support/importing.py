"""Files of an older API, and what imports them on a real engine."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.operations.imports.importing import Importer, Report
from fastpay.store.connections import connected
from tests.support.engine import CLOCK, Engine, engine, make_tenant

CREATED = 1_600_000_000
CUSTOMER = "cus_NffrFeUfNV2Hib"


def customer(theirs: str = CUSTOMER, **more: Any) -> dict[str, Any]:
    """Return a customer as an older API shows it."""
    return {"object": "customer", "id": theirs, "created": CREATED, "livemode": False, **more}


def opening(amount: int, *, account: str = "available", currency: str = "usd") -> dict[str, Any]:
    """Return an opening balance."""
    return {"object": "opening_balance", "account": account, "currency": currency, "amount": amount}


def lines(*said: dict[str, Any]) -> bytes:
    """Return a file."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in said)


class Imported:
    """A tenant into which a test imports, and one instance."""

    def __init__(self, database_url: str, instance: Engine, scope: Scope, connection: Any) -> None:
        self.database_url, self.instance, self.scope, self.connection = (
            *(database_url, instance, scope),
            connection,
        )
        self.importer = Importer(connection, instance.writer, CLOCK, scope)

    async def take(self, *said: dict[str, Any]) -> Report:
        """Import a file of these lines."""
        return await self.importer.import_(io.BytesIO(lines(*said)))

    async def balances(self) -> dict[str, int]:
        """Return debits minus credits of each account."""
        found = await self.connection.fetch(
            "select code, currency, debits_posted - credits_posted as balance from account "
            "where tenant_id = $1 and livemode = $2",
            *self.scope,
        )
        return {f"{one['code']} {one['currency']}": one["balance"] for one in found}

    async def counted(self) -> list[int]:
        """Return how many versions, transfers and events the tenant has."""
        (found,) = await self.connection.fetch(
            "select "
            + ", ".join(
                f"(select count(*) from {table} where tenant_id = $1 and livemode = $2) as {table}"
                for table in ("object_version", "transfer", "event")
            ),
            *self.scope,
        )
        return list(found.values())


@asynccontextmanager
async def importing(database_url: str, *, livemode: bool = False) -> AsyncIterator[Imported]:
    """Open a tenant; find nothing wrong in its books at the end."""
    scope = await make_tenant(database_url, livemode=livemode)
    async with engine(database_url) as instance, connected(database_url) as connection:
        yield Imported(database_url, instance, scope, connection)
        assert (await instance.reads.verify(scope)).problems == ()
