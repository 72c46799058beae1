"""What answers in the dialect say: objects and errors, as outcomes."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from fastpay.domain.processor_objects import Operation
from fastpay.engine.processors.ports import Outcome, Status
from fastpay.outbound.http import Answer
from fastpay.outbound.processors.calls import decode, shorten, unknown
from fastpay.outbound.processors.declines import retry_of

# The metadata by which a payment or a refund is found.
REFERENCE = "fastpay_reference"

_Object = TypeVar("_Object")

_OK = 200
_DECLINED = 402
_CONFLICT = 409
_TOO_MANY = 429
_CLIENT_ERRORS = range(400, 500)


class _Named(msgspec.Struct, frozen=True):
    id: str


class Failure(msgspec.Struct, frozen=True):
    """An error: why a request was refused, or the last attempt to pay was."""

    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    param: str | None = None
    payment_intent: _Named | None = None
    setup_intent: _Named | None = None


class _Redirect(msgspec.Struct, frozen=True):
    url: str | None = None


class _NextAction(msgspec.Struct, frozen=True):
    redirect_to_url: _Redirect | None = None


class _Charge(msgspec.Struct, frozen=True):
    """A charge in full. Newer servers show its identifier only."""

    amount: int
    amount_refunded: int = 0


class _Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment intent and a setup intent have in common."""

    id: str
    status: str
    next_action: _NextAction | None = None
    metadata: Mapping[str, str] | None = None
    # Identifiers, unless somebody expands them.
    customer: Any = None
    payment_method: Any = None

    @property
    def token(self) -> str | None:
        """The card that is kept for a customer, None if it is not: both of their identifiers."""
        if isinstance(self.customer, str) and isinstance(self.payment_method, str):
            return f"{self.customer}/{self.payment_method}"
        return None

    @property
    def reference(self) -> str | None:
        """Our reference of the attempt."""
        return (self.metadata or {}).get(REFERENCE)


class Payment(_Intent, frozen=True, kw_only=True):
    """A payment intent, as far as an outcome needs it. What only newer servers show has a default."""

    object: Literal["payment_intent"]
    amount: int
    currency: str
    amount_received: int | None = None
    amount_capturable: int | None = None
    latest_charge: _Charge | str | None = None
    last_payment_error: Failure | None = None

    def captured(self) -> int:
        """Return how much was captured."""
        if self.amount_received is not None:
            return self.amount_received
        if isinstance(self.latest_charge, _Charge):
            # An old server gives the rest of a partial capture back.
            return self.latest_charge.amount - self.latest_charge.amount_refunded
        return self.amount


class Setup(_Intent, frozen=True, kw_only=True):
    """A setup intent, as far as an outcome needs it."""

    object: Literal["setup_intent"]
    last_setup_error: Failure | None = None


class Refund(msgspec.Struct, frozen=True):
    """A refund, as far as an outcome needs it."""

    id: str
    object: Literal["refund"]
    amount: int
    currency: str
    status: str
    failure_reason: str | None = None
    metadata: Mapping[str, str] | None = None

    @property
    def reference(self) -> str | None:
        """Our reference of the refund."""
        return (self.metadata or {}).get(REFERENCE)


class _Refused(msgspec.Struct, frozen=True):
    error: Failure


class Listed(msgspec.Struct, frozen=True):
    """A page of a list, whose objects are read one by one."""

    data: list[msgspec.Raw]
    has_more: bool = False


PAYMENT = msgspec.json.Decoder(Payment)
REFUND = msgspec.json.Decoder(Refund)
SETUP = msgspec.json.Decoder(Setup)
LISTED = msgspec.json.Decoder(Listed)
_REFUSED = msgspec.json.Decoder(_Refused)


def payment_of(answer: Answer) -> Payment | Outcome:
    """Return the payment that an answer shows, or else what is known."""
    return _object_of(answer, PAYMENT)


def refund_of(answer: Answer) -> Refund | Outcome:
    """Return the refund that an answer shows, or else what is known."""
    return _object_of(answer, REFUND)


def setup_of(answer: Answer) -> Setup | Outcome:
    """Return the setup that an answer shows, or else what is known."""
    return _object_of(answer, SETUP)


def set_up(setup: Setup) -> Outcome:
    """Return what became of a setup."""
    match setup.status:
        case "succeeded":
            return Outcome(status="approved", processor_id=setup.id, token=setup.token)
        case "requires_action":
            return Outcome(status="requires_action", processor_id=setup.id, redirect_url=_page_of(setup))
        case "processing":
            return Outcome(status="pending", processor_id=setup.id)
        case "requires_payment_method" if setup.last_setup_error is not None:
            return _declined(setup.last_setup_error, setup)
    # What is not confirmed yet may be in the midst of it.
    status: Status = "declined" if setup.status == "canceled" else "unknown"
    return Outcome(status=status, processor_id=setup.id, reason=f"the setup is {shorten(setup.status)}")


