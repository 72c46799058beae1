"""Payments that a processor carries out: what is written before it is asked.

    requires_confirmation -> processing, with an open attempt -> (see outcomes.py)

The attempt and a hold of its amount are committed before the call. The hold debits `processor` and credits
`in_doubt`: its balance is the money of which nobody here knows whether it has moved.
"""

import msgspec

from fastpay.domain.attempts import is_manual
from fastpay.domain.objects import PaymentIntent, PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Attempt, Route
from fastpay.errors import InvalidRequest

IN_DOUBT = "in_doubt"


def not_configured() -> InvalidRequest:
    """Return the error for a live payment that no processor takes."""
    return InvalidRequest(
        "No processor is configured for live payments, so nothing was charged.",
        code="processor_not_configured",
    )


def check_processor(workspace: Workspace) -> None:
    """Raise InvalidRequest in live mode, for what no processor does yet."""
    if workspace.scope.livemode:
        raise not_configured()


def refuse_in_live_mode(workspace: Workspace, what: str) -> None:
    """Raise InvalidRequest in live mode for what no processor is asked to do yet."""
    if workspace.scope.livemode:
        raise _unsupported(what)


def begin(
    draft: Draft, intent: PaymentIntent, method: PaymentMethod, *, is_new: bool, route: Route
) -> PaymentIntent:
    """Write an open attempt, its hold, and a payment that is processing.

    Raises: InvalidRequest for a payment that is to be captured later.
    """
    if is_manual(intent):
        # Captures, cancellations and expiry of what is held would have to reach the processor too.
        raise _unsupported("To authorize first and capture later")
    if is_new:
        # It is saved to the customer only if it pays.
        draft.put(method, None)
    processing = msgspec.structs.replace(intent, status="processing", payment_method=method.id)
    draft.put(processing, "payment_intent.processing")
    open_attempt(draft, processing, route)
    draft.provisional_until_ms = draft.moment_ms + route.wait_ms
    return processing


def open_attempt(draft: Draft, intent: PaymentIntent, route: Route) -> Attempt:
    """Write an open attempt of a payment with its hold, and return it."""
    assert intent.payment_method is not None
    opened = Attempt(
        id=route.reference,
        created=draft.moment_s,
        operation="authorize",
        payment_intent=intent.id,
        payment_method=intent.payment_method,
        amount=intent.amount,
        currency=intent.currency,
        processor=route.processor,
        captures=not is_manual(intent),
        hold=hold(draft, route.reference, intent.amount, intent.currency),
        held=intent.amount,
        due_at=draft.moment_s + route.inquiry_s,
    )
    draft.put(opened, "attempt.created")
    return opened


def hold(draft: Draft, attempt: str, amount: int, currency: str) -> str:
    """Reserve an amount that is in doubt, and return the hold."""
    return draft.transfer(
        IN_DOUBT,
        debit="processor",
        credit=IN_DOUBT,
        currency=currency,
        amount=amount,
        source_id=attempt,
        phase="hold",
    )


def release(draft: Draft, attempt: Attempt) -> None:
    """End the hold of an attempt: its amount is no longer in doubt."""
    assert attempt.hold is not None
    draft.transfer(
        IN_DOUBT,
        debit="processor",
        credit=IN_DOUBT,
        currency=attempt.currency,
        amount=attempt.held,
        source_id=attempt.id,
        phase="void",
        hold=(attempt.hold, attempt.held),
    )


def _unsupported(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what} is not possible in live mode yet. Nothing was done.",
        code="processor_operation_unsupported",
    )
