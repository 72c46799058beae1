"""Commands on refunds."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import funds, ledger
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Charge, PaymentIntent, Refund, missing
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest, UnexpectedState


class CreateRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Refund a charge, or `amount` of it."""

    charge: str | None = None
    payment_intent: str | None = None
    amount: int | None = None
    reason: str | None = None
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A payment intent that is loaded names the charge."""
        needed = [identifier for identifier in (self.charge, self.payment_intent) if identifier is not None]
        charge_id = self.charge
        if self.payment_intent is not None:
            intent = workspace.find(self.payment_intent)
            if isinstance(intent, PaymentIntent) and intent.latest_charge is not None:
                charge_id = intent.latest_charge
                needed.append(charge_id)
        charge = workspace.find(charge_id) if charge_id is not None else None
        if isinstance(charge, Charge):
            needed.append(funds.balance_id(workspace.scope))
            needed.extend(ledger.account_ids(workspace.scope, charge.currency))
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Transfer the money back and write the refund."""
        charge = self._charge(workspace)
        amount = refundable(charge, self.amount)
        source = funds.account_of(workspace, charge)
        balance = workspace.account(charge.currency, source).balance
        if not workspace.book.rules.refunds_may_overdraw and balance < amount:
            raise InsufficientFunds("Insufficient funds in your balance to refund this amount.")
        refund_id = draft.new_id(Refund.prefix)
        transfer = draft.transfer(
            "refund",
            debit=source,
            credit="processor",
            currency=charge.currency,
            amount=amount,
            source_id=refund_id,
        )
        draft.put(
            Refund(
                id=refund_id,
                created=draft.moment_s,
                amount=amount,
                currency=charge.currency,
                charge=charge.id,
                payment_intent=charge.payment_intent,
                status="succeeded",
                balance_transaction="txn_" + digits(transfer),
                customer=charge.customer,
                metadata=metadata_rules.merge({}, self.metadata),
                payment_method=charge.payment_method,
                reason=self.reason,
            ),
            "refund.created",
        )
        draft.put(
            msgspec.structs.replace(charge, amount_refunded=charge.amount_refunded + amount),
            "charge.refunded",
        )
        return refund_id

    def _charge(self, workspace: Workspace) -> Charge:
        charge_id = self.charge
        if self.payment_intent is not None:
            intent = workspace.find(self.payment_intent)
            if not isinstance(intent, PaymentIntent):
                raise missing(PaymentIntent, self.payment_intent, param="payment_intent")
            if intent.latest_charge is None:
                raise UnexpectedState(
                    f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
                    param="payment_intent",
                )
            if charge_id is not None and charge_id != intent.latest_charge:
                raise InvalidRequest(
                    "The charge does not belong to the payment intent given.", param="charge"
                )
            charge_id = intent.latest_charge
        assert charge_id is not None
        charge = workspace.find(charge_id)
        if not isinstance(charge, Charge):
            raise missing(Charge, charge_id, param="charge")
        return charge


class UpdateRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change a refund's metadata; None clears all of it."""

    id: str
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.id,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed refund."""
        refund = workspace.find(self.id)
        if not isinstance(refund, Refund):
            raise missing(Refund, self.id)
        merged = metadata_rules.merge(refund.metadata, self.metadata)
        draft.put(msgspec.structs.replace(refund, metadata=merged), "refund.updated")
        return refund.id


class CancelRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a refund that requires an action. No refund does: each one succeeds when it is created."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.id,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Raise InvalidRequest."""
        refund = workspace.find(self.id)
        if not isinstance(refund, Refund):
            raise missing(Refund, self.id)
        raise InvalidRequest(
            f"Refund {refund.id} has a status of {refund.status}. Only a refund that requires an "
            "action can be canceled."
        )


def refundable(charge: Charge, amount: int | None) -> int:
    """Return the amount to refund: all that is left if `amount` is None.

    Raises: UnexpectedState, InvalidRequest above the amount that is left.
    """
    if charge.status != "succeeded":
        raise UnexpectedState(
            f"Charge {charge.id} failed, so there is nothing to refund.", code="charge_not_refundable"
        )
    if not charge.captured:
        raise UnexpectedState(
            f"Charge {charge.id} has not been captured. Cancel its payment intent to release the funds.",
            code="charge_not_captured",
        )
    left = charge.amount_captured - charge.amount_refunded
    if left == 0:
        raise InvalidRequest(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise InvalidRequest(
            f"The refund of {amount} is greater than the {left} left to refund on charge {charge.id}.",
            code="amount_too_large",
            param="amount",
        )
    return left if amount is None else amount
