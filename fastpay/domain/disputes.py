"""Commands on disputes, and the life cycle that they follow.

    needs_response         -> under_review         -> won, lost
    warning_needs_response -> warning_under_review -> warning_closed
                           -> needs_response, if the inquiry escalates

An inquiry moves no money. Every other dispute withdraws what is disputed from the available balance to the
account `disputes`. From there it returns if the dispute is won, and leaves through the processor if it is
lost. In test mode the evidence decides.

A direct debit is different: the bank returns the money to the holder of the account without asking, so the
dispute is lost as soon as it is there.
"""

from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.domain import enhanced_evidence, funds, ledger
from fastpay.domain.cards import BEHAVIOURS, DISPUTED, NO_CARD
from fastpay.domain.dispute_objects import (
    INQUIRIES,
    OPEN,
    Adjustment,
    Dispute,
)
from fastpay.domain.objects import Charge
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest

_DAY_S = 24 * 3600
# The cardholder's bank waits until the end of this day for a response.
RESPONSE_DAYS = 8
# Why the holder of a bank account disputes a debit.
_NOT_AUTHORIZED = "debit_not_authorized"
# The card network's code for a reason.
_VISA_CODES = {
    "credit_not_processed": "13.7",
    "duplicate": "12.6.1",
    "fraudulent": "10.4",
    "general": "10.4",
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
    "unrecognized": "10.4",
}