def authorized(payment: Payment) -> Outcome:
    """Return what became of an authorization."""
    match payment.status:
        case "succeeded":
            return _about(
                payment, "approved", amount=payment.captured(), is_captured=True, token=payment.token
            )
        case "requires_capture":
            held = payment.amount if payment.amount_capturable is None else payment.amount_capturable
            return _about(payment, "approved", amount=held, token=payment.token)
        case "requires_action":
            return _about(payment, "requires_action", redirect_url=_page_of(payment))
        case "processing":
            return _about(payment, "pending")
        case "requires_payment_method" if payment.last_payment_error is not None:
            return _declined(payment.last_payment_error, payment)
    # What is not confirmed yet may be in the midst of it.
    status: Status = "declined" if payment.status == "canceled" else "unknown"
    return _about(payment, status, reason=f"the payment is {shorten(payment.status)}")


def captured(payment: Payment) -> Outcome | None:
    """Return what became of a capture, None if nothing did."""
    match payment.status:
        case "succeeded":
            return _about(payment, "approved", amount=payment.captured(), is_captured=True)
        case "requires_capture":
            return None
        case "processing":
            return _about(payment, "pending")
    return _about(payment, "refused", code=_STATE, reason=f"the payment is {shorten(payment.status)}")


def voided(payment: Payment) -> Outcome | None:
    """Return what became of a void, None if nothing did."""
    match payment.status:
        case "canceled":
            return _about(payment, "approved")
        case "succeeded":
            return _about(payment, "refused", code=_STATE, reason="the payment is captured")
    return None


def followed_up(payment: Payment) -> Mapping[Operation, Outcome]:
    """Return what became of a capture, and of a void. Empty if the payment has not ended."""
    if payment.status not in {"succeeded", "canceled"}:
        return {}
    found: dict[Operation, Outcome | None] = {"capture": captured(payment), "void": voided(payment)}
    return {operation: outcome for operation, outcome in found.items() if outcome is not None}


def refunded(refund: Refund) -> Outcome:
    """Return what became of a refund."""
    return Outcome(
        status=_OF_REFUNDS.get(refund.status, "unknown"),
        processor_id=refund.id,
        amount=refund.amount,
        currency=refund.currency.lower(),
        decline_code=_text(refund.failure_reason),
        reason=f"the refund is {shorten(refund.failure_reason or refund.status)}",
    )


def refused(answer: Answer) -> Outcome:
    """Return what is known after an answer that is no success.

    Only an error of the dialect counts as one: the page of a proxy in between proves nothing.
    """
    found = decode(_REFUSED, answer.body)
    if answer.status not in _CLIENT_ERRORS or found is None:
        return unknown(f"the processor answers {answer.status}")
    failure = found.error
    if answer.status == _DECLINED:
        return _declined(failure, failure.payment_intent or failure.setup_intent)
    if answer.status == _CONFLICT or failure.type == "idempotency_error":
        # The same reference is being worked on, or was used before: what became of that is the question.
        return unknown(f"the processor knows the reference already: {failure.message or answer.status}")
    is_busy = answer.status == _TOO_MANY
    return Outcome(
        status="refused",
        code=_text(failure.code),
        message=_text(failure.message),
        retry="later" if is_busy else "never",
        reason=shorten(
            f"the processor answers {answer.status}: {failure.message or ''} {failure.param or ''}"
        ),
    )


_STATE = "payment_intent_unexpected_state"
_OF_REFUNDS: Mapping[str, Status] = {
    "succeeded": "approved",
    "pending": "pending",
    "requires_action": "pending",
    "failed": "declined",
    "canceled": "declined",
}


def _page_of(intent: _Intent) -> str | None:
    """Return the page on which the cardholder authenticates."""
    action = intent.next_action
    return None if action is None or action.redirect_to_url is None else action.redirect_to_url.url


def _object_of(answer: Answer, decoder: "msgspec.json.Decoder[_Object]") -> _Object | Outcome:
    if answer.status != _OK:
        return refused(answer)
    found = decode(decoder, answer.body)
    return unknown("the answer of the processor cannot be read") if found is None else found


def _about(payment: Payment, status: Status, *, amount: int | None = None, **fields: Any) -> Outcome:
    return Outcome(
        status=status, processor_id=payment.id, amount=amount, currency=payment.currency.lower(), **fields
    )


def _declined(failure: Failure, payment: Payment | Setup | _Named | None) -> Outcome:
    return Outcome(
        status="declined",
        processor_id=None if payment is None else payment.id,
        code=_text(failure.code) or "card_declined",
        decline_code=_text(failure.decline_code),
        message=_text(failure.message),
        retry=retry_of(failure.code, failure.decline_code),
        reason=shorten(failure.decline_code or failure.code or "the payment was declined"),
    )


def _text(text: str | None) -> str | None:
    return None if text is None else shorten(text)
