"""One attempt to charge a payment method.

The processor of test mode is the table in `cards`. Its answer becomes a charge, a new state of the payment
intent and transfers, all in one draft.
"""

import msgspec

from fastpay.domain import money, payment_methods
from fastpay.domain.cards import BEHAVIOURS, Behaviour
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Charge, PaymentError, PaymentIntent, PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import CardDeclined, InvalidRequest

AUTHORIZATION_VALID_S = 7 * 24 * 3600

_AUTHENTICATION_REQUIRED = (
    "Your card was declined. This transaction requires authentication by the cardholder, who is not there."
)


class Terms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Conditions of an attempt: the cardholder is absent, must not be asked, or has authenticated already."""

    authenticated: bool = False
    off_session: bool = False
    error_on_requires_action: bool = False


def attempt(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    *,
    method: PaymentMethod,
    is_new: bool,
    terms: Terms,
) -> PaymentIntent:
    """Charge the payment method and write everything that follows from it.

    `is_new` means that the payment method came with the request and is not written yet. A decline raises
    nothing: it is written, and the answer is an error. Raises: InvalidRequest if no attempt is possible.
    """
    if workspace.scope.livemode:
        raise InvalidRequest(
            "No processor is configured for live payments, so nothing was charged.",
            code="processor_not_configured",
        )
    check_owner(intent, method)
    behaviour = BEHAVIOURS[method.card.behaviour]
    intent = msgspec.structs.replace(intent, payment_method=method.id, last_payment_error=None)
    asks = _asks_cardholder(behaviour, method, terms)
    if asks and (terms.off_session or terms.error_on_requires_action):
        behaviour = _refused_authentication(behaviour)
    if behaviour.code is not None or asks:
        # A card is saved to the customer only if it paid.
        if is_new:
            draft.put(method, None)
        if behaviour.code is not None:
            return _decline(draft, intent, method, behaviour)
        waiting = msgspec.structs.replace(intent, status="requires_action")
        draft.put(waiting, "payment_intent.requires_action")
        return waiting
    saved = _save(draft, intent, method, is_new=is_new)
    return _succeed(workspace, draft, intent, saved, behaviour)


def fail_authentication(draft: Draft, intent: PaymentIntent) -> PaymentIntent:
    """Write that the cardholder did not authenticate. There is no charge, since nothing was sent."""
    failed = msgspec.structs.replace(
        intent,
        status="requires_payment_method",
        payment_method=None,
        last_payment_error=PaymentError(
            code="payment_intent_authentication_failure",
            message="The payment method could not be authenticated. Try another one.",
            payment_method=intent.payment_method,
            type="invalid_request_error",
        ),
    )
    draft.put(failed, "payment_intent.payment_failed")
    return failed


def capture(workspace: Workspace, draft: Draft, charge: Charge, *, amount: int) -> Charge:
    """Post `amount` of an authorized charge's hold, release the rest, and take the fee.

    The caller writes the returned charge.
    """
    transfer = draft.transfer(
        "capture",
        debit="processor",
        credit="pending",
        currency=charge.currency,
        amount=amount,
        source_id=charge.id,
        phase="posted" if charge.hold is None else "post",
        hold=None if charge.hold is None else (charge.hold, charge.amount),
    )
    rules = workspace.book.rules
    fee = money.fee(amount, basis_points=rules.fee_basis_points, fixed=rules.fee_fixed)
    if fee:
        draft.transfer(
            "fee", debit="pending", credit="fees", currency=charge.currency, amount=fee, source_id=charge.id
        )
    available = rules.funds_delay_days == 0 or BEHAVIOURS[charge.card.behaviour].funds_available
    if available and amount > fee:
        draft.transfer(
            "available",
            debit="pending",
            credit="available",
            currency=charge.currency,
            amount=amount - fee,
            source_id=charge.id,
        )
    return msgspec.structs.replace(
        charge,
        amount_captured=amount,
        balance_transaction="txn_" + digits(transfer),
        captured=True,
        fee=fee,
        funds_available=available,
        funds_delay_days=rules.funds_delay_days,
    )


def release(draft: Draft, charge: Charge) -> Charge:
    """Void the hold of a charge that was never captured. The caller writes the returned charge."""
    assert charge.hold is not None
    draft.transfer(
        "capture",
        debit="processor",
        credit="pending",
        currency=charge.currency,
        amount=charge.amount,
        source_id=charge.id,
        phase="void",
        hold=(charge.hold, charge.amount),
    )
    return msgspec.structs.replace(charge, released=True)


def check_owner(intent: PaymentIntent, method: PaymentMethod) -> None:
    """Raise InvalidRequest if the payment method belongs to another customer than the payment."""
    if method.customer is not None and method.customer != intent.customer:
        raise InvalidRequest(
            f"The payment method {method.id} belongs to a customer. Give that customer in the customer "
            "parameter.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )


def _asks_cardholder(behaviour: Behaviour, method: PaymentMethod, terms: Terms) -> bool:
    if behaviour.needs_authentication is None or terms.authenticated:
        return False
    is_set_up = method.customer is not None
    return not (behaviour.needs_authentication == "unless_set_up" and terms.off_session and is_set_up)


def _save(draft: Draft, intent: PaymentIntent, method: PaymentMethod, *, is_new: bool) -> PaymentMethod:
    """Write a new payment method, and attach it if `setup_future_usage` asks for that."""
    if intent.setup_future_usage is not None and intent.customer is not None and method.customer is None:
        return payment_methods.attach(draft, method, intent.customer)
    if is_new:
        draft.put(method, None)
    return method


def _refused_authentication(behaviour: Behaviour) -> Behaviour:
    return msgspec.structs.replace(
        behaviour,
        code="authentication_required",
        decline_code="authentication_required",
        message=_AUTHENTICATION_REQUIRED,
        reason="authentication_required",
        outcome_type="issuer_declined",
    )


def _charge(draft: Draft, intent: PaymentIntent, method: PaymentMethod, behaviour: Behaviour) -> Charge:
    return Charge(
        id=draft.new_id(Charge.prefix),
        created=draft.moment_s,
        amount=intent.amount,
        currency=intent.currency,
        status="succeeded",
        payment_intent=intent.id,
        payment_method=method.id,
        card=method.card,
        billing_details=method.billing_details,
        customer=intent.customer,
        description=intent.description,
        metadata=intent.metadata,
        outcome_reason=behaviour.reason,
        outcome_type=behaviour.outcome_type,
        receipt_email=intent.receipt_email,
        risk_level=behaviour.risk_level,
        risk_score=behaviour.risk_score,
        shipping=intent.shipping,
        statement_descriptor=intent.statement_descriptor,
        statement_descriptor_suffix=intent.statement_descriptor_suffix,
        transfer_group=intent.transfer_group,
    )


def _decline(
    draft: Draft, intent: PaymentIntent, method: PaymentMethod, behaviour: Behaviour
) -> PaymentIntent:
    assert behaviour.code is not None
    charge = msgspec.structs.replace(
        _charge(draft, intent, method, behaviour),
        status="failed",
        failure_code=behaviour.code,
        failure_message=behaviour.message,
    )
    failed = msgspec.structs.replace(
        intent,
        status="requires_payment_method",
        latest_charge=charge.id,
        payment_method=None,
        last_payment_error=PaymentError(
            code=behaviour.code,
            message=behaviour.message,
            decline_code=behaviour.decline_code,
            param=behaviour.param,
            charge=charge.id,
            payment_method=method.id,
        ),
    )
    draft.put(charge, "charge.failed")
    draft.put(failed, "payment_intent.payment_failed")
    draft.fail(
        CardDeclined(
            behaviour.message, code=behaviour.code, decline_code=behaviour.decline_code, param=behaviour.param
        ),
        charge=charge.id,
        payment_intent=failed.id,
        payment_method=method.id,
    )
    return failed


def _succeed(
    workspace: Workspace, draft: Draft, intent: PaymentIntent, method: PaymentMethod, behaviour: Behaviour
) -> PaymentIntent:
    charge = _charge(draft, intent, method, behaviour)
    if intent.capture_method == "manual":
        hold = draft.transfer(
            "capture",
            debit="processor",
            credit="pending",
            currency=intent.currency,
            amount=intent.amount,
            source_id=charge.id,
            phase="hold",
        )
        held = msgspec.structs.replace(
            charge, hold=hold, capture_before=draft.moment_s + AUTHORIZATION_VALID_S
        )
        authorized = msgspec.structs.replace(
            intent, status="requires_capture", amount_capturable=intent.amount, latest_charge=charge.id
        )
        draft.put(held, "charge.succeeded")
        draft.put(authorized, "payment_intent.amount_capturable_updated")
        return authorized
    captured = capture(workspace, draft, charge, amount=intent.amount)
    paid = msgspec.structs.replace(
        intent, status="succeeded", amount_received=intent.amount, latest_charge=charge.id
    )
    draft.put(captured, "charge.succeeded")
    draft.put(paid, "payment_intent.succeeded")
    return paid
