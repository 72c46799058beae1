"""Commands on attempts: what a processor says of them, and who looks at those that it says nothing of.

    open -> approved                                the payment succeeded, or is authorized
         -> declined, refused, not_sent, not_found  nothing moved: the payment failed, or tries the next route
         -> review                                  what was said is not what was ordered: a person decides

What a capture, a void or a refund has come to is in `follow_ups`, and what a setup has in `live_setups`.

The hold of an attempt in review stays, and it may still end as an open one does. An attempt that has ended
never does so again: what contradicts it is noted, as a review without a hold. `reviews.py` has what a person
decides then.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from fastpay._native.structs import replace
from fastpay.domain import (
    attempts,
    captures,
    charging,
    destinations,
    follow_ups,
    ledger,
    live_setups,
    processing,
    refunds,
)
from fastpay.domain.cards import BEHAVIOURS, Behaviour
from fastpay.domain.charging import Terms
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.objects import PaymentIntent, PaymentMethod, Refund
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.domain.processor_objects import Attempt, Operation, Result, Review, Route
from fastpay.errors import UnexpectedState

# After these the processor has done nothing, and another one may be asked.
NOTHING_DONE = frozenset(("refused", "not_sent"))

# A person decides, or has decided, what the processor says about these.
_CLOSED = frozenset(("review", "compensated"))

_FAILED = "An error occurred while processing your card. Try again in a little bit."
_DECLINED = "Your card was declined."


class RecordOutcome(OnObject, frozen=True, gc=False, kw_only=True):
    """Write what a processor says of an attempt, once.

    `next_route` is where the payment goes if the processor has done nothing. `follow_ups` are what a webhook
    about an authorization says of a capture or a void of it. `shown` is the object to answer with, the
    payment if there is none.
    """

    result: Result
    next_route: Route | None = None
    follow_ups: Mapping[Operation, Result] = {}
    shown: str | None = None
    links: ErrorLinks = NO_LINKS

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load, including those that the payment refers to."""
        identifiers = needed(workspace, self.id)
        if self.follow_ups:
            attempt = workspace.find(self.id)
            if isinstance(attempt, Attempt):
                return [*identifiers, *follow_ups.needs(workspace, attempt)]
        return identifiers

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """End the attempt, and the payment with it. Raises: UnexpectedState if it has ended that way."""
        attempt = workspace.require(Attempt, self.id)
        if attempt.setup_intent is not None:
            result = live_setups.usable(self.result)
            live_setups.record(workspace, draft, attempt, result, _behaviour(result), self.links)
            return attempt.setup_intent
        charge = follow_ups.authorized_charge(workspace, attempt) if self.follow_ups else None
        if charge is None:
            self._record(workspace, draft, attempt, self.result)
        else:
            self._record_follow_up(workspace, draft, attempt)
        return self.shown or attempt.payment

    def _record(self, workspace: Workspace, draft: Draft, attempt: Attempt, result: Result) -> None:
        """End an attempt. Raises: UnexpectedState if it has ended that way."""
        if attempt.hold is None:
            if not follow_ups.may_fail_late(attempt, result):
                _contradict(workspace, draft, attempt, result)
                return
            failed = msgspec.structs.replace(attempt, status=result.status, reason=result.reason)
            draft.put(failed, "attempt.updated")
        else:
            fault = _fault(attempt, result)
            if fault is not None:
                _review(draft, attempt, Review(reason=fault), processor_id=result.processor_id)
                return
            draft.put(ended(draft, attempt, result), None)
        intent = workspace.require(PaymentIntent, attempt.payment)
        assert attempt.refund is not None or intent.status in {"processing", "requires_action"}
        # What follows an authorization goes to the processor of that, and to no other one.
        may_go_on = attempt.operation == "authorize" and result.status in NOTHING_DONE
        if self.next_route is not None and may_go_on:
            # The payment stays as it is, and so has no event.
            draft.announce("attempt.updated", attempt.id)
            processing.open_attempt(draft, intent, self.next_route)
            return
        conclude(workspace, draft, intent, attempt, result, self.links)

    def _record_follow_up(self, workspace: Workspace, draft: Draft, authorization: Attempt) -> None:
        """Write what a webhook about an authorization says of its follow-up. Raises: UnexpectedState."""
        intent = workspace.require(PaymentIntent, authorization.payment)
        said = {operation for operation, result in self.follow_ups.items() if result.status == "approved"}
        latest = authorization.follow_up
        if intent.status == "canceled" and "void" in said:
            raise UnexpectedState("It is canceled already.")
        if intent.status == "requires_capture" and "void" in said:
            # It has expired there, or was canceled by somebody else.
            captures.end_authorization(workspace, draft, intent, reason="automatic", event="charge.expired")
        elif intent.status == "requires_capture" and "capture" in said:
            reason = "the processor has captured it, and nobody here asked for that"
            _review(draft, authorization, Review(reason=reason, ended_as="approved"))
        elif latest is not None:
            follow_up = workspace.require(Attempt, latest)
            if follow_up.operation not in self.follow_ups:
                raise UnexpectedState(f"This says nothing of a {follow_up.operation}.")
            self._record(workspace, draft, follow_up, self.follow_ups[follow_up.operation])
        else:
            _contradict(workspace, draft, authorization, self.result)


