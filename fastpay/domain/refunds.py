"""Commands on refunds, and the life cycle that they follow.

    succeeded                            -> failed
    pending, requires_action -> succeeded, failed, canceled

The money leaves the balance with the refund, and comes back if the refund fails or is canceled. Refunds
without a charge are made in `cash_returns.py`, and follow the same life cycle. One of a live payment is
pending while its processor has not said what became of it (see `processing` and `follow_ups`).
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import bank_payments, cash_returns, destinations, disputes, funds, money, processing
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.cards import BEHAVIOURS, RefundOutcome
from fastpay.domain.cash_objects import CASH
from fastpay.domain.debits import SEPA_DEBIT
from fastpay.domain.destinations import Undone
from fastpay.domain.dispute_objects import CHARGED_BACK
from fastpay.domain.objects import Charge, PaymentIntent, Refund
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.domain.processor_objects import AttemptTerms
from fastpay.errors import InsufficientFunds, InvalidRequest, UnexpectedState

_STATUSES: Mapping[RefundOutcome, str] = {
    "succeed": "succeeded",
    "fail": "succeeded",
    "pending": "pending",
    "require_action": "requires_action",
}
# Where a refund goes to, by the type of the payment method. A debit is returned by a bank transfer.
_DESTINATIONS = {"card": "card", CASH: "customer_cash_balance", SEPA_DEBIT: "eu_bank_transfer"}
# The outcomes that come later than the refund.
_CHANGING = frozenset(("fail", "pending"))


class CreateRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Refund a charge, or `amount` of it."""

    charge: str | None = None
    payment_intent: str | None = None
    amount: int | None = None
    reason: str | None = None
    metadata: Mapping[str, str] = {}
    instructions_email: str | None = None
    # In test mode, how long it takes until a refund changes by itself.
    delay_s: int = 0
    # Whether the connected account gives its share back, and gets its share of the application fee.
    reverse_transfer: bool = False
    refund_application_fee: bool = False
    # Those of the attempt that refunds a live payment.
    terms: AttemptTerms | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A payment intent that is loaded names the charge."""
        needed = [identifier for identifier in (self.charge, self.payment_intent) if identifier is not None]
        charge_id = self.charge
        if self.payment_intent is not None:
            intent = workspace.find(self.payment_intent)
            if isinstance(intent, PaymentIntent) and intent.latest_charge is not None:
                charge_id = intent.latest_charge
                needed.append(charge_id)
                if intent.customer is not None and CASH in intent.payment_method_types:
                    # One round earlier than by the charge: what waits for the customer's cash takes two more.
                    needed.append(intent.customer)
        if charge_id is not None:
            needed.append(funds.balance_id(workspace.scope))
            needed.extend(disputes.charge_needs(workspace, charge_id))
            if self.reverse_transfer:
                needed.extend(destinations.undo_needs(workspace, charge_id))
            charge = workspace.find(charge_id)
            if isinstance(charge, Charge):
                needed.extend(bank_payments.refund_needs(workspace, charge))
                needed.extend(processing.follow_up_needs(workspace, charge))
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Transfer the money back and write the refund."""
        charge = self._charge(workspace)
        if _is_charged_back(workspace, charge):
            raise InvalidRequest(
                f"Charge {charge.id} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        amount = refundable(charge, self.amount)
        is_live = workspace.scope.livemode
        outcome = BEHAVIOURS[charge.card.behaviour].refunds
        source = funds.account_of(workspace, charge)
        refund_id = draft.new_id(Refund.prefix)
        undone = Undone(charge=charge)
        if self.reverse_transfer:
            undone = destinations.undo(
                workspace, draft, charge, amount, refund=refund_id, with_fee=self.refund_application_fee
            )
        balance = draft.account(charge.currency, source).balance
        if not workspace.book.rules.refunds_may_overdraw and balance < amount:
            raise InsufficientFunds("Insufficient funds in your balance to refund this amount.")
        transaction = funds.move(
            draft, "refund", charge.currency, amount, debit=source, credit="processor", source_id=refund_id
        )
        is_cash = bank_payments.is_paid_by_cash(charge)
        draft.put(
            Refund(
                id=refund_id,
                created=draft.moment_s,
                amount=amount,
                currency=charge.currency,
                charge=charge.id,
                payment_intent=charge.payment_intent,
                status="pending" if is_live else _STATUSES[outcome],
                balance_transaction=transaction,
                changes_at=draft.moment_s + self.delay_s if outcome in _CHANGING else None,
                expires_at=draft.moment_s + cash_returns.ACTION_VALID_S
                if outcome == "require_action"
                else None,
                customer=charge.customer,
                instructions_email=self.instructions_email,
                metadata=metadata_rules.merge({}, self.metadata),
                payment_method=charge.payment_method,
                reason=self.reason,
                transfer_reversal=undone.reversal,
                destination=_DESTINATIONS[charge.extras.method if charge.extras is not None else "card"],
            ),
            "refund.created",
        )
        refunded = msgspec.structs.replace(undone.charge, amount_refunded=charge.amount_refunded + amount)
        draft.put(refunded, "charge.refunded")
        disputes.note_refunds(workspace, draft, refunded)
        if is_cash:
            bank_payments.refund(workspace, draft, charge, amount, refund_id)
        if is_live:
            processing.follow_up(
                workspace, draft, charge, self.terms, operation="refund", amount=amount, refund=refund_id
            )
        return refund_id

    def _charge(self, workspace: Workspace) -> Charge:
        charge_id = self.charge
        if self.payment_intent is not None:
            intent = workspace.require(PaymentIntent, self.payment_intent, param="payment_intent")
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
        return workspace.require(Charge, charge_id, param="charge")


class UpdateRefund(OnObject, frozen=True, gc=False, kw_only=True):
    """Change a refund's metadata; None clears all of it."""

    metadata: Mapping[str, str] | None = {}

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed refund."""
        refund = workspace.require(Refund, self.id)
        merged = metadata_rules.merge(refund.metadata, self.metadata)
        _put_updated(draft, msgspec.structs.replace(refund, metadata=merged))
        return refund.id


class CancelRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a refund that requires an action of the cardholder."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Take the money back. Raises: InvalidRequest."""
        refund = _require_action(workspace, self.id, "be canceled")
        _take_back(workspace, draft, refund)
        _put_updated(draft, msgspec.structs.replace(refund, status="canceled"))
        return refund.id


class ExpireRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Fail a refund that requires an action, since the cardholder did not act. Only test mode can."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Take the money back. Raises: InvalidRequest."""
        refund = _require_action(workspace, self.id, "expire")
        fail(workspace, draft, refund, "unknown")
        return refund.id


class SettleRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Let a refund of test mode succeed or fail when it is due. The expiry task sends this command."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the refund. Do nothing if it was settled before, or is not due."""
        refund = workspace.require(Refund, self.id)
        if refund.changes_at is None or draft.moment_s < refund.changes_at:
            return refund.id
        if refund.status == "succeeded":
            fail(workspace, draft, refund, "expired_or_canceled_card")
        elif refund.charge is not None and _is_charged_back(workspace, _charge_of(workspace, refund)):
            fail(workspace, draft, refund, "charge_for_pending_refund_disputed")
        else:
            succeed(draft, refund)
        return refund.id


def succeed(draft: Draft, refund: Refund) -> None:
    """Write that a refund has arrived."""
    _put_updated(draft, msgspec.structs.replace(refund, status="succeeded", changes_at=None))


def may_be_done_after_all(workspace: Workspace, refund: Refund) -> bool:
    """Tell whether a refund that has failed can be booked: its charge has that much left."""
    if refund.charge is None:
        return False
    charge = _charge_of(workspace, refund)
    fits = charge.amount_refunded + refund.amount <= charge.amount_captured
    return fits and refund.status == "failed" and not _is_charged_back(workspace, charge)


def done_after_all(workspace: Workspace, draft: Draft, failed: Refund) -> Refund:
    """Write a refund that was held for failed and has happened, and return it.

    The failed one stays: its money came back. The balance may fall below zero, since the money has left.
    """
    charge = _charge_of(workspace, failed)
    refund_id = draft.new_id(Refund.prefix)
    transaction = funds.move(
        draft,
        "refund",
        failed.currency,
        failed.amount,
        debit=funds.account_of(workspace, charge),
        credit="processor",
        source_id=refund_id,
    )
    done = msgspec.structs.replace(
        failed,
        id=refund_id,
        created=draft.moment_s,
        status="succeeded",
        balance_transaction=transaction,
        failure_balance_transaction=None,
        failure_reason=None,
        transfer_reversal=None,
    )
    draft.put(done, "refund.created")
    refunded = msgspec.structs.replace(charge, amount_refunded=charge.amount_refunded + failed.amount)
    draft.put(refunded, "charge.refunded")
    disputes.note_refunds(workspace, draft, refunded)
    return done


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
    return money.part_of(
        left,
        amount,
        f"The refund of {amount} is greater than the {left} left to refund on charge {charge.id}.",
    )


def needs(workspace: Workspace, identifier: str) -> Iterable[str]:
    """Return what is needed to change a refund, as far as it is known."""
    refund = workspace.find(identifier)
    if not isinstance(refund, Refund):
        return (identifier,)
    if refund.charge is None:
        return (identifier, *cash_returns.needs(workspace, refund))
    balance = funds.balance_id(workspace.scope)
    return (identifier, refund.charge, balance, *disputes.charge_needs(workspace, refund.charge))


def _require_action(workspace: Workspace, identifier: str, verb: str) -> Refund:
    refund = workspace.require(Refund, identifier)
    if refund.status != "requires_action":
        raise InvalidRequest(
            f"Refund {refund.id} has a status of {refund.status}. Only a refund that requires an action can "
            f"{verb}."
        )
    return refund


def _charge_of(workspace: Workspace, refund: Refund) -> Charge:
    charge = workspace.find(refund.charge or "")
    assert isinstance(charge, Charge)
    return charge


def _is_charged_back(workspace: Workspace, charge: Charge) -> bool:
    return any(dispute.status in CHARGED_BACK for dispute in disputes.of_charge(workspace, charge))


def fail(workspace: Workspace, draft: Draft, refund: Refund, reason: str) -> None:
    """Write that a refund failed, and take its money back."""
    transaction = _take_back(workspace, draft, refund)
    _put_updated(
        draft,
        msgspec.structs.replace(
            refund,
            status="failed",
            changes_at=None,
            failure_balance_transaction=transaction,
            failure_reason=reason,
        ),
    )
    draft.announce("refund.failed", refund.id)


def _take_back(workspace: Workspace, draft: Draft, refund: Refund) -> str | None:
    """Move the money of a refund back to where the charge's money is, and write the charge.

    Return the balance transaction. There is none for cash, which goes back to the customer's balance.
    """
    if refund.charge is None:
        cash_returns.take_back(workspace, draft, refund)
        return None
    charge = _charge_of(workspace, refund)
    transaction = funds.move(
        draft,
        "refund_failure",
        refund.currency,
        refund.amount,
        debit="processor",
        credit=funds.account_of(workspace, charge),
        source_id=refund.id,
    )
    left = msgspec.structs.replace(charge, amount_refunded=charge.amount_refunded - refund.amount)
    draft.put(left, "charge.updated")
    disputes.note_refunds(workspace, draft, left)
    return transaction


def _put_updated(draft: Draft, refund: Refund) -> None:
    """Write a changed refund. The dialect has two types for this, an older one of charges and a newer one."""
    if refund.charge is None:
        draft.put(refund, "refund.updated")
        return
    draft.put(refund, "charge.refund.updated")
    draft.announce("refund.updated", refund.id)
