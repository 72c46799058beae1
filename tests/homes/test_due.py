"""What is due is done by the oldest instance, and by the next one if that is gone."""

import asyncio

from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_accounts import CreateLedgerAccount
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.engine.expiry import Due, Expirer
from fastpay.engine.identity import IdentifierFactory
from fastpay.store.housekeeping import PostgresHousekeeping
from tests.support.engine import CLOCK, make_tenant, read_objects
from tests.support.homes import Instance, instance, introduce


class CountingStore(PostgresHousekeeping):
    """Counts how often it is asked for holds."""

    asked = 0

    async def list_due_holds(self, rows_max: int) -> Due:  # type: ignore[override]
        """As the store."""
        self.asked += 1
        return await super().list_due_holds(rows_max)


class Expiring:
    """Looks for what is due as an instance does, whenever a test says so."""

    def __init__(self, own: Instance) -> None:
        self.own = own
        self.store = CountingStore(own.engine.pool)
        expirer = Expirer(
            self.store,
            own.homes,
            clock=CLOCK,
            identifiers=IdentifierFactory(CLOCK),
            duty=own.membership.duty,
        )
        self._periodics = expirer._periodics

    async def round(self) -> None:
        """Look once, and say so to the others."""
        for periodic in self._periodics:
            await periodic.do()
        await self.own.membership.read_moment()


async def test_the_oldest_expires_what_is_due_and_the_next_one_does_once_it_has_left(
    database_url: str,
) -> None:
    scope = await make_tenant(database_url)
    async with instance(database_url) as one, instance(database_url) as other:
        await introduce(one, other)
        older, younger = map(Expiring, sorted((one, other), key=lambda own: own.member_id))
        # Until the younger one hears that the older one looks, both do.
        for each in (older, younger, older, younger):
            await each.round()
        asked = older.store.asked, younger.store.asked
        for each in (older, younger, older, younger):
            await each.round()
        assert (older.store.asked, younger.store.asked) == (asked[0] + 2, asked[1])

        held = await hold(older.own, scope, seconds=1)
        await asyncio.sleep(2)
        await older.own.homes.leave()
        # In one second it hears of that, and in the next it looks.
        await younger.round()
        await younger.round()
        (found,) = await read_objects(one.engine.reads, scope, [held])
        assert isinstance(found.object, LedgerTransfer)
        assert found.object.ending is not None
        assert found.object.ending.phase == "expire"


async def hold(own: Instance, scope: Scope, *, seconds: int) -> str:
    """Make a hold that expires in some seconds."""
    source, target = [
        (await own.engine.do(CreateLedgerAccount(currency="usd", code=code, normal_side="C"), scope)).id
        for code in ("source", "target")
    ]
    command = CreateLedgerTransfer(
        debit_account=source,
        credit_account=target,
        amount=7,
        is_hold=True,
        expires_at=CLOCK.now_ms() // 1000 + seconds,
    )
    return (await own.engine.do(command, scope)).id
