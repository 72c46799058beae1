"""Settles payments that are processing, when the bank's answer is due.

Every instance does this, and several may find the same payments. Each one is settled by a command that goes
through the writer like any other, and only the first command has an effect.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.debits import SettleDebit
from fastpay.domain.identifiers import LOWEST, Scope, digits
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.periodic import Periodic
from fastpay.engine.ports import Writer
from fastpay.engine.timed_commands import TimedCommands
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.settlement")


class SettlementStore(Protocol):
    """Lists payments that are processing, over all tenants, the oldest first."""

    async def list_processing_payments(self, after: str, rows_max: int) -> Sequence[tuple[Scope, str]]:
        """Return payment intents above an identifier's digits. Raises: DatabaseUnavailable."""


class Settler:
    """Settles what is due periodically, a bounded number at a time."""

    def __init__(
        self,
        store: SettlementStore,
        writer: Writer,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        delay_s: int = limits.test_delay_s,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._delay_s = delay_s
        self._commands = TimedCommands(writer, identifiers)
        self._periodic = Periodic(
            "settlement",
            self.settle,
            interval_ms=limits.expiry_interval_ms,
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def start(self) -> None:
        """Begin to settle."""
        self._periodic.start()

    async def close(self) -> None:
        """Stop at once. What was not settled is settled next time."""
        await self._periodic.close()

    async def settle(self) -> int:
        """Settle all payments that are due, and return how many were listed."""
        count = 0
        after = LOWEST
        while True:
            found = await self._store.list_processing_payments(after, limits.expiry_rows_max)
            await self._commands.submit(
                [(scope, SettleDebit(id=identifier, delay_s=self._delay_s)) for scope, identifier in found]
            )
            count += len(found)
            if len(found) < limits.expiry_rows_max:
                return count
            after = digits(found[-1][1])
