"""Looks after attempts whose outcome is not known: asks the processor, again and again, ever more rarely.

Every instance does this. Which one asks is decided by a command that takes the attempt (`ClaimAttempt`), so
two never do at once. An attempt never fails because time has passed: only what the processor says ends it.
If it says nothing after the last inquiry, `ladder` says what is still tried before a person has to look.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.actions import AwaitAction
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.outcomes import ClaimAttempt, RecordOutcome, ReviewAttempt
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.periodic import PeriodicWork
from fastpay.engine.processors import asking, ladder, ports
from fastpay.engine.processors.results import command_of
from fastpay.engine.processors.routed import order_again
from fastpay.engine.processors.saving import keep
from fastpay.engine.timed_commands import TimedCommands
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.processors")

_SILENT = "the processor has not said what became of it"
_GONE = "the processor is no longer configured"


class AttemptStore(Protocol):
    """Lists what is due by the database's clock, over all tenants, the oldest first."""

    async def list_due_objects(self, prefix: str, rows_max: int) -> Sequence[tuple[Scope, str]]:
        """Return objects of a kind that are due. Raises: DatabaseUnavailable."""

    async def count_held_attempts(self) -> Mapping[str, tuple[int, int]]:
        """Return by currency how many are in doubt, and their amounts. Raises: DatabaseUnavailable."""


class AttemptJanitor(PeriodicWork):
    """Inquires of open attempts that are due. `inquiry_s` is when each one was first due."""

    def __init__(
        self,
        store: AttemptStore,
        commands: TimedCommands,
        processors: ports.Processors,
        *,
        clock: Clock,
        inquiry_s: int = limits.processor_inquiry_s,
        reader: ports.AttemptReader | None = None,
        links: ErrorLinks = NO_LINKS,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._commands = commands
        self._processors = processors
        self._reader = reader
        self._delays_s = tuple(inquiry_s * factor for factor in limits.inquiry_factors)
        self._clock = clock
        self._links = links
        self._slots = asyncio.Semaphore(limits.inquiries_at_once_max)
        self._inquiries = self._reviews = self._in_doubt = 0
        # By currency. One that was in doubt once is shown as 0 after that.
        self._amounts: dict[str, int] = {}
        super().__init__(
            ("attempts", self.inquire, limits.attempts_interval_ms),
            ("doubt", self.survey, limits.doubt_interval_ms),
            clock=clock,
            log=_log,
            is_away=is_away,
        )

    def counts(self) -> dict[str, int]:
        """Return how many inquiries were made, what was left to a person, and what is in doubt."""
        made = {"attempt_inquiries": self._inquiries, "attempt_reviews": self._reviews}
        amounts = {f"in_doubt_amount_{currency}": amount for currency, amount in self._amounts.items()}
        return {**made, **amounts, "attempt_in_doubt": self._in_doubt}

    async def survey(self) -> None:
        """Count the attempts of all instances that are in doubt. Raises: DatabaseUnavailable."""
        found = await self._store.count_held_attempts()
        self._in_doubt = sum(attempts for attempts, _ in found.values())
        self._amounts = dict.fromkeys(self._amounts, 0) | {one: amount for one, (_, amount) in found.items()}

    async def inquire(self) -> int:
        """Inquire of the attempts that are due, and return how many were listed.

        Raises: DatabaseUnavailable, Overloaded, ClockSkewed for one of them, after all were tried.
        """
        due = await self._store.list_due_objects(Attempt.prefix, limits.attempts_rows_max)
        results = await asyncio.gather(*(self._look(*one) for one in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(due)

    async def _look(self, scope: Scope, identifier: str) -> None:
        async with self._slots:
            outcome = await self._commands.carry_out(
                scope, ClaimAttempt(id=identifier, delays_s=self._delays_s)
            )
            claimed = outcome.objects.get(identifier)
            # Without one, another instance was faster.
            if claimed is not None and isinstance(claimed.object, Attempt):
                await self._ask(scope, claimed.object)

    async def _ask(self, scope: Scope, attempt: Attempt) -> None:
        processor = await self._processors.find(scope, attempt.processor)
        command: Command | None = None
        if processor is not None:
            self._inquiries += 1
            outcome = await asking.inquire(processor, attempt)
            await keep(self._processors, scope, attempt.payment_method, attempt.processor, outcome)
            command = command_of(attempt.id, outcome, links=self._links)
            if isinstance(command, AwaitAction):
                await self._wait_for_cardholder(scope, processor, attempt, command)
                return
        if command is not None:
            await self._commands.carry_out(scope, command)
        elif attempt.inquiries > len(self._delays_s):
            await self._go_on(scope, processor, attempt)

    async def _go_on(self, scope: Scope, processor: ports.Processor | None, attempt: Attempt) -> None:
        """Do what may still be done for an attempt that was inquired in vain. Each claim takes one step."""
        if attempt.operation == "setup":
            await self._commands.carry_out(scope, asking.given_up(attempt, links=self._links))
            return
        step: ladder.Step = "review"
        if processor is not None:
            now_s = self._clock.now_ms() // 1000
            step = ladder.next_step(attempt, processor.declaration, now_s=now_s)
        if processor is None or step == "review":
            silence = _GONE if processor is None else _SILENT
            self._reviews += 1
            _log.error("attempt_left", attempt=attempt.id, processor=attempt.processor, reason=silence)
            await self._commands.carry_out(scope, ReviewAttempt(id=attempt.id, reason=silence))
            return
        if step == "void":
            command = await asking.void(processor, attempt, links=self._links)
        else:
            command = await self._send_again(scope, processor, attempt)
        if command is not None:
            await self._commands.carry_out(scope, command)

    async def _send_again(
        self, scope: Scope, processor: ports.Processor, attempt: Attempt
    ) -> RecordOutcome | None:
        """Send an order again. An authorization has its token, and is voided if that is gone."""
        if attempt.operation != "authorize":
            return await asking.send_again(processor, attempt, links=self._links)
        kept = await self._processors.keeper(scope, attempt.payment_method)
        found = None if self._reader is None else await self._reader.get(scope, attempt.payment)
        if kept is None or found is None or kept[0].name != attempt.processor:
            return await asking.void(processor, attempt, links=self._links)
        assert isinstance(found.object, PaymentIntent)
        order = order_again(attempt, found.object, kept[1])
        return await asking.send_again(processor, attempt, order=order, links=self._links)

    async def _wait_for_cardholder(
        self, scope: Scope, processor: ports.Processor, attempt: Attempt, command: AwaitAction
    ) -> None:
        """Leave a payment to its cardholder. After a day it is voided, and ends once that is answered.

        A setup is given up then.
        """
        if self._clock.now_ms() // 1000 - attempt.created < limits.action_valid_s:
            await self._commands.carry_out(scope, command)
            return
        if attempt.operation == "setup":
            await self._commands.carry_out(scope, asking.given_up(attempt, links=self._links))
            return
        ended = await asking.void(processor, attempt, links=self._links)
        if ended is not None:
            await self._commands.carry_out(scope, ended)
