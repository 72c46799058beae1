"""Commands on authorized payments: capture, at once or in parts, increment, cancel and expire.

A live payment is captured and voided by its processor: a command only begins that (see `processing`), and
`follow_ups` ends it. Its authorization expires when the processor says so, and by no time of ours.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay import limits
from fastpay.domain import bank_payments, charging, destinations, disputes, ledger, processing
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.cards import DISPUTED, overcapture_max
from fastpay.domain.destinations import AS_AGREED, Split
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.options import ChargeExtras
from fastpay.domain.payment_intents import OPEN, refuse_state, with_extras
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import AttemptTerms, Operation
from fastpay.errors import InvalidRequest, UnexpectedState


class CaptureCommand(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Captures the authorized amount, or `amount` of it, by what the client names.

    `terms` are those of the attempt that captures a live payment.
    """

    id: str
    amount: int | None = None
    split: Split = AS_AGREED
    terms: AttemptTerms | None = None


class CapturePaymentIntent(CaptureCommand, frozen=True, gc=False, kw_only=True):
    """Capture a payment. The rest is released if it `is_final`."""

    is_final: bool = True
    fields: Mapping[str, object] = {}
    extras: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return with_charge(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post the hold."""
        intent = workspace.require(PaymentIntent, self.id)
        if intent.status != "requires_capture":
            refuse_state(draft, intent, "capture")
            return intent.id
        noted = msgspec.structs.replace(
            intent, **self.fields, metadata=metadata_rules.merge(intent.metadata, self.metadata)
        )
        noted = with_extras(noted, self.extras)
        charge = latest_charge(workspace, intent)
        capture(
            workspace,
            draft,
            noted,
            charge,
            self,
            param="amount_to_capture",
            is_final=self.is_final,
        )
        return intent.id


class IncrementAuthorization(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Raise the authorized amount of a payment to `amount`."""

    id: str
    amount: int
    fields: Mapping[str, object] = {}
    extras: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return with_charge(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Replace the hold by a larger one."""
        intent = workspace.require(PaymentIntent, self.id)
        if intent.status != "requires_capture":
            refuse_state(draft, intent, "increment the authorization of")
            return intent.id
        charge = latest_charge(workspace, intent)
        extras = _require_incremental(charge)
        _check_valid(draft, charge)
        if self.amount <= intent.amount:
            raise InvalidRequest(
                f"The authorized amount is {intent.amount} already. Give a larger one.",
                code="amount_too_small",
                param="amount",
            )
        charging.void(draft, charge)
        most = extras.overcapture_max
        held = msgspec.structs.replace(
            charge,
            amount=self.amount,
            extras=msgspec.structs.replace(
                extras,
                increments=extras.increments + 1,
                overcapture_max=None if most is None else overcapture_max(charge.card, self.amount),
            ),
            hold=charging.hold(draft, charge, amount=self.amount),
        )
        raised = msgspec.structs.replace(
            intent,
            **self.fields,
            amount=self.amount,
            amount_capturable=self.amount,
            metadata=metadata_rules.merge(intent.metadata, self.metadata),
        )
        raised = with_extras(raised, self.extras)
        destinations.check_split(raised)
        draft.put(destinations.noted(held, raised), "charge.updated")
        draft.put(raised, "payment_intent.amount_capturable_updated")
        return intent.id


class CancelPaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a payment and release its hold. `terms` are those of the attempt that voids a live payment."""

    id: str
    reason: str | None = None
    terms: AttemptTerms | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. The cash of a payment that waits goes back to its customer."""
        needed = with_charge(workspace, self.id)
        intent = workspace.find(self.id)
        if isinstance(intent, PaymentIntent) and bank_payments.awaited_by(intent) is not None:
            needed += bank_payments.needs(workspace, intent.customer, intent.currency)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Void the hold, if there is one."""
        intent = workspace.require(PaymentIntent, self.id)
        if intent.status not in OPEN and intent.status != "requires_capture":
            refuse_state(draft, intent, "cancel")
            return intent.id
        if processing.awaits_cardholder(workspace, intent):
            processing.refuse_waiting(draft, intent)
        elif intent.status == "requires_capture" and workspace.scope.livemode:
            charge = latest_charge(workspace, intent)
            _ask(
                workspace,
                draft,
                intent,
                charge,
                terms=self.terms,
                operation="void",
                amount=intent.amount_capturable,
                reason=self.reason,
            )
        elif intent.status == "requires_capture":
            end_authorization(workspace, draft, intent, reason=self.reason, event="charge.refunded")
        else:
            if bank_payments.awaited_by(intent) is not None:
                intent = bank_payments.give_back(workspace, draft, intent)
            draft.put(_canceled(intent, draft, self.reason), "payment_intent.canceled")
        return intent.id


class ExpirePaymentIntent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a payment whose authorization has expired. The expiry task sends this command."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return with_charge(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Void the hold. Do nothing if it was captured or released, or is not due."""
        intent = workspace.require(PaymentIntent, self.id)
        if intent.status == "requires_capture":
            charge = latest_charge(workspace, intent)
            if charge.capture_before is not None and draft.moment_s > charge.capture_before:
                end_authorization(workspace, draft, intent, reason="automatic", event="charge.expired")
        return intent.id


def capture(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    charge: Charge,
    asked: CaptureCommand,
    *,
    param: str,
    is_final: bool = True,
) -> None:
    """Post the hold of an authorized payment, or a part of it, and write intent and charge.

    An amount of 0 ends a payment that was captured in part. A capture that is not final leaves the rest
    authorized. The only capture of a payment may take more than is held, if it was authorized for that.
    Raises: InvalidRequest about `param` above this amount, or for a part below the currency's minimum;
    UnexpectedState if the authorization has expired.
    """
    amount = intent.amount_capturable if asked.amount is None else asked.amount
    if amount == 0:
        _finish(draft, intent, charge)
        return
    most = _most_capturable(intent, charge, is_final=is_final)
    if amount > most:
        raise InvalidRequest(
            f"The amount left to capture on this PaymentIntent is {most}, but you tried to capture {amount}.",
            code="amount_too_large",
            param=param,
        )
    if amount < intent.amount_capturable:
        # The whole amount can be captured even if the minimum was raised after the authorization.
        workspace.book.rules.check_minimum(amount, intent.currency, param=param)
    _check_valid(draft, charge)
    if not is_final:
        _require_multicapture(charge)
    is_final = is_final or amount == intent.amount_capturable
    if asked.split != AS_AGREED:
        intent = destinations.split(intent, charge, asked.split)
        charge = destinations.noted(charge, intent)
    if workspace.scope.livemode:
        _ask(workspace, draft, intent, charge, terms=asked.terms, operation="capture", amount=amount)
        return
    if amount > intent.amount_capturable:
        # No hold is posted by more than it holds.
        charging.void(draft, charge)
        charge = msgspec.structs.replace(charge, hold=None)
    post(workspace, draft, intent, charge, amount=amount, is_final=is_final)


def post(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    charge: Charge,
    *,
    amount: int,
    is_final: bool = True,
) -> None:
    """Write that `amount` of an authorized payment was captured."""
    captured = charging.capture(workspace, draft, charge, amount=amount, is_final=is_final)
    draft.put(captured, "charge.captured")
    if captured.card.behaviour in DISPUTED and not charge.captured:
        disputes.open_by_card(workspace, draft, captured)
    received = intent.amount_received + amount
    if is_final:
        _write_succeeded(draft, intent, received)
        return
    partly = msgspec.structs.replace(
        intent, amount_capturable=intent.amount_capturable - amount, amount_received=received
    )
    draft.put(partly, "payment_intent.amount_capturable_updated")


def end_authorization(
    workspace: Workspace, draft: Draft, intent: PaymentIntent, *, reason: str | None, event: str
) -> None:
    """Release the hold. A payment that was captured in part has succeeded with what it received."""
    charge = latest_charge(workspace, intent)
    if charge.captured:
        _finish(draft, intent, charge)
        return
    draft.put(charging.release(draft, charge), event)
    draft.put(_canceled(intent, draft, reason), "payment_intent.canceled")


def _ask(
    workspace: Workspace,
    draft: Draft,
    intent: PaymentIntent,
    charge: Charge,
    *,
    terms: AttemptTerms | None,
    operation: Operation,
    amount: int,
    reason: str | None = None,
) -> None:
    """Leave it to the processor. The payment is processing until that has said what became of it."""
    processing.follow_up(
        workspace,
        draft,
        charge,
        terms,
        operation=operation,
        amount=amount,
        cancellation_reason=reason,
    )
    asked = msgspec.structs.replace(intent, status="processing", amount_capturable=0)
    if charge != latest_charge(workspace, intent):
        draft.put(charge, "charge.updated")
    draft.put(asked, "payment_intent.processing")


def _most_capturable(intent: PaymentIntent, charge: Charge, *, is_final: bool) -> int:
    most = None if charge.extras is None else charge.extras.overcapture_max
    return intent.amount_capturable if most is None or charge.captured or not is_final else most


def _finish(draft: Draft, intent: PaymentIntent, charge: Charge) -> None:
    """Release the rest of a payment that was captured in part. Raises: InvalidRequest if none was."""
    if not charge.captured:
        raise InvalidRequest(
            "Nothing was captured yet. Cancel the payment intent to release the funds.",
            code="amount_too_small",
            param="amount_to_capture",
        )
    charging.void(draft, charge)
    draft.put(charge, "charge.updated")
    _write_succeeded(draft, intent, intent.amount_received)


def _write_succeeded(draft: Draft, intent: PaymentIntent, received: int) -> None:
    succeeded = msgspec.structs.replace(
        intent, status="succeeded", amount_capturable=0, amount_received=received
    )
    draft.put(succeeded, "payment_intent.succeeded")


def _check_valid(draft: Draft, charge: Charge) -> None:
    if charge.capture_before is not None and draft.moment_s > charge.capture_before:
        raise UnexpectedState(
            "The authorization has expired, so it can no longer be captured. Cancel the payment intent.",
            code="charge_expired_for_capture",
        )


def _require_multicapture(charge: Charge) -> None:
    extras = charge.extras or ChargeExtras()
    if not extras.has_multicapture:
        raise InvalidRequest(
            "This payment can be captured only once, so its capture is the final one. For several captures, "
            "confirm it with payment_method_options[card][request_multicapture]=if_available.",
            code="capture_must_be_final",
            param="final_capture",
        )
    # The last one of the maximum must be final.
    if len(extras.captures) + 1 >= limits.captures_max:
        raise InvalidRequest(
            f"A payment has at most {limits.captures_max} captures. Make this one final.",
            code="capture_must_be_final",
            param="final_capture",
        )


def _require_incremental(charge: Charge) -> ChargeExtras:
    extras = charge.extras or ChargeExtras()
    if not extras.has_incremental_authorization:
        raise UnexpectedState(
            "The authorization of this payment cannot be incremented. Confirm the payment with "
            "payment_method_options[card][request_incremental_authorization]=if_available."
        )
    if charge.captured:
        raise UnexpectedState(
            "A part of this payment is captured, so its authorization cannot be incremented."
        )
    if extras.increments >= limits.increments_max:
        raise UnexpectedState(
            f"The authorization of a payment can be incremented {limits.increments_max} times at most."
        )
    return extras


def _canceled(intent: PaymentIntent, draft: Draft, reason: str | None) -> PaymentIntent:
    return msgspec.structs.replace(
        intent,
        status="canceled",
        amount_capturable=0,
        canceled_at=draft.moment_s,
        cancellation_reason=reason,
    )


def with_charge(workspace: Workspace, identifier: str) -> list[str]:
    """Return what a command on an authorized payment needs, as far as it is known."""
    needed = [identifier]
    intent = workspace.find(identifier)
    if isinstance(intent, PaymentIntent):
        needed.extend(ledger.account_ids(workspace.scope, intent.currency))
        needed.extend(destinations.needs(workspace, intent.extras, intent.currency))
        if intent.latest_charge is not None:
            needed.append(intent.latest_charge)
            charge = workspace.find(intent.latest_charge)
            if isinstance(charge, Charge):
                needed.extend(disputes.account_needs(workspace, charge.card.behaviour, intent.currency))
                needed.extend(processing.follow_up_needs(workspace, charge))
    return needed


def latest_charge(workspace: Workspace, intent: PaymentIntent) -> Charge:
    """Return the charge of an authorized payment."""
    charge = workspace.find(intent.latest_charge) if intent.latest_charge is not None else None
    assert isinstance(charge, Charge)
    return charge
