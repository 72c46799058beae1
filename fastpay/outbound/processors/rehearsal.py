"""The processors of test cards whose answers fail, so that developers see what they may meet in live mode.

    card                  request                        webhook          inquiry
    pm_card_answerLost    no answer                                       approved
    ...answerLate         approved, a while later                         approved, from then on
    ...answerRepeated     approved                       approved, later  approved
    ...answerContradicted approved, a while later        declined first   approved

Such a processor remembers nothing: what it has done follows from its name, the order and the time alone, so
that every instance says the same, also after a crash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.cards import AnswerFault
from fastpay.domain.identifiers import Scope
from fastpay.domain.processing import REHEARSED
from fastpay.engine.processors.configuration_ports import SavedCard
from fastpay.engine.processors.ports import (
    Chosen,
    Declaration,
    Notice,
    Order,
    Outcome,
    Processor,
    Processors,
)

Hear = Callable[[Scope, Notice], Awaitable[None]]
_LATE: frozenset[AnswerFault] = frozenset(("late", "contradicted"))
_ANSWERS: Mapping[str, AnswerFault] = {
    f"{REHEARSED}{answer}": answer for answer in ("lost", "late", "repeated", "contradicted")
}


class Rehearsals:
    """Satisfies `Processors`: adds the processors of test cards to others.

    `hear` gets their webhooks; it is set before the first order.
    """

    def __init__(self, others: Processors, *, clock: Clock) -> None:
        self._others = others
        self._clock = clock
        self._webhooks: set[asyncio.Task[None]] = set()
        self.hear: Hear | None = None

    def start(self) -> None:
        """Begin. There is nothing to do until a payment comes."""

    async def close(self) -> None:
        """Forget the webhooks that were not sent yet."""
        for webhook in self._webhooks:
            webhook.cancel()
        await asyncio.gather(*self._webhooks, return_exceptions=True)

    def kept_route(self, scope: Scope, *, currency: str, method: str) -> Sequence[Chosen] | None:
        """Return the processors that a payment may go to, None if that has to be found out."""
        return self._others.kept_route(scope, currency=currency, method=method)

    async def route(self, scope: Scope, *, amount: int, currency: str, method: str) -> Sequence[Chosen]:
        """Return the processors that a payment may go to. Raises: DatabaseUnavailable, Overloaded."""
        return await self._others.route(scope, amount=amount, currency=currency, method=method)

    async def keeper(self, scope: Scope, payment_method: str) -> tuple[Chosen, str] | None:
        """Return the processor that keeps a card. Raises: DatabaseUnavailable, Overloaded."""
        return await self._others.keeper(scope, payment_method)

    async def keep(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Store what a processor calls a card. Raises: DatabaseUnavailable, Overloaded."""
        await self._others.keep(scope, payment_method, saved)

    async def find(self, scope: Scope, name: str) -> Processor | None:
        """Return a processor by its name, or None. Raises: DatabaseUnavailable, Overloaded."""
        answer = None if scope.livemode else _ANSWERS.get(name)
        if answer is None:
            return await self._others.find(scope, name)
        return RehearsedProcessor(answer, clock=self._clock, hear=lambda notice: self._hear(scope, notice))

    async def named(self, name: str) -> Sequence[tuple[Scope, Processor]]:
        """Return the processors of this name. Raises: DatabaseUnavailable, Overloaded."""
        return await self._others.named(name)

    async def _hear(self, scope: Scope, notice: Notice) -> None:
        """Send a webhook, in the background if it is a repetition."""
        assert self.hear is not None
        if notice.outcome.status == "declined":
            await self.hear(scope, notice)
            return
        webhook = asyncio.create_task(self._send_later(scope, notice))
        self._webhooks.add(webhook)
        webhook.add_done_callback(self._webhooks.discard)

    async def _send_later(self, scope: Scope, notice: Notice) -> None:
        assert self.hear is not None
        await asyncio.sleep(limits.rehearsal_answer_ms / 1000)
        await self.hear(scope, notice)


class RehearsedProcessor:
    """Satisfies `Processor`. It approves each order, and its answer fails in one way."""

    declaration = Declaration()

    def __init__(
        self, answer: AnswerFault, *, clock: Clock, hear: Callable[[Notice], Awaitable[None]]
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._hear = hear

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Charge the card, and answer in its way."""
        if self._answer == "lost":
            return Outcome(status="unknown", reason="the test card loses the answer")
        if self._answer in _LATE:
            await asyncio.sleep(limits.rehearsal_answer_ms / 1000)
        if self._answer == "contradicted":
            said = Outcome(status="declined", code="card_declined", decline_code="generic_decline")
            await self._hear(Notice(id=order.reference, reference=order.reference, outcome=said))
        if self._answer == "repeated":
            await self._hear(Notice(id=order.reference, reference=order.reference, outcome=_approved(order)))
        return _approved(order)

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return that it was approved, once an answer that is late would have come."""
        sent_ms = self._clock.now_ms() if order.sent_ms is None else order.sent_ms
        if self._answer in _LATE and self._clock.now_ms() < sent_ms + limits.rehearsal_answer_ms:
            return Outcome(status="unknown", reason="the test card answers late")
        return _approved(order)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Trust no webhook: those of test cards do not come over the network."""
        return None

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return None: it is always there."""
        return None


def _approved(order: Order) -> Outcome:
    return Outcome(
        status="approved",
        processor_id=f"test_{order.reference}",
        amount=order.amount,
        currency=order.currency,
        is_captured=order.captures,
    )
