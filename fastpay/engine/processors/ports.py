"""What the engine needs of a processor: what it can do, its operations, and what is known after each.

A processor is a service that moves money: an acquirer, or another payment API. After the first byte of a
request is out, nobody but the processor knows whether it acted, unless it answers. So an outcome is one of
these:

    approved         it was done
    declined         it was not done, and the card's issuer or the processor says why
    requires_action  the cardholder has to authenticate first (`redirect_url`)
    pending          it was accepted, and the processor says later what became of it
    refused          the processor did nothing, since the request or the account is wrong
    not_sent         no byte of the request went out
    unknown          anything may have happened

Only after `not_sent`, `refused`, or a decline that allows it may another processor be asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Versioned
from fastpay.domain.processor_objects import Operation
from fastpay.engine.ports import Filter, Page
from fastpay.engine.processors.configuration_ports import SavedCard

Status = Literal["approved", "declined", "requires_action", "pending", "refused", "not_sent", "unknown"]
# What a processor keeps under an idempotency key, and shows again: every response, or only that of a success.
Kept = Literal["responses", "successes"]
# Who may try a declined payment again: nobody, the customer with another card, or anybody later.
Retry = Literal["never", "other_card", "later"]


class Idempotency(msgspec.Struct, frozen=True):
    """How a processor recognizes a request that it has seen: what it keeps under a key, and for how long."""

    kept: Kept
    lifetime_s: int


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor can do. It never changes while the process runs.

    `setups` says that it keeps cards without a payment. `currencies` are in lower case; None means all.
    `finds_references` says that `inquire` finds a payment by our reference. Without `idempotency` no request
    is ever sent again.
    """

    methods: frozenset[str] = frozenset(("card",))
    currencies: frozenset[str] | None = None
    partial_capture: bool = True
    multiple_capture: bool = False
    voids: bool = True
    setups: bool = True
    finds_references: bool = True
    receives_webhooks: bool = False
    redirects: bool = False
    idempotency: Idempotency | None = None


class CardData(msgspec.Struct, frozen=True, kw_only=True):
    """A card as the client has sent it. It goes to the processor and nowhere else: it has no representation
    that shows it."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str | None = None
    holder: str | None = None

    def __repr__(self) -> str:
        """Show nothing of the card."""
        return "CardData(...)"

    __str__ = __repr__


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One operation to be carried out.

    `reference` is ours: unique for the operation, sent with it, and its idempotency key. `amount` is in the
    currency's smallest unit. `authorization` is the reference under which the payment was authorized, and
    `processor_id` what the processor calls that payment: for captures, voids and refunds. An authorization
    has a `card`, or the `token` of a card that the processor keeps; with `saves` it is to keep the card. So
    has a setup, which keeps a card and moves nothing: its `amount` is 0, in the currency "xxx".
    `captures` says that an authorization takes the money at once, or that a capture is the last one.
    `sent_ms` is when the order was first sent, in milliseconds since 1970: for inquiries, since nobody may
    conclude from an early one that it never arrived.
    """

    operation: Operation
    reference: str
    amount: int
    currency: str
    authorization: str | None = None
    processor_id: str | None = None
    card: CardData | None = None
    token: str | None = None
    saves: bool = False
    captures: bool = True
    description: str | None = None
    statement_descriptor: str | None = None
    return_url: str | None = None
    metadata: Mapping[str, str] = {}
    sent_ms: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after a request, an inquiry or a webhook.

    `processor_id` is what the processor calls the payment, or the refund. `amount` and `currency` are what it
    says it has moved or reserved; the engine compares them with the order. `code` and `decline_code` are in
    the words of the dialect. `reason` is for operators, and never shown to clients.
    """

    status: Status
    processor_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    is_captured: bool = False
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    retry: Retry = "never"
    redirect_url: str | None = None
    # A card that the processor keeps for later payments.
    token: str | None = None
    reason: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified webhook of the processor says. `reference` is ours, if the notice names it.

    A processor that names an authorization only may say by it what became of a capture or a void of that:
    `follow_ups` has these outcomes by their operations.
    """

    id: str
    reference: str | None
    outcome: Outcome
    follow_ups: Mapping[Operation, Outcome] = {}


class Ignored(msgspec.Struct, frozen=True):
    """A verified webhook that says nothing of an order: an event of no interest, or no event at all."""


class Processor(Protocol):
    """Carries out operations elsewhere. None of its methods raises: whatever goes wrong is an outcome."""

    declaration: Declaration

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Send an order once, and return what is known. Cancelling it leaves the outcome unknown."""

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return what became of an order that was sent before, found by its reference.

        None means that the processor answers that it knows of no such order, and that a request which was
        sent at `sent_ms` can no longer be on its way. `unknown` means that it has not answered, or that it is
        too early for None, as it is without a `sent_ms`. The order has no card.
        """

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Return what a webhook of the processor says, or None if its signature is wrong.

        Names of headers are in lower case.
        """

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return None if the processor answers and accepts our credentials, or else the reason."""


class PromptProcessor(Processor, Protocol):
    """A processor that can send an order without a wait. Others need not have this."""

    def send_nowait(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        """Send an order once within this turn of the event loop, or return False: nothing was sent.

        Then `carry_out` would wait for something first. `done` gets the outcome within the time, once,
        perhaps before this returns. It must not raise.
        """


class AttemptReader(Protocol):
    """Shows what was committed."""

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        """Return an object as it is now, or None. Raises: DatabaseUnavailable, Overloaded."""

    async def list(self, scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        """Return a page of objects, the newest first. Raises: DatabaseUnavailable, Overloaded."""


class Chosen(msgspec.Struct, frozen=True):
    """A processor of a tenant by the name that the operator gave it."""

    name: str
    processor: Processor


class Processors(Protocol):
    """The processors of all tenants."""

    def kept_route(self, scope: Scope, *, currency: str, method: str) -> Sequence[Chosen] | None:
        """Return what `route` would, without a wait. None if that has to be found out, or may be."""

    async def route(self, scope: Scope, *, amount: int, currency: str, method: str) -> Sequence[Chosen]:
        """Return the processors that a payment may go to, the first choice first. Empty if there is none.

        Raises: DatabaseUnavailable, Overloaded.
        """

    async def keeper(self, scope: Scope, payment_method: str) -> tuple[Chosen, str] | None:
        """Return the processor that keeps a card and takes new payments, and what it calls the card.

        Raises: DatabaseUnavailable, Overloaded.
        """

    async def keep(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Store what a processor calls a card, unless that is known. Raises: DatabaseUnavailable."""

    async def find(self, scope: Scope, name: str) -> Processor | None:
        """Return a processor by its name, also one that is disabled, or None.

        Raises: DatabaseUnavailable, Overloaded.
        """

    async def named(self, name: str) -> Sequence[tuple[Scope, Processor]]:
        """Return the processors of all tenants that have this name: their webhooks name nothing else.

        Raises: DatabaseUnavailable, Overloaded.
        """
