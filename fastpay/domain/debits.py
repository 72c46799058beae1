"""Direct debits: payments that are processing first, and settle or fail later.

    requires_confirmation -> processing -> succeeded
                                        -> requires_payment_method

While a debit is processing, its amount is held. The bank's answer posts or voids the hold. The holder of the
account can dispute a debit that was paid: the money goes back at once, and there is no appeal.
"""

from collections.abc import Iterable

import msgspec

from fastpay.domain import attempts, charging, destinations, disputes, ledger, mandates, processing
from fastpay.domain.bank_accounts import DEBITS, Debit
from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.charging import Terms
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.objects import Charge, PaymentError, PaymentIntent, PaymentMethod
from fastpay.domain.options import ChargeExtras, PaymentExtras
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest

SEPA_DEBIT = "sepa_debit"
_CURRENCY = "eur"
_FAILED = "payment_intent_payment_attempt_failed"


class SettleDebit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Write what the bank says of a debit, if it has said it by now: `delay_s` after it was submitted.

    The periodic work (`engine/expiry.py`) sends this command for every test payment that is processing.
    """

    id: str
    delay_s: int
    links: ErrorLinks = NO_LINKS

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        intent = workspace.find(self.id)
        if not isinstance(intent, PaymentIntent) or intent.latest_charge is None:
            return (self.id,)
        accounts = ledger.account_ids(workspace.scope, intent.currency)
        passed_on = destinations.needs(workspace, intent.extras, intent.currency)
        # Any debit may be disputed at once, which only the charge tells: so the account comes with all.
        disputed = ledger.account_id(workspace.scope, intent.currency, "disputes")
        return (self.id, intent.latest_charge, *accounts, *passed_on, disputed)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Settle or fail the debit. Do nothing if another instance has, or if it is not due."""
        intent = workspace.find(self.id)
        if not isinstance(intent, PaymentIntent) or intent.status != "processing":
            return self.id
        charge = workspace.find(intent.latest_charge or "")
        if not isinstance(charge, Charge) or charge.extras is None or charge.extras.sepa_debit is None:
            return self.id
        debit = DEBITS[charge.extras.sepa_debit.behaviour]
        if draft.moment_s < charge.created + self.delay_s * debit.delay_factor:
            return self.id
        if debit.failure_code is None:
            _settle(workspace, draft, intent, charge, is_disputed=debit.is_disputed)
        else:
            _fail(draft, intent, charge, debit, self.links)
        return self.id


def attempt(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    *,
    method: PaymentMethod,
    is_new: bool,
    terms: Terms,
) -> None:
    """Submit a debit to the bank, and write that the payment is processing.

    Raises: InvalidRequest if the payment cannot be a debit.
    """
    processing.check_processor(workspace)
    charging.check_owner(intent, method)
    _check(intent)
    mandate, is_reusable = _mandate(draft, intent, method, terms)
    if is_reusable:
        method = mandates.remembered(method, mandate)
    saved = charging.save(draft, intent, method, is_new=is_new)
    intent = destinations.grouped(intent)
    kept = intent.extras or PaymentExtras()
    charge = msgspec.structs.replace(
        charging.new_charge(
            draft,
            intent,
            saved,
            BEHAVIOURS[saved.card.behaviour],
            ChargeExtras(
                method=SEPA_DEBIT,
                level3=kept.level3,
                mandate=mandate,
                radar_options=kept.radar_options,
                sepa_debit=saved.sepa_debit,
                application_fee_amount=kept.application_fee_amount,
                destination=kept.destination,
                on_behalf_of=kept.on_behalf_of,
                transfer_amount=kept.transfer_amount,
            ),
        ),
        status="pending",
    )
    held = msgspec.structs.replace(charge, hold=charging.hold(draft, charge, amount=charge.amount))
    submitted = msgspec.structs.replace(
        intent,
        status="processing",
        last_payment_error=None,
        latest_charge=charge.id,
        payment_method=saved.id,
        payment_method_types=_with_type(intent),
    )
    draft.put(held, "charge.pending")
    draft.put(submitted, "payment_intent.processing")


def _check(intent: PaymentIntent) -> None:
    if intent.currency != _CURRENCY:
        raise InvalidRequest(
            f"The currency {intent.currency} is invalid for {SEPA_DEBIT}, which collects {_CURRENCY} only.",
            code="payment_intent_incompatible_payment_method",
            param="currency",
        )
    if intent.capture_method == "manual":
        raise InvalidRequest(
            f"A payment by {SEPA_DEBIT} cannot be captured later. Use capture_method=automatic.",
            code="payment_intent_incompatible_payment_method",
            param="capture_method",
        )


def _with_type(intent: PaymentIntent) -> tuple[str, ...]:
    types = intent.payment_method_types
    return types if SEPA_DEBIT in types else (*types, SEPA_DEBIT)


def _mandate(
    draft: Draft, intent: PaymentIntent, method: PaymentMethod, terms: Terms
) -> tuple[str | None, bool]:
    """Return the mandate of the debit, and whether later debits may use it.

    It is a given one, a new one, or that of an account that was set up before, which may have none.
    Raises: InvalidRequest without any of them.
    """
    if terms.mandate_data is not None:
        data = msgspec.structs.replace(terms.mandate_data, method=SEPA_DEBIT)
        if attempts.future_usage(intent) is None:
            data = msgspec.structs.replace(data, amount=intent.amount, currency=intent.currency)
        return mandates.accept(draft, data, method.id).id, data.amount is None
    if terms.mandate is None and not method.is_set_up:
        raise InvalidRequest(
            f"A payment by {SEPA_DEBIT} needs a mandate. Give the customer's acceptance in mandate_data.",
            code="payment_intent_mandate_invalid",
            param="mandate_data",
        )
    kept = None if method.sepa_debit is None else method.sepa_debit.mandate
    return terms.mandate or kept, False


def _settle(
    workspace: Workspace, draft: Draft, intent: PaymentIntent, charge: Charge, *, is_disputed: bool
) -> None:
    paid = msgspec.structs.replace(charge, status="succeeded")
    captured = charging.capture(workspace, draft, paid, amount=charge.amount)
    draft.put(captured, "charge.succeeded")
    if is_disputed:
        disputes.open_by_debit(workspace, draft, captured)
    draft.put(
        msgspec.structs.replace(intent, status="succeeded", amount_received=charge.amount),
        "payment_intent.succeeded",
    )


def _fail(draft: Draft, intent: PaymentIntent, charge: Charge, debit: Debit, links: ErrorLinks) -> None:
    code = debit.failure_code
    charging.void(draft, charge)
    failed = msgspec.structs.replace(
        charge,
        status="failed",
        failure_code=code,
        failure_message=debit.failure_message,
        outcome_reason=code,
        outcome_type="issuer_declined",
    )
    draft.put(failed, "charge.failed")
    error = PaymentError(
        code=_FAILED,
        message=f"The payment failed: {debit.failure_message}",
        decline_code=code,
        charge=charge.id,
        payment_method=charge.payment_method,
        type="invalid_request_error",
    )
    open_again = msgspec.structs.replace(
        intent,
        status="requires_payment_method",
        payment_method=None,
        last_payment_error=links.added_to(error),
    )
    draft.put(open_again, "payment_intent.payment_failed")
