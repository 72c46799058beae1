"""One attempt to charge a payment method.

The processor of test mode is the table in `cards`. Its answer becomes a charge, a new state of the payment
intent and transfers, all in one draft. A live payment only begins here (see `processing`), and ends in
`outcomes` once its processor has answered.
"""

import msgspec

from fastpay._native.structs import replace
from fastpay.domain import (
    attempts,
    challenges,
    destinations,
    disputes,
    money,
    payment_methods,
    processing,
    prototypes,
    tokens,
)
from fastpay.domain.cards import BEHAVIOURS, Behaviour
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import digits
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import Charge, PaymentError, PaymentIntent, PaymentMethod
from fastpay.domain.options import Capture, ChargeExtras
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.errors import CardDeclined, InvalidRequest

_AUTHENTICATION_REQUIRED = "Your card was declined. This transaction requires authentication."
_ACTION_REQUIRED = (
    "This payment required an authentication action to complete, but `error_on_requires_action` was set."
)


class Terms(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Conditions of an attempt: the cardholder is absent, must not be asked, or has authenticated already.

    `page` is where a cardholder who is asked authenticates (see `challenges.begin`).
    `mandate` is one that exists, `mandate_data` one to be created. `links` say where a decline is explained.
    `route` leads a live payment to its processor; None if none takes it. It `continues` if its processor was
    just asked what the cardholder has done, so that the answer is the payment as it is then.
    """

    authenticated: bool = False
    off_session: bool = False
    error_on_requires_action: bool = False
    page: str | None = None
    mandate: str | None = None
    mandate_data: MandateData | None = None
    links: ErrorLinks = NO_LINKS
    route: Route | None = None
    continues: bool = False


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
    is_live = workspace.scope.livemode
    if is_live and terms.route is None:
        raise processing.not_configured()
    check_owner(intent, method)
    if intent.allow_redirects == "always":
        _require_return_url(intent, terms)
    intent = replace(intent, payment_method=method.id, last_payment_error=None)
    if is_live and terms.route is not None:
        return processing.begin(draft, intent, method, is_new=is_new, route=terms.route)
    behaviour = BEHAVIOURS[method.card.behaviour]
    if behaviour.answer is not None:
        route = processing.rehearsed(draft, behaviour.answer)
        return processing.begin(draft, intent, method, is_new=is_new, route=route)
    extras, asks = None, False
    # Most payments have neither options nor a card that may ask, and take no time for them.
    if behaviour.needs_authentication is not None or terms.authenticated or intent.extras is not None:
        once = attempts.options_of(intent)
        if once.cvc_token is not None:
            method = tokens.recollect_cvc(workspace, draft, method, once.cvc_token)
            if not is_new:
                # The issuer's answer is kept with the card, also if the cardholder authenticates first.
                draft.put(method, None)
        is_absent = terms.off_session or once.is_absent
        asks = not terms.authenticated and attempts.asks_cardholder(
            intent, method, behaviour, is_absent=is_absent
        )
        extras = attempts.charge_extras(intent, method.card, was_challenged=terms.authenticated)
        intent = destinations.grouped(attempts.without_options(intent))
        is_absent = is_absent or once.moto
        if asks and (is_absent or terms.error_on_requires_action):
            behaviour = _refused_authentication(behaviour, is_absent=is_absent)
            asks = False
    if behaviour.code is not None or asks:
        # A card is saved to the customer only if it paid.
        if is_new:
            draft.put(method, None)
        if not asks:
            return decline(draft, intent, method, behaviour, extras, terms)
        waiting = challenges.begin(intent, terms.page)
        draft.put(waiting, "payment_intent.requires_action")
        return waiting
    saved = save(draft, intent, method, is_new=is_new)
    return succeed(workspace, draft, intent, saved, behaviour, extras)


def fail_authentication(draft: Draft, intent: PaymentIntent, links: ErrorLinks) -> PaymentIntent:
    """Write that the cardholder did not authenticate. There is no charge, since nothing was sent."""
    failed = replace(
        intent,
        status="requires_payment_method",
        payment_method=None,
        last_payment_error=links.added_to(
            PaymentError(
                code="payment_intent_authentication_failure",
                message="The payment method could not be authenticated. Try another one.",
                payment_method=intent.payment_method,
                type="invalid_request_error",
            )
        ),
    )
    draft.put(failed, "payment_intent.payment_failed")
    return failed


def capture(
    workspace: Workspace, draft: Draft, charge: Charge, *, amount: int, is_final: bool = True
) -> Charge:
    """Post `amount` of an authorized charge's hold, take the fee, and release the rest if it `is_final`.

    Fees are computed from all that was captured so far, so that several captures cost what one would. The
    first capture says when the money of all becomes available.
    The caller writes the returned charge.
    """
    before = charge.amount_captured
    transfer = draft.transfer(
        "capture",
        debit="processor",
        credit="pending",
        currency=charge.currency,
        amount=amount,
        source_id=charge.id,
        phase="posted" if charge.hold is None else "post",
        hold=None if charge.hold is None else (charge.hold, charge.amount - before),
    )
    rules = workspace.book.rules
    total = before + amount
    fee = money.fee(total, basis_points=rules.fee_basis_points, fixed=rules.fee_fixed) - charge.fee
    if fee > 0:
        draft.transfer(
            "fee", debit="pending", credit="fees", currency=charge.currency, amount=fee, source_id=charge.id
        )
    else:
        # Lower fees than at the first capture return nothing.
        fee = 0
    available, delay_days = charge.funds_available, charge.funds_delay_days
    if before == 0:
        delay_days = rules.funds_delay_days
        available = delay_days == 0 or BEHAVIOURS[charge.card.behaviour].funds_available
    if available and amount > fee:
        draft.transfer(
            "available",
            debit="pending",
            credit="available",
            currency=charge.currency,
            amount=amount - fee,
            source_id=charge.id,
        )
    captured = replace(
        charge,
        amount_captured=total,
        # As `funds.transaction_of` has it: every payment comes here, and a call costs it 369 instructions.
        balance_transaction="txn_" + digits(transfer),
        captured=True,
        fee=charge.fee + fee,
        funds_available=available,
        funds_delay_days=delay_days,
    )
    if not is_final or before > 0:
        made = Capture("txn_" + digits(transfer), amount, fee)
        captured = _note_capture(draft, captured, made, is_final=is_final)
    if captured.extras is not None and captured.extras.destination is not None:
        return destinations.pass_on(workspace, draft, captured, amount)
    return captured


def hold(draft: Draft, charge: Charge, *, amount: int) -> str:
    """Reserve an amount for a charge, and return the hold."""
    return draft.transfer(
        "capture",
        debit="processor",
        credit="pending",
        currency=charge.currency,
        amount=amount,
        source_id=charge.id,
        phase="hold",
    )


def void(draft: Draft, charge: Charge) -> None:
    """End the hold of a charge, with all that is not captured."""
    assert charge.hold is not None
    left = charge.amount - charge.amount_captured
    draft.transfer(
        "capture",
        debit="processor",
        credit="pending",
        currency=charge.currency,
        amount=left,
        source_id=charge.id,
        phase="void",
        hold=(charge.hold, left),
    )


def release(draft: Draft, charge: Charge) -> Charge:
    """Void the hold of a charge that was never captured. The caller writes the returned charge."""
    void(draft, charge)
    return replace(charge, released=True)


def check_owner(intent: PaymentIntent | SetupIntent, method: PaymentMethod) -> None:
    """Raise InvalidRequest if the payment method belongs to another customer than the intent."""
    if method.customer is not None and method.customer != intent.customer:
        raise InvalidRequest(
            f"The payment method {method.id} belongs to a customer. Give that customer in the customer "
            "parameter.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )


def _note_capture(draft: Draft, charge: Charge, capture_: Capture, *, is_final: bool) -> Charge:
    """Return the charge with one more capture. Hold again what is left, unless it was the final one."""
    extras = charge.extras or ChargeExtras()
    left = charge.amount - charge.amount_captured
    return replace(
        charge,
        extras=replace(extras, captures=(*extras.captures, capture_)),
        hold=charge.hold if is_final else hold(draft, charge, amount=left),
    )


def _require_return_url(intent: PaymentIntent, terms: Terms) -> None:
    """Raise InvalidRequest if the payment method may redirect the customer, and there is no way back.

    Only a payment that was created with automatic payment methods has `allow_redirects`.
    """
    is_unneeded = terms.off_session or terms.error_on_requires_action or terms.authenticated
    if intent.return_url is None and not is_unneeded:
        raise InvalidRequest(
            "This PaymentIntent is configured to accept automatic payment methods. Because some of these may "
            "redirect your customer off of your page, you must provide a `return_url`. If you don't want to "
            "accept them, set `automatic_payment_methods[allow_redirects]` to `never`.",
            param="return_url",
        )


def save(draft: Draft, intent: PaymentIntent, method: PaymentMethod, *, is_new: bool) -> PaymentMethod:
    """Write a new payment method, and save it to the customer if the payment asks for that."""
    if intent.customer is not None and (method.customer is None or not method.is_set_up):
        usage = attempts.future_usage(intent)
        if usage is not None:
            return payment_methods.save(draft, method, intent.customer, is_set_up=usage == "off_session")
    if is_new:
        draft.put(method, None)
    return method


def _refused_authentication(behaviour: Behaviour, *, is_absent: bool) -> Behaviour:
    return replace(
        behaviour,
        code="authentication_required",
        decline_code="authentication_required",
        message=_AUTHENTICATION_REQUIRED if is_absent else _ACTION_REQUIRED,
        reason="authentication_required",
        outcome_type="issuer_declined",
    )


def new_charge(
    draft: Draft,
    intent: PaymentIntent,
    method: PaymentMethod,
    behaviour: Behaviour,
    extras: ChargeExtras | None,
) -> Charge:
    """Return the charge of an attempt that succeeds. The caller writes it."""
    # In two steps: for more than 15 keywords CPython makes a dictionary, which costs as much as two charges.
    charge = replace(
        prototypes.CHARGE,
        id=draft.new_id(Charge.prefix),
        created=draft.moment_s,
        amount=intent.amount,
        currency=intent.currency,
        payment_intent=intent.id,
        payment_method=method.id,
        card=method.card,
        billing_details=method.billing_details,
        customer=intent.customer,
        description=intent.description,
        metadata=intent.metadata,
    )
    return replace(
        charge,
        extras=extras,
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


def decline(
    draft: Draft,
    intent: PaymentIntent,
    method: PaymentMethod,
    behaviour: Behaviour,
    extras: ChargeExtras | None,
    terms: Terms,
) -> PaymentIntent:
    """Write a failed charge and a payment that needs another payment method, and answer with the error."""
    assert behaviour.code is not None
    charge = replace(
        new_charge(draft, intent, method, behaviour, extras),
        status="failed",
        failure_code=behaviour.code,
        failure_message=behaviour.message,
    )
    failed = replace(
        intent,
        status="requires_payment_method",
        latest_charge=charge.id,
        payment_method=None,
        last_payment_error=terms.links.added_to(
            PaymentError(
                code=behaviour.code,
                message=behaviour.message,
                decline_code=behaviour.decline_code,
                param=behaviour.param,
                charge=charge.id,
                payment_method=method.id,
            )
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


def succeed(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    method: PaymentMethod,
    behaviour: Behaviour,
    extras: ChargeExtras | None,
) -> PaymentIntent:
    """Write a charge that is captured, or held if the payment is captured by hand."""
    charge = new_charge(draft, intent, method, behaviour, extras)
    if intent.capture_method == "manual" or (intent.extras is not None and attempts.is_manual(intent)):
        held = replace(
            charge,
            hold=hold(draft, charge, amount=intent.amount),
            capture_before=attempts.authorized_until(extras, draft.moment_s),
        )
        authorized = replace(
            intent, status="requires_capture", amount_capturable=intent.amount, latest_charge=charge.id
        )
        draft.put(held, "charge.succeeded")
        draft.put(authorized, "payment_intent.amount_capturable_updated")
        return authorized
    captured = capture(workspace, draft, charge, amount=intent.amount)
    paid = replace(intent, status="succeeded", amount_received=intent.amount, latest_charge=charge.id)
    draft.put(captured, "charge.succeeded")
    if behaviour.dispute_reason is not None:
        disputes.open_by_card(workspace, draft, captured)
    draft.put(paid, "payment_intent.succeeded")
    return paid