class ClaimAttempt(OnObject, frozen=True, gc=False, kw_only=True):
    """Take an open attempt that is due, so that only one instance inquires.

    `delays_s` are the times from each inquiry to the next; the last one is repeated.
    """

    delays_s: tuple[int, ...]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Note the inquiry. Raises: UnexpectedState if another instance was faster, or nothing is due."""
        attempt = workspace.require(Attempt, self.id)
        if attempt.due_at is None or attempt.due_at > draft.moment_s:
            raise UnexpectedState("This attempt is not due.")
        delay_s = self.delays_s[min(attempt.inquiries, len(self.delays_s) - 1)]
        claimed = msgspec.structs.replace(
            attempt, inquiries=attempt.inquiries + 1, due_at=draft.moment_s + delay_s
        )
        draft.put(claimed, "attempt.updated")
        return attempt.id


class ReviewAttempt(OnObject, frozen=True, gc=False, kw_only=True):
    """Leave an open attempt to a person: nothing that a program may do tells what became of it."""

    reason: str

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Note it. Raises: UnexpectedState if the attempt is not open."""
        attempt = workspace.require(Attempt, self.id)
        if attempt.status != "open":
            raise UnexpectedState("This attempt is not open.")
        _review(draft, attempt, Review(reason=self.reason))
        return attempt.id


def needed(workspace: Workspace, identifier: str) -> Collection[str]:
    """Return what must be loaded to end an attempt and its payment."""
    objects = workspace.objects
    held = objects.get(identifier)
    attempt = None if held is None else held.object
    if not isinstance(attempt, Attempt):
        return [identifier]
    if attempt.setup_intent is not None:
        return [identifier, *live_setups.needs(workspace, attempt)]
    accounts = ledger.account_ids(workspace.scope, attempt.currency, True)
    paid = objects.get(attempt.payment_intent or "")
    intent = None if paid is None else paid.object
    if isinstance(intent, PaymentIntent):
        is_first = attempt.operation == "authorize" and attempt.follow_up is None
        if is_first and intent.extras is None and attempt.payment_method in objects:
            # The objects are at hand, as a moment after the payment was begun. All these have one tuple.
            return accounts
    identifiers = [identifier, attempt.payment, attempt.payment_method, *accounts]
    if isinstance(intent, PaymentIntent) and intent.extras is not None:
        identifiers += destinations.needs(workspace, intent.extras, intent.currency)
    if attempt.operation != "authorize":
        identifiers += follow_ups.needs(workspace, attempt)
    if attempt.follow_up is not None:
        identifiers.append(attempt.follow_up)
    return identifiers


def ended(draft: Draft, attempt: Attempt, result: Result) -> Attempt:
    """End the hold of an attempt, and return the attempt as it ends. The caller writes it."""
    processing.release(draft, attempt)
    return replace(
        attempt,
        status=result.status,
        hold=None,
        held=0,
        due_at=None,
        processor_id=result.processor_id or attempt.processor_id,
        code=result.code,
        decline_code=result.decline_code,
        reason=result.reason,
    )


