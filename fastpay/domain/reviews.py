"""What a person decides about an attempt that no program can end.

    in doubt                   approved              the payment succeeds
                               declined, not_found   nothing moved: the payment fails
                               compensated           it moved and was given back: the payment fails
    ended as a failure, but    approved              the payment succeeds late, unless it was paid otherwise
    approved later             declined, not_found   it did not move after all
                               compensated           it was given back
    a refund that had failed,  approved              a second refund is booked, unless the charge has nothing
    and was done after all                           left; the failed one stays
    ended as approved, but     approved              it has moved after all
    not so later

Who decided, and when, is in the events, the request log and the audit trail of operators.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from fastpay.domain import outcomes, refunds
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.objects import PaymentIntent, Refund, missing
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.domain.processor_objects import Attempt, Resolution, Result, Review
from fastpay.errors import UnexpectedState

_TAKEN_TWICE = (
    "This payment cannot succeed by that attempt: it is {status}, or its amount has changed. Give the money "
    "back at the processor, and say compensated."
)
_REFUNDED = (
    "This refund cannot be booked: the charge has not that much left, or was charged back. Say declined, and "
    "post the difference when the processor settles it."
)
_SUCCEEDED = (
    "The payment has succeeded by this attempt, and its money is in the books. Say approved, and refund the "
    "payment if the money has not arrived."
)


class ResolveAttempt(OnObject, frozen=True, gc=False, kw_only=True):
    """Write what a person says became of an attempt in review, and why they say so."""

    payment_intent: str
    resolution: Resolution
    note: str
    links: ErrorLinks = NO_LINKS

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load, including those that the payment refers to."""
        return [self.payment_intent, *outcomes.needed(workspace, self.id)]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """End the attempt, and the payment with it. Raises: NotFound, UnexpectedState."""
        workspace.require(PaymentIntent, self.payment_intent)
        attempt = workspace.require(Attempt, self.id, param="attempt")
        if attempt.payment_intent != self.payment_intent:
            raise missing(Attempt, self.id, param="attempt")
        if attempt.status != "review":
            raise UnexpectedState(f"This attempt is {attempt.status}, and not in review.")
        if attempt.operation != "authorize" and self.resolution == "compensated":
            raise UnexpectedState(
                f"Say whether the {attempt.operation} was done. Only a payment is given back."
            )
        review = attempt.review or Review(reason=attempt.reason)
        review = msgspec.structs.replace(review, resolution=self.resolution, note=self.note)
        intent = workspace.require(PaymentIntent, attempt.payment)
        result = _result(attempt, self.resolution)
        resolved = attempt
        if attempt.hold is not None:
            resolved = outcomes.ended(draft, attempt, result)
            outcomes.conclude(workspace, draft, intent, attempt, result, self.links)
            # Nobody asked to pay: the answer is the attempt, however the payment has ended.
            draft.failure = None
        elif review.ended_as == "approved":
            if self.resolution != "approved":
                raise UnexpectedState(_SUCCEEDED)
        elif self.resolution == "approved" and attempt.refund is not None:
            refund = workspace.require(Refund, attempt.refund)
            if not refunds.may_be_done_after_all(workspace, refund):
                raise UnexpectedState(_REFUNDED)
            done = refunds.done_after_all(workspace, draft, refund)
            resolved = msgspec.structs.replace(attempt, refund=done.id)
        elif self.resolution == "approved":
            if not outcomes.may_accept(workspace, intent, attempt):
                raise UnexpectedState(_TAKEN_TWICE.format(status=intent.status))
            paid = msgspec.structs.replace(
                intent, payment_method=attempt.payment_method, last_payment_error=None
            )
            outcomes.conclude(workspace, draft, paid, attempt, result, self.links)
        resolved = msgspec.structs.replace(resolved, status=self.resolution, review=review)
        draft.put(resolved, "attempt.resolved")
        return attempt.id


def _result(attempt: Attempt, resolution: Resolution) -> Result:
    """Return the outcome that the payment gets. What was given back pays nothing."""
    if resolution != "approved":
        status: Literal["declined", "not_found"] = "declined" if resolution == "declined" else "not_found"
        return Result(status=status, reason=attempt.reason)
    return Result(
        status="approved",
        amount=attempt.amount,
        currency=attempt.currency,
        is_captured=attempt.captures,
        reason=attempt.reason,
    )
