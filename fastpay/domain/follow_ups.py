"""What becomes of captures, voids and refunds of live payments, once their processors have said it.

    requires_capture -> processing, with an open capture -> succeeded, or requires_capture again
    requires_capture -> processing, with an open void    -> canceled, or requires_capture again
    a refund that is pending, with an open refund        -> succeeded -> failed
                                                         -> failed

`processing` has how they begin, and `outcomes` the command that calls this.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import captures, processing, refunds
from fastpay.domain.objects import Charge, PaymentIntent, Refund
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Attempt, Operation, Result
from fastpay.errors import CardDeclined

# What a refund may fail of, in the words of the dialect.
_FAILURES = frozenset(
    (
        "charge_for_pending_refund_disputed",
        "declined",
        "expired_or_canceled_card",
        "insufficient_funds",
        "lost_or_stolen_card",
        "merchant_request",
    )
)
_MESSAGES: Mapping[Operation, str] = {
    "capture": "The payment was not captured. It is still authorized: try again in a little bit.",
    "void": "The payment was not canceled. It is still authorized: try again in a little bit.",
}


def needs(workspace: Workspace, attempt: Attempt) -> Iterable[str]:
    """Return what is needed to end a capture, a void or a refund, as far as it is known."""
    needed = processing.hold_needs(workspace, attempt.currency)
    if attempt.refund is not None:
        return [*needed, *refunds.needs(workspace, attempt.refund)]
    return [*needed, *captures.with_charge(workspace, attempt.payment)]


def end(workspace: Workspace, draft: Draft, attempt: Attempt, result: Result) -> None:
    """Write what a capture, a void or a refund has come to. The caller writes the attempt."""
    if attempt.refund is not None:
        refund = workspace.require(Refund, attempt.refund)
        if result.status == "approved":
            refunds.succeed(draft, refund)
        else:
            refunds.fail(workspace, draft, refund, _failure(result))
        return
    intent = workspace.require(PaymentIntent, attempt.payment)
    charge = captures.latest_charge(workspace, intent)
    if result.status != "approved":
        _leave_authorized(draft, intent, charge, attempt, result)
    elif attempt.operation == "capture":
        captures.post(workspace, draft, intent, charge, amount=attempt.amount)
    else:
        captures.end_authorization(
            workspace, draft, intent, reason=attempt.cancellation_reason, event="charge.refunded"
        )


def may_fail_late(attempt: Attempt, result: Result) -> bool:
    """Tell whether a refund that has succeeded fails after all: cards are closed, and money comes back."""
    return attempt.operation == "refund" and (attempt.status, result.status) == ("approved", "declined")


def authorized_charge(workspace: Workspace, attempt: Attempt) -> Charge | None:
    """Return the charge of a payment if this attempt has authorized it, as far as it is known."""
    intent = workspace.find(attempt.payment)
    if not isinstance(intent, PaymentIntent) or intent.latest_charge is None:
        return None
    charge = workspace.find(intent.latest_charge)
    if not isinstance(charge, Charge) or charge.status != "succeeded" or charge.extras is None:
        return None
    return charge if charge.extras.attempt == attempt.id else None


def _leave_authorized(
    draft: Draft, intent: PaymentIntent, charge: Charge, attempt: Attempt, result: Result
) -> None:
    """Write that nothing was captured or voided, and answer with the error."""
    left = charge.amount - charge.amount_captured
    draft.put(
        msgspec.structs.replace(intent, status="requires_capture", amount_capturable=left),
        "payment_intent.amount_capturable_updated",
    )
    draft.fail(
        CardDeclined(
            result.message or _MESSAGES[attempt.operation],
            code=result.code or "processing_error",
            decline_code=result.decline_code,
        ),
        charge=charge.id,
        payment_intent=intent.id,
    )


def _failure(result: Result) -> str:
    """Return why a refund failed, in the words of the dialect."""
    if result.decline_code in _FAILURES:
        return str(result.decline_code)
    return "declined" if result.status == "declined" else "unknown"
