"""A live tenant whose processor sends settlement files."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastpay.domain.identifiers import Scope
from fastpay.domain.processor_objects import Attempt
from fastpay.domain.settlements import Settlement
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.settlement_ports import ShownRow
from fastpay.engine.processors.settling import Settling
from fastpay.operations import settlements
from fastpay.operations.settlement_files.mapping import Mapping
from fastpay.store.connections import connected
from fastpay.store.processors import add_processor
from fastpay.store.sealing import Vault, make_key
from fastpay.store.settlements import PostgresSettlements
from tests.support.engine import CLOCK
from tests.support.fake_processor import FakeProcessor
from tests.support.live_shop import Shop, select, shop

HEADING = "reference,id,type,gross,fee,net,currency,value_date"
TODAY = datetime.fromtimestamp(CLOCK.now_ms() / 1000, UTC).date().isoformat()
MINOR = Mapping(amounts="minor")
PROCESSOR = "acquirer"


def row(
    reference: str = "",
    gross: int = 1000,
    *,
    fee: int = 30,
    processor_id: str = "",
    kind: str = "charge",
    currency: str = "usd",
    date: str = TODAY,
) -> str:
    """Return a row of a file, in the smallest unit."""
    return f"{reference},{processor_id},{kind},{gross},{fee},{gross - fee},{currency},{date}"


def file_of(*rows: str) -> bytes:
    """Return a file of rows."""
    return "\n".join((HEADING, *rows, "")).encode()


class Settled:
    """A shop with payments of 10.00 each, and what settles them."""

    def __init__(self, own: Shop, processor: FakeProcessor) -> None:
        self.shop, self.processor, self.scope = own, processor, own.scope
        self.rows = PostgresSettlements(own.instance.pool)
        self.settling = self.another()

    def another(self) -> Settling:
        """Return what settles in another process."""
        return Settling(
            PostgresSettlements(self.shop.instance.pool),
            self.shop.instance.writer,
            identifiers=IdentifierFactory(CLOCK),
        )

    async def pay(self, count: int = 1) -> list[Attempt]:
        """Make payments, and return their attempts."""
        before = {one.id for one in await self.attempts()}
        for _ in range(count):
            await self.shop.pay()
        return [one for one in await self.attempts() if one.id not in before]

    async def attempts(self) -> list[Attempt]:
        """Return all attempts, the oldest first."""
        found = [one for one in await self.shop.objects(Attempt) if isinstance(one, Attempt)]
        return sorted(found, key=lambda one: one.id)

    async def import_(self, file: bytes, mapping: Mapping = MINOR) -> settlements.Imported:
        """Import a file."""
        async with connected(self.shop.database_url) as connection:
            return await settlements.import_file(connection, self.scope, PROCESSOR, io.BytesIO(file), mapping)

    async def settle(self, *rows: str, mapping: Mapping = MINOR) -> Settlement:
        """Import a file of rows, of one currency, and match it."""
        (identifier,) = (await self.import_(file_of(*rows), mapping)).settlements
        found = await self.settling.match(self.scope, identifier)
        assert found is not None
        return found

    async def shown(self, settlement: Settlement) -> Sequence[ShownRow]:
        """Return the rows of a settlement."""
        bounds: dict[str, Any] = {"above": 0, "below": 1 << 30, "descending": False, "limit": 100}
        return await self.rows.rows(self.scope, settlement.id, **bounds, status=None)

    async def statuses(self, settlement: Settlement) -> list[str]:
        """Return the statuses of the rows of a settlement."""
        return [one.status for one in await self.shown(settlement)]

    async def balances(self) -> dict[str, int]:
        """Return debits minus credits of the accounts that settlements move."""
        found = await select(
            self.shop.database_url,
            "select code, debits_posted - credits_posted as balance from account where code in "
            "('processor', 'settlement_bank', 'processor_fees', 'settlement_differences')",
        )
        return {one["code"]: one["balance"] for one in found}

    async def problems(self) -> Sequence[str]:
        """Return what verification finds."""
        return (await self.shop.instance.reads.verify(self.scope)).problems


@asynccontextmanager
async def settled(database_url: str, processor: FakeProcessor | None = None) -> AsyncIterator[Settled]:
    """Open a shop with a processor; find nothing wrong in its books at the end."""
    processor = processor or FakeProcessor()
    async with shop(database_url, acquirer=processor) as own:
        await _configure(database_url, own.scope)
        made = Settled(own, processor)
        yield made
        assert await made.problems() == ()


async def _configure(database_url: str, scope: Scope) -> None:
    async with connected(database_url) as connection:
        await add_processor(
            connection,
            scope,
            name=PROCESSOR,
            kind="stripe",
            url="https://acquirer.example",
            secrets=Secrets(secret="sk_of_the_upstream"),
            vault=Vault([make_key(CLOCK)], clock=CLOCK),
            clock=CLOCK,
        )
