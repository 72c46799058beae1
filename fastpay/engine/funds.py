"""Moves money by time: releases captures, tells of what became available, and pays out.

Every instance does this, and several may find the same work. Each change is a command that goes through the
writer like any other and looks at the state again, so that it has an effect at most once. What is due is
the database's time to say. Books are examined a bounded number at a time, in turns.
"""

from collections.abc import Callable

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.funds import ReleaseFunds
from fastpay.domain.identifiers import LOWEST, Scope
from fastpay.domain.payouts import PayOutBalance
from fastpay.domain.plan import Command
from fastpay.engine.funds_ports import FundsStore
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.ports import Writer
from fastpay.engine.timed_commands import TimedCommands
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.funds")
_BEFORE_ALL = Scope(LOWEST, False)


class FundsMover(PeriodicWork):
    """Does periodically what is due, a bounded number of books and of transfers at a time.

    In test mode an automatic payout takes a step every `step_s`.
    """

    def __init__(
        self,
        store: FundsStore,
        writer: Writer,
        *,
        clock: Clock,
        identifiers: IdentifierFactory,
        step_s: int = limits.test_delay_s,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._step_s = step_s
        self._commands = TimedCommands(writer, identifiers)
        # The books up to here were examined in this turn.
        self._examined = _BEFORE_ALL
        super().__init__(
            ("funds", self.move_funds, limits.funds_interval_ms), clock=clock, log=_log, is_away=is_away
        )

    async def move_funds(self) -> int:
        """Do what is due in the next books, and return how many were examined."""
        books = await self._store.list_due_funds(self._examined, limits.funds_books_max)
        for due in books:
            if due.is_due:
                await self._release(due.scope, due.currencies)
            elif due.is_credited:
                after = due.released_through
                await self._submit(
                    due.scope, ReleaseFunds(after=after, through=after, currencies=due.currencies)
                )
            if due.is_payable:
                await self._submit(due.scope, PayOutBalance(currencies=due.currencies, step_s=self._step_s))
            self._examined = due.scope
        if len(books) < limits.funds_books_max:
            self._examined = _BEFORE_ALL
        return len(books)

    async def _release(self, scope: Scope, currencies: tuple[str, ...]) -> None:
        """Release captures of a book, a bounded number: other books have their turn."""
        before = None
        for _ in range(limits.funds_pages_max):
            page = await self._store.list_unreleased(scope, limits.funds_transfers_max)
            # The watermark stays where it is if the next capture is not due after all.
            if page is None or page.after == before:
                return
            before = page.after
            await self._submit(
                scope,
                ReleaseFunds(
                    after=page.after,
                    through=page.through,
                    captures=page.captures,
                    charges=page.charges,
                    currencies=(*currencies, *page.currencies),
                ),
            )

    async def _submit(self, scope: Scope, command: Command) -> None:
        await self._commands.submit([(scope, command)])