def conclude(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    attempt: Attempt,
    result: Result,
    links: ErrorLinks,
) -> None:
    """Write what becomes of the payment: what a test card would do that had this outcome."""
    if attempt.operation != "authorize":
        follow_ups.end(workspace, draft, attempt, result)
        return
    behaviour = _behaviour(result)
    method = workspace.require(PaymentMethod, attempt.payment_method)
    extras = None
    if intent.extras is not None:
        extras = attempts.charge_extras(intent, method.card, was_challenged=False)
        intent = destinations.grouped(attempts.without_options(intent))
    extras = attempts.live_extras(extras, attempt.id)
    if behaviour.code is not None:
        charging.decline(draft, intent, method, behaviour, extras, Terms(links=links))
        return
    saved = charging.save(draft, intent, method, is_new=False)
    charging.succeed(workspace, draft, intent, saved, behaviour, extras)


def may_accept(workspace: Workspace, intent: PaymentIntent, attempt: Attempt) -> bool:
    """Tell whether a payment that has failed may still succeed by the late approval of an attempt.

    A capture or a void may, while the payment is authorized. A refund may, while its charge has that much
    left.
    """
    match attempt.operation:
        case "refund":
            refund = workspace.require(Refund, attempt.refund or "")
            return refunds.may_be_done_after_all(workspace, refund)
        case "capture" | "void":
            return intent.status == "requires_capture" and attempt.amount <= intent.amount_capturable
    return intent.status == "requires_payment_method" and (intent.amount, intent.currency) == (
        attempt.amount,
        attempt.currency,
    )


def _fault(attempt: Attempt, result: Result) -> str | None:
    """Return what is wrong with an approval, None for one of what was ordered."""
    if result.status != "approved":
        return None
    if attempt.operation == "void":
        # It moves nothing, and most processors name no amount.
        return None
    if result.amount != attempt.amount:
        return f"the processor says {result.amount} instead of {attempt.amount}"
    if result.currency != attempt.currency:
        return f"the processor says {result.currency} instead of {attempt.currency}"
    if attempt.operation == "authorize" and result.is_captured != attempt.captures:
        return "the processor captured it" if result.is_captured else "the processor did not capture it"
    return None


def _contradict(workspace: Workspace, draft: Draft, attempt: Attempt, result: Result) -> None:
    """Note that the processor says something else of an attempt that has ended. Raises: UnexpectedState."""
    is_approved = result.status == "approved"
    if is_approved == (attempt.status == "approved") or attempt.status in _CLOSED:
        raise UnexpectedState(f"This attempt has ended: {attempt.status}.")
    proposed: Literal["accept", "refund"] | None = None
    if is_approved:
        intent = workspace.require(PaymentIntent, attempt.payment)
        if _fault(attempt, result) is None and may_accept(workspace, intent, attempt):
            proposed = "accept"
        elif attempt.operation == "authorize":
            proposed = "refund"
    reason = f"it ended as {attempt.status}, and the processor says {result.status} now"
    review = Review(reason=reason, ended_as=attempt.status, proposed=proposed)
    _review(draft, attempt, review, processor_id=result.processor_id)


def _review(draft: Draft, attempt: Attempt, review: Review, *, processor_id: str | None = None) -> None:
    if (attempt.status, attempt.reason) == ("review", review.reason):
        raise UnexpectedState("This attempt is in review for the same reason.")
    noted = msgspec.structs.replace(
        attempt,
        status="review",
        reason=review.reason,
        review=review,
        due_at=None,
        processor_id=processor_id or attempt.processor_id,
    )
    draft.put(noted, "attempt.review_opened")


def _behaviour(result: Result) -> Behaviour:
    """Return what a test card would do that had this outcome."""
    if result.status == "approved":
        return BEHAVIOURS["success"]
    is_declined = result.status == "declined"
    code = result.code or ("card_declined" if is_declined else "processing_error")
    decline_code = result.decline_code or ("generic_decline" if is_declined else "processing_error")
    return Behaviour(
        code=code,
        decline_code=decline_code,
        message=result.message or (_DECLINED if is_declined else _FAILED),
        reason=decline_code,
        outcome_type="issuer_declined" if is_declined else "invalid",
    )
