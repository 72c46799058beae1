"""Does what time does: expires what is held or disputed, settles refunds and debits, and advances payouts.

Of several instances one does this (see `duty.py`), and each looks for authorizations of cards. Two may find
the same objects: each is changed by a command that goes through the writer like any other, and only the first
command has an effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.captures import ExpirePaymentIntent
from fastpay.domain.debits import SettleDebit
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.dispute_responses import ExpireDispute
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger_transfers import ExpireLedgerTransfer
from fastpay.domain.objects import Refund
from fastpay.domain.payouts import AdvancePayout, Payout
from fastpay.domain.plan import Command
from fastpay.domain.refunds import SettleRefund
from fastpay.engine.duty import Duty
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.periodic import PeriodicWork
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

    async def list_processing_debits(self, after: str, rows_max: int) -> Due:
        """Return payment intents that may be processing debits, above an identifier's digits.

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


class Expirer(PeriodicWork):
    """Changes what is due periodically, a bounded number at a time.

    A debit in test mode is answered `delay_s` after it was sent. `links` say where its failure is explained.
    """

    def __init__(
        self,
        store: ExpiryStore,
        writer: Writer,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        delay_s: int = limits.test_delay_s,
        links: ErrorLinks = NO_LINKS,
        duty: Duty | None = None,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        duty = duty or Duty(clock)
        self._delay_s, self._links = delay_s, links
        self._commands = TimedCommands(writer, identifiers)
        super().__init__(
            ("expiry", duty.shared("expiry", self.expire_holds), limits.expiry_interval_ms),
            ("payment_expiry", self.expire_payments, limits.housekeeping_interval_ms),
            ("changes", duty.shared("changes", self.change_objects), limits.expiry_interval_ms),
            ("settlement", duty.shared("settlement", self.settle), limits.expiry_interval_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    async def expire_holds(self) -> int:
        """Expire all holds that are due, and return how many were listed."""
        return await self._commands.submit_due(
            lambda _, rows_max: self._store.list_due_holds(rows_max), lambda one: ExpireLedgerTransfer(id=one)
        )

    async def expire_payments(self) -> int:
        """Cancel all payments whose authorization is due, and return how many were listed."""
        return await self._commands.submit_due(
            self._store.list_due_payments, lambda one: ExpirePaymentIntent(id=one)
        )

    async def settle(self) -> int:
        """Settle all debits that are due, and return how many were listed."""
        return await self._commands.submit_due(
            self._store.list_processing_debits,
            lambda one: SettleDebit(id=one, delay_s=self._delay_s, links=self._links),
        )

    async def change_objects(self) -> int:
        """Change all objects that are due, and return how many were listed."""
        return sum([await self._change(prefix, command) for prefix, command in _CHANGES.items()])

    async def _change(self, prefix: str, command: Callable[[str], Command]) -> int:
        return await self._commands.submit_due(
            lambda _, rows_max: self._store.list_due_objects(prefix, rows_max), command
        )
