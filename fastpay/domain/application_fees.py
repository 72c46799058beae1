"""Application fees: what a platform keeps of a payment that it passes on to a connected account.

A fee moves from the connected account to where the money of the charge is, and a refund of it back.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from fastpay import limits
from fastpay.domain import funds, ledger, money
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.objects import Charge, StoredObject, missing
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest


class FeeRefund(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """A part of an application fee that the connected account has back."""

    prefix: ClassVar[str] = "fr"
    noun: ClassVar[str] = "application fee refund"

    amount: int
    currency: str
    fee: str
    balance_transaction: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class ApplicationFee(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a platform took of a charge. `refunds` are the newest of them, as an answer shows them."""

    prefix: ClassVar[str] = "fee"
    noun: ClassVar[str] = "application fee"

    account: str
    amount: int
    application: str
    charge: str
    currency: str
    amount_refunded: int = 0
    balance_transaction: str | None = None
    refunds: tuple[FeeRefund, ...] = ()
    refunds_count: int = 0


class RefundApplicationFee(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Give an amount of a fee back to the connected account, or all that is left of it."""

    id: str
    amount: int | None = None
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded fee names its accounts and its charge."""
        fee = workspace.find(self.id)
        if not isinstance(fee, ApplicationFee):
            return (self.id,)
        own = ledger.ids_of(workspace.scope, fee.currency, "available", "pending", fee.account)
        return (self.id, fee.charge, *own, funds.balance_id(workspace.scope))

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move the money back. Raises: NotFound, InvalidRequest, InsufficientFunds."""
        fee = workspace.require(ApplicationFee, self.id)
        amount = refundable(fee, self.amount)
        charge = workspace.require(Charge, fee.charge)
        source = funds.account_of(workspace, charge)
        if (
            not workspace.book.rules.refunds_may_overdraw
            and draft.account(fee.currency, source).balance < amount
        ):
            raise InsufficientFunds("Insufficient funds in your balance to refund this amount.")
        refund = give_back(draft, fee, amount, source=source, metadata=self.metadata)
        # Nothing that clients see of the charge changes.
        draft.put(funds.with_transferred(charge, amount), "charge.transferred")
        return refund.id


class UpdateFeeRefund(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change the metadata of a refund of a fee; None clears all of it."""

    fee: str
    id: str
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.fee, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed refund, and the fee that shows it. Raises: NotFound."""
        fee = workspace.require(ApplicationFee, self.fee)
        refund = workspace.find(self.id)
        if not isinstance(refund, FeeRefund) or refund.fee != fee.id:
            raise missing(FeeRefund, self.id)
        merged = metadata_rules.merge(refund.metadata, self.metadata)
        changed = msgspec.structs.replace(refund, metadata=merged)
        shown = tuple(changed if one.id == changed.id else one for one in fee.refunds)
        draft.put(changed, "application_fee.refund.updated")
        draft.put(msgspec.structs.replace(fee, refunds=shown), None)
        return changed.id


def collect(
    workspace: Workspace, draft: Draft, charge: Charge, account: str, amount: int, *, target: str
) -> str:
    """Take a fee from the connected account of a charge, write it, and return its identifier.

    `target` is the code of the account that the money of the charge is on.
    """
    identifier = draft.new_id(ApplicationFee.prefix)
    transaction = funds.move(
        draft, "application_fee", charge.currency, amount, debit=account, credit=target, source_id=identifier
    )
    fee = ApplicationFee(
        id=identifier,
        created=draft.moment_s,
        account=account,
        amount=amount,
        # The tenant is its only application.
        application=f"ca_{workspace.scope.tenant_id}",
        balance_transaction=transaction,
        charge=charge.id,
        currency=charge.currency,
    )
    draft.put(fee, "application_fee.created")
    return identifier


def give_back(
    draft: Draft, fee: ApplicationFee, amount: int, *, source: str, metadata: Mapping[str, str] = {}
) -> FeeRefund:
    """Move an amount of a fee from `source` to the connected account, and write fee and refund.

    The caller writes the charge.
    """
    identifier = draft.new_id(FeeRefund.prefix)
    transaction = funds.move(
        draft,
        "application_fee_refund",
        fee.currency,
        amount,
        debit=source,
        credit=fee.account,
        source_id=identifier,
    )
    refund = FeeRefund(
        id=identifier,
        created=draft.moment_s,
        amount=amount,
        currency=fee.currency,
        fee=fee.id,
        balance_transaction=transaction,
        metadata=metadata_rules.merge({}, metadata),
    )
    draft.put(refund, None)
    draft.put(
        msgspec.structs.replace(
            fee,
            amount_refunded=fee.amount_refunded + amount,
            refunds=(refund, *fee.refunds)[: limits.page_size_default],
            refunds_count=fee.refunds_count + 1,
        ),
        "application_fee.refunded",
    )
    return refund


def share(of: int, amount: int, *, before: int, whole: int, left: int) -> int:
    """Return the share of `amount`, which comes after `before` of the `whole`, in something.

    It is rounded so that all shares together are the whole. It is at most `left`.
    """
    return min(of * (before + amount) // whole - of * before // whole, left)


def refundable(fee: ApplicationFee, amount: int | None) -> int:
    """Return the amount to refund. Raises: InvalidRequest above what is left of the fee."""
    left = fee.amount - fee.amount_refunded
    if left == 0:
        raise InvalidRequest(
            f"Application fee {fee.id} has already been refunded.", code="application_fee_already_refunded"
        )
    return money.part_of(
        left, amount, f"The refund of {amount} is greater than the {left} left of application fee {fee.id}."
    )
