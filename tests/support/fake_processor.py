"""A processor that does what a test says, and keeps books of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import SavedCard
from fastpay.engine.processors.ports import Chosen, Declaration, Ignored, Notice, Order, Outcome, Processor

CARD_NUMBER = "4242424242424242"


class FakeProcessor:
    """Satisfies `Processor`. `charged` are its books: how often each reference was charged.

    `acts` says whether an order is carried out, and `answers` whether the answer arrives. While `gate` is
    closed no call gets anywhere. `found` answers inquiries instead of the books.
    """

    def __init__(self, declaration: Declaration | None = None) -> None:
        self.declaration = declaration or Declaration()
        self.charged: dict[str, int] = {}
        self.orders: list[Order] = []
        self.inquiries: list[Order] = []
        self.acts = self.answers = self.knows = True
        self.outcome: Callable[[Order], Outcome] = approved
        self.gate = asyncio.Event()
        self.gate.set()
        self.found: Callable[[Order], Outcome] | None = None
        # Called with each order when it arrives, before anything is done.
        self.arrived: Callable[[Order], Awaitable[None]] | None = None

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Carry out an order, or not."""
        self.orders.append(order)
        if self.arrived is not None:
            await self.arrived(order)
        await self.gate.wait()
        outcome = self.outcome(order)
        if self.acts and outcome.status == "approved":
            self.charged[order.reference] = self.charged.get(order.reference, 0) + 1
        return outcome if self.answers else Outcome(status="unknown", reason="the answer was lost")

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Say what the books say."""
        self.inquiries.append(order)
        if not self.knows:
            return Outcome(status="unknown", reason="no answer")
        if self.found is not None:
            return self.found(order)
        return approved(order) if order.reference in self.charged else None

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Receive nothing."""
        return None

    async def check(self, *, timeout_ms: int) -> str | None:
        """Be there."""
        return None


class PromptFakeProcessor(FakeProcessor):
    """Satisfies `PromptProcessor`. It does the same, in a task of its own."""

    def __init__(self, declaration: Declaration | None = None) -> None:
        super().__init__(declaration)
        self.tasks: set[asyncio.Task[None]] = set()

    def send_nowait(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        """Carry out an order, or not."""
        task = asyncio.get_running_loop().create_task(self._carry_out(order, done, timeout_ms))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def _carry_out(self, order: Order, done: Callable[[Outcome], None], timeout_ms: int) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                outcome = await self.carry_out(order, timeout_ms=timeout_ms)
        except Exception:  # noqa: BLE001  it raises what a test says
            outcome = Outcome(status="unknown", reason="the call failed")
        done(outcome)


class FakeProcessors:
    """Satisfies `Processors`: every tenant has these, the first choice first."""

    def __init__(self, **named: FakeProcessor) -> None:
        self.named_ones: dict[str, FakeProcessor] = named
        self.cards: dict[str, SavedCard] = {}

    def kept_route(self, scope: Scope, *, currency: str, method: str) -> Sequence[Chosen] | None:
        """Keep none."""
        return None

    async def route(self, scope: Scope, *, amount: int, currency: str, method: str) -> Sequence[Chosen]:
        """Return all."""
        return [Chosen(name, one) for name, one in self.named_ones.items()]

    async def keeper(self, scope: Scope, payment_method: str) -> tuple[Chosen, str] | None:
        """Return the one that keeps a card."""
        saved = self.cards.get(payment_method)
        return (
            None
            if saved is None
            else (Chosen(saved.processor, self.named_ones[saved.processor]), saved.token)
        )

    async def keep(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Remember a card."""
        self.cards.setdefault(payment_method, saved)

    async def find(self, scope: Scope, name: str) -> Processor | None:
        """Return one by its name."""
        return self.named_ones.get(name)

    async def named(self, name: str) -> Sequence[tuple[Scope, Processor]]:
        """Receive no webhooks."""
        return []


def approved(order: Order) -> Outcome:
    """Return the approval of what was ordered."""
    return Outcome(
        status="approved",
        processor_id="theirs",
        amount=order.amount,
        currency=order.currency,
        is_captured=order.captures,
    )


def saying(status: str, **more: object) -> Callable[[Order], Outcome]:
    """Return what gives every order this outcome."""
    outcome = msgspec.convert({"status": status, **more}, Outcome)
    return lambda order: outcome
