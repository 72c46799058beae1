"""Payments that a processor carries out: what is written before it is asked.

    requires_confirmation -> processing, with an open attempt -> (see outcomes.py)
    requires_capture      -> processing, with an open capture or void
    succeeded             -> succeeded, with a pending refund and an open attempt for it

A setup intent is processing in the same way, but nothing is held for it (see live_setups.py).

The attempt and a hold of its amount are committed before the call. The hold debits `processor` and credits
`in_doubt`: its balance is the money of which nobody here knows whether it has moved. For a void that is what
may still be reserved. While a capture or a void is open the payment is processing, so that nobody begins
another one. An attempt has an event of its own only where nothing else does that changes with it: clients do
not see it, and each takes a row.
"""

from fastpay import limits
from fastpay._native.structs import replace
from fastpay.domain import ledger
from fastpay.domain.attempts import is_manual
from fastpay.domain.cards import AnswerFault
from fastpay.domain.objects import Charge, PaymentIntent, PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import NO_CURRENCY, Attempt, AttemptTerms, Operation, Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.errors import InvalidRequest, UnexpectedState

IN_DOUBT = "in_doubt"
# The processors of test cards whose answers fail. No operator can give one such a name.
REHEARSED = "test:"


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


def awaits_cardholder(workspace: Workspace, intent: PaymentIntent | SetupIntent) -> bool:
    """Tell whether an intent has an open attempt that waits for its cardholder: see `actions`."""
    return (
        workspace.scope.livemode and intent.status == "requires_action" and intent.challenge_url is not None
    )


def refuse_waiting(draft: Draft, intent: PaymentIntent) -> None:
    """Answer that a payment which waits for its cardholder is not canceled."""
    draft.fail(
        UnexpectedState(
            "This PaymentIntent waits for its cardholder, and its processor has not said that it is "
            "canceled. Try again in a little bit."
        ),
        payment_intent=intent.id,
    )


def begin(
    draft: Draft, intent: PaymentIntent, method: PaymentMethod, *, is_new: bool, route: Route
) -> PaymentIntent:
    """Write an open attempt, its hold, and a payment that is processing."""
    if is_new:
        # It is saved to the customer only if it pays.
        draft.put(method, None)
    processing = replace(intent, status="processing", payment_method=method.id)
    draft.put(processing, "payment_intent.processing")
    open_attempt(draft, processing, route)
    draft.begin(route.reference, route.wait_ms)
    return processing


def rehearsed(draft: Draft, answer: AnswerFault) -> Route:
    """Return the route of a test card to its own processor, whose answer fails in this way."""
    return Route(
        processor=REHEARSED + answer,
        reference=draft.new_id(Attempt.prefix),
        wait_ms=limits.rehearsal_wait_ms,
        inquiry_s=limits.rehearsal_inquiry_s,
    )


def follow_up_needs(workspace: Workspace, charge: Charge) -> list[str]:
    """Return what is needed to follow up a live payment: its authorization, and the accounts of a hold."""
    if charge.extras is None or charge.extras.attempt is None:
        return []
    return [charge.extras.attempt, *hold_needs(workspace, charge.currency)]


def hold_needs(workspace: Workspace, currency: str) -> list[str]:
    """Return the accounts that a hold of what is in doubt moves."""
    return ledger.ids_of(workspace.scope, currency, "processor", IN_DOUBT)


def follow_up(
    workspace: Workspace,
    draft: Draft,
    charge: Charge,
    terms: AttemptTerms | None,
    *,
    operation: Operation,
    amount: int,
    refund: str | None = None,
    cancellation_reason: str | None = None,
) -> None:
    """Write an open attempt of what is done to a live payment, with its hold.

    It goes to the processor that has authorized the payment. Raises: InvalidRequest if that is not known.
    """
    authorized_by = None if charge.extras is None else charge.extras.attempt
    if terms is None or authorized_by is None:
        raise _unsupported(f"This {operation}")
    authorization = workspace.require(Attempt, authorized_by)
    opened = Attempt(
        id=terms.reference,
        created=draft.moment_s,
        operation=operation,
        payment_intent=charge.payment_intent,
        payment_method=charge.payment_method,
        amount=amount,
        currency=charge.currency,
        processor=authorization.processor,
        hold=hold(draft, terms.reference, amount, charge.currency),
        held=amount,
        due_at=draft.moment_s + terms.inquiry_s,
        authorization=authorization.id,
        authorization_id=authorization.processor_id,
        refund=refund,
        cancellation_reason=cancellation_reason,
    )
    draft.put(opened, None)
    if refund is None:
        draft.put(replace(authorization, follow_up=opened.id), None)
    draft.begin(opened.id, terms.wait_ms)


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
        is_saved=route.is_saved,
        is_absent=route.is_absent,
    )
    draft.put(opened, None)
    return opened


def open_setup(draft: Draft, intent: SetupIntent, route: Route) -> None:
    """Write an open attempt to set up a card. No money moves, so that nothing is held."""
    assert intent.payment_method is not None
    opened = Attempt(
        id=route.reference,
        created=draft.moment_s,
        operation="setup",
        payment_intent=None,
        payment_method=intent.payment_method,
        amount=0,
        currency=NO_CURRENCY,
        processor=route.processor,
        due_at=draft.moment_s + route.inquiry_s,
        setup_intent=intent.id,
    )
    draft.put(opened, "attempt.created")
    draft.begin(opened.id, route.wait_ms)


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
