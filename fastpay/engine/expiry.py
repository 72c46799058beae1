"""Does what time does: expires holds, authorizations and disputes, settles refunds, and advances payouts.

Every instance does this, and several may find the same objects. Each object is changed by a command that goes
through the writer like any other, and only the first command has an effect.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.captures import ExpirePaymentIntent
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.disputes import ExpireDispute
from fastpay.domain.identifiers import LOWEST, Scope, digits
from fastpay.domain.ledger_transfers import ExpireLedgerTransfer
from fastpay.domain.objects import Refund
from fastpay.domain.payouts import AdvancePayout, Payout
from fastpay.domain.plan import Command
from fastpay.domain.refunds import SettleRefund
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.periodic import Periodic
from fastpay.engine.ports import Writer
from fastpay.engine.timed_commands import TimedCommands
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.expiry")

Due = Sequence[tuple[Scope, str]]


class ExpiryStore(Protocol):
    """Lists what is due by the database's clock, over all tenants, the oldest first."""

    async def list_due_holds(self, rows_max: int) -> Due:
        """Return holds that have not ended and whose expiry has come. Raises: DatabaseUnavailable."""

    async def list_due_payments(self, after: str, rows_max: int) -> Due:
        """Return payment intents with an authorization that may be due, above an identifier's digits.

        Raises: DatabaseUnavailable.
        """

    async def list_due_objects(self, prefix: str, rows_max: int) -> Due:
        """Return objects of a kind that change by themselves. Raises: DatabaseUnavailable."""


# The command that changes a due object, by the prefix of its kind.
_CHANGES: Mapping[str, Callable[[str], Command]] = {
    Refund.prefix: lambda identifier: SettleRefund(id=identifier),
    Dispute.prefix: lambda identifier: ExpireDispute(id=identifier),
    Payout.prefix: lambda identifier: AdvancePayout(id=identifier),
}


class Expirer:
    """Expires what is due periodically, a bounded number at a time."""

    def __init__(
        self,
        store: ExpiryStore,
        writer: Writer,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._commands = TimedCommands(writer, identifiers)
        self._periodics = [
            Periodic(name, work, interval_ms=interval_ms, clock=clock, log=_log, is_away=is_away)
            for name, work, interval_ms in (
                ("expiry", self.expire_holds, limits.expiry_interval_ms),
                ("payment_expiry", self.expire_payments, limits.housekeeping_interval_ms),
                ("change", self.change_objects, limits.expiry_interval_ms),
            )
        ]

    def start(self) -> None:
        """Begin to expire."""
        for periodic in self._periodics:
            periodic.start()

    async def close(self) -> None:
        """Stop at once. What was not expired is expired next time."""
        await asyncio.gather(*(periodic.close() for periodic in self._periodics))

    async def expire_holds(self) -> int:
        """Expire all holds that are due, and return how many were listed."""
        count = 0
        while True:
            due = await self._store.list_due_holds(limits.expiry_rows_max)
            await self._commands.submit(
                [(scope, ExpireLedgerTransfer(id=identifier)) for scope, identifier in due]
            )
            count += len(due)
            if len(due) < limits.expiry_rows_max:
                return count

    async def expire_payments(self) -> int:
        """Cancel all payments whose authorization is due, and return how many were listed."""
        count = 0
        after = LOWEST
        while True:
            due = await self._store.list_due_payments(after, limits.expiry_rows_max)
            await self._commands.submit(
                [(scope, ExpirePaymentIntent(id=identifier)) for scope, identifier in due]
            )
            count += len(due)
            if len(due) < limits.expiry_rows_max:
                return count
            after = digits(due[-1][1])

    async def change_objects(self) -> int:
        """Change all objects that are due, and return how many were listed."""
        count = 0
        for prefix, command in _CHANGES.items():
            while True:
                due = await self._store.list_due_objects(prefix, limits.expiry_rows_max)
                await self._commands.submit([(scope, command(identifier)) for scope, identifier in due])
                count += len(due)
                if len(due) < limits.expiry_rows_max:
                    break
        return count