class CreateDispute(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Dispute a captured charge, or `amount` of it, as a cardholder would. Only test mode can."""

    charge: str
    amount: int | None = None
    reason: str = "fraudulent"
    case_type: str = "chargeback"

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded charge names its dispute, and that one those before it."""
        return (self.charge, *charge_needs(workspace, self.charge))

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Open the dispute and write the charge."""
        charge = workspace.require(Charge, self.charge)
        if charge.card == NO_CARD and not _is_debit(charge):
            raise InvalidRequest(
                f"Charge {charge.id} is neither a card payment nor a debit, so nobody can dispute it."
            )
        if not charge.captured:
            raise InvalidRequest(
                f"Charge {charge.id} has not been captured, so there is nothing to dispute.",
                code="charge_not_captured",
            )
        earlier = of_charge(workspace, charge)
        if len(earlier) == limits.charge_disputes_max:
            raise InvalidRequest(
                f"Charge {charge.id} has {limits.charge_disputes_max} disputes. It can have no more."
            )
        left = disputable(charge, earlier)
        amount = left if self.amount is None else self.amount
        if amount > left or amount == 0:
            raise InvalidRequest(
                f"Of charge {charge.id} {left} can be disputed: the rest is refunded or disputed.",
                code="amount_too_large",
                param="amount",
            )
        dispute = _open(workspace, draft, charge, amount, (self.reason, self.case_type))
        draft.put(msgspec.structs.replace(charge, dispute=dispute.id), "charge.updated")
        return dispute.id


def open_by_card(workspace: Workspace, draft: Draft, charge: Charge) -> None:
    """Open the disputes that the card of a charge that was just captured brings, and write the charge."""
    behaviour = BEHAVIOURS[charge.card.behaviour]
    assert behaviour.dispute_reason is not None
    terms = behaviour.dispute_reason, behaviour.dispute_case
    left = charge.amount_captured
    for remaining in range(min(behaviour.disputes, left), 0, -1):
        amount = left // remaining
        dispute = _open(workspace, draft, charge, amount, terms)
        charge = msgspec.structs.replace(charge, dispute=dispute.id)
        left -= amount
    draft.put(charge, None)


def open_by_debit(workspace: Workspace, draft: Draft, charge: Charge) -> None:
    """Open the dispute of a direct debit that was just paid, and write the charge."""
    dispute = _open(workspace, draft, charge, charge.amount_captured, (_NOT_AUTHORIZED, "chargeback"))
    draft.put(msgspec.structs.replace(charge, dispute=dispute.id), None)


def charge_needs(workspace: Workspace, charge_id: str) -> Sequence[str]:
    """Return what is needed to dispute or refund a charge: its accounts and disputes, as far as known."""
    charge = workspace.find(charge_id)
    if not isinstance(charge, Charge):
        return ()
    needed = ledger.ids_of(
        workspace.scope, charge.currency, "processor", "pending", "available", "fees", "disputes"
    )
    if charge.dispute is not None:
        needed.append(charge.dispute)
        latest = workspace.find(charge.dispute)
        if isinstance(latest, Dispute):
            needed.extend(latest.earlier)
    return needed


def dispute_needs(workspace: Workspace, identifier: str) -> Sequence[str]:
    """Return what is needed to decide a dispute: it, its charge with all disputes, and the accounts."""
    dispute = workspace.find(identifier)
    if not isinstance(dispute, Dispute):
        return (identifier,)
    return (identifier, dispute.charge, *charge_needs(workspace, dispute.charge))


def account_needs(workspace: Workspace, behaviour: str, currency: str) -> Sequence[str]:
    """Return the account that a capture from a card needs if its payments are disputed."""
    if behaviour not in DISPUTED:
        return ()
    return (ledger.account_id(workspace.scope, currency, "disputes"),)


def of_charge(workspace: Workspace, charge: Charge) -> Sequence[Dispute]:
    """Return all disputes of a charge, the latest one last."""
    if charge.dispute is None:
        return ()
    latest = workspace.require(Dispute, charge.dispute)
    return [*(workspace.require(Dispute, identifier) for identifier in latest.earlier), latest]


def note_refunds(workspace: Workspace, draft: Draft, charge: Charge) -> None:
    """Write whether a charge that is under inquiry can still be refunded, after a change of its refunds."""
    for dispute in of_charge(workspace, charge):
        is_refundable = charge.amount_refunded < charge.amount_captured
        if dispute.status in INQUIRIES and dispute.is_charge_refundable != is_refundable:
            draft.put(
                msgspec.structs.replace(dispute, is_charge_refundable=is_refundable),
                "charge.dispute.updated",
            )


def _open(workspace: Workspace, draft: Draft, charge: Charge, amount: int, terms: tuple[str, str]) -> Dispute:
    """Write a new dispute of `amount`, for a reason and of a case type, and withdraw the money."""
    reason, case_type = terms
    due_by = (draft.moment_s // _DAY_S + RESPONSE_DAYS + 1) * _DAY_S - 1
    dispute = Dispute(
        id=draft.new_id(Dispute.prefix),
        created=draft.moment_s,
        amount=amount,
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status="warning_needs_response",
        reason=reason,
        brand=charge.card.brand,
        case_type=case_type,
        due_by=due_by,
        changes_at=due_by,
        earlier=_earlier(workspace, draft, charge),
        is_charge_refundable=True,
        network_reason_code=_VISA_CODES.get(reason) if charge.card.brand == "visa" else None,
    )
    dispute = enhanced_evidence.begun(dispute, charge)
    if case_type == "inquiry" and not _is_debit(charge):
        draft.put(dispute, "charge.dispute.created")
        return dispute
    withdrawn = withdraw(workspace, draft, dispute)
    if _is_debit(charge):
        withdrawn = lose(draft, msgspec.structs.replace(withdrawn, due_by=0))
    draft.put(withdrawn, "charge.dispute.created")
    draft.announce("charge.dispute.funds_withdrawn", dispute.id)
    if withdrawn.status == "lost":
        draft.announce("charge.dispute.closed", dispute.id)
    return withdrawn


def _is_debit(charge: Charge) -> bool:
    return charge.extras is not None and charge.extras.sepa_debit is not None


def _earlier(workspace: Workspace, draft: Draft, charge: Charge) -> tuple[str, ...]:
    """Return the identifiers of the disputes before a new one. The latest may be of the same draft."""
    if charge.dispute is None:
        return ()
    latest = draft.changed(charge.dispute) or workspace.find(charge.dispute)
    assert isinstance(latest, Dispute)
    return (*latest.earlier, latest.id)


def disputable(charge: Charge, disputes: Sequence[Dispute]) -> int:
    """Return how much of a charge is neither refunded nor disputed, nor lost in a dispute."""
    gone = sum(one.amount for one in disputes if one.status in OPEN or one.status == "lost")
    return max(charge.amount_captured - charge.amount_refunded - gone, 0)


def withdraw(workspace: Workspace, draft: Draft, dispute: Dispute) -> Dispute:
    """Move what is disputed out of the available balance, and take the fee."""
    transfer = _move(draft, dispute, "dispute", debit="available", credit="disputes")
    fee = workspace.book.rules.dispute_fee
    if fee:
        _move(draft, dispute, "dispute_fee", debit="available", credit="fees", amount=fee)
    return msgspec.structs.replace(
        dispute,
        status="needs_response",
        fee=fee,
        is_charge_refundable=False,
        withdrawal=_adjustment(draft, dispute, transfer, amount=-dispute.amount, fee=fee),
    )


def win(draft: Draft, dispute: Dispute) -> Dispute:
    """Move the money back to the available balance, with the fee."""
    transfer = _move(draft, dispute, "dispute_won", debit="disputes", credit="available")
    if dispute.fee:
        _move(draft, dispute, "dispute_fee_returned", debit="fees", credit="available", amount=dispute.fee)
    return msgspec.structs.replace(
        dispute,
        status="won",
        changes_at=None,
        is_charge_refundable=True,
        reinstatement=_adjustment(draft, dispute, transfer, amount=dispute.amount, fee=-dispute.fee),
    )


def lose(draft: Draft, dispute: Dispute) -> Dispute:
    """End a dispute against the merchant: the money goes back to the cardholder. An inquiry just ends."""
    if dispute.status in INQUIRIES:
        return msgspec.structs.replace(dispute, status="warning_closed", changes_at=None)
    _move(draft, dispute, "dispute_lost", debit="disputes", credit="processor")
    return msgspec.structs.replace(dispute, status="lost", changes_at=None, is_charge_refundable=False)


def _move(
    draft: Draft, dispute: Dispute, kind: str, *, debit: str, credit: str, amount: int | None = None
) -> str:
    return draft.transfer(
        kind,
        debit=debit,
        credit=credit,
        currency=dispute.currency,
        amount=dispute.amount if amount is None else amount,
        source_id=dispute.id,
    )


def _adjustment(draft: Draft, dispute: Dispute, transfer: str, *, amount: int, fee: int) -> Adjustment:
    is_withdrawal = amount < 0
    return Adjustment(
        id=funds.transaction_of(transfer),
        created=draft.moment_s,
        currency=dispute.currency,
        amount=amount,
        fee=fee,
        net=amount - fee,
        has_fee=fee != 0,
        reporting_category="dispute" if is_withdrawal else "dispute_reversal",
        description=f"Chargeback {'withdrawal' if is_withdrawal else 'reversal'} for {dispute.charge}",
        source=dispute.id,
    )
