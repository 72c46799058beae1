"""Commands on transfers to connected accounts, and on their reversals.

A transfer takes from the available balance. With a `source_transaction` it takes from the money of that
charge, also while that is pending; the charge says how much of it was transferred. The connected account
has the money at once.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from fastpay import limits
from fastpay.domain import application_fees, funds, ledger, money
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.application_fees import ApplicationFee
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.objects import Charge, StoredObject, missing
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest


class TransferReversal(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """Money that a connected account gave back."""

    prefix: ClassVar[str] = "trr"
    noun: ClassVar[str] = "transfer reversal"

    amount: int
    currency: str
    transfer: str
    balance_transaction: str | None = None
    description: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    # The refund of a payment that reversed the transfer with it.
    source_refund: str | None = None


class AccountTransfer(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """Money that went to a connected account. `reversals` are the newest of them, as an answer shows them."""

    prefix: ClassVar[str] = "tr"
    noun: ClassVar[str] = "transfer"

    amount: int
    currency: str
    destination: str
    amount_reversed: int = 0
    balance_transaction: str | None = None
    description: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    reversals: tuple[TransferReversal, ...] = ()
    reversals_count: int = 0
    source_transaction: str | None = None
    source_type: str = "card"
    transfer_group: str | None = None


class CreateTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Transfer an amount, or all that is left of a charge. `fields` are checked fields of
    `AccountTransfer`."""

    currency: str
    destination: str
    amount: int | None = None
    source_transaction: str | None = None
    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        needed = _accounts(workspace, self.currency, self.destination)
        if self.source_transaction is not None:
            needed.append(self.source_transaction)
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move the money. Raises: NotFound, InvalidRequest, InsufficientFunds."""
        workspace.require(ConnectedAccount, self.destination, param="destination")
        source, amount, charge = "available", self.amount, None
        if self.source_transaction is not None:
            charge = _source_charge(workspace, self.source_transaction, self.currency)
            source, amount = funds.account_of(workspace, charge), _transferable(charge, amount)
        assert amount is not None
        if source == "available" and workspace.account(self.currency, source).available < amount:
            raise InsufficientFunds(
                "You have insufficient available funds in your balance for this transfer. Use "
                "pm_card_bypassPending to add to it in test mode.",
                param="amount",
            )
        identifier = draft.new_id(AccountTransfer.prefix)
        transaction = funds.move(
            draft,
            "transfer",
            self.currency,
            amount,
            debit=source,
            credit=self.destination,
            source_id=identifier,
        )
        transfer = AccountTransfer(
            **{
                "id": identifier,
                "created": draft.moment_s,
                "amount": amount,
                "currency": self.currency,
                "destination": self.destination,
                "balance_transaction": transaction,
                "metadata": metadata_rules.merge({}, self.metadata),
                "source_transaction": self.source_transaction,
                "transfer_group": None if charge is None else charge.transfer_group,
                **self.fields,
            }  # type: ignore[arg-type]
        )
        draft.put(transfer, "transfer.created")
        if charge is not None:
            # Nothing that clients see of the charge changes.
            draft.put(funds.with_transferred(charge, amount), "charge.transferred")
        return identifier


class UpdateTransfer(OnObject, frozen=True, gc=False, kw_only=True):
    """Change the description and the metadata of a transfer. `metadata` None clears all of it."""

    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] | None = {}

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed transfer."""
        transfer = workspace.require(AccountTransfer, self.id)
        merged = metadata_rules.merge(transfer.metadata, self.metadata)
        draft.put(msgspec.structs.replace(transfer, **self.fields, metadata=merged), "transfer.updated")
        return transfer.id


class ReverseTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Take back an amount of a transfer, or all that is left of it."""

    id: str
    amount: int | None = None
    description: str | None = None
    metadata: Mapping[str, str] = {}
    refund_application_fee: bool = False

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load. A loaded transfer names its accounts and its charge."""
        transfer = workspace.find(self.id)
        if not isinstance(transfer, AccountTransfer):
            return (self.id,)
        needed = [self.id, *_accounts(workspace, transfer.currency, transfer.destination)]
        if transfer.source_transaction is not None:
            needed.append(transfer.source_transaction)
            if self.refund_application_fee:
                needed.extend(_fee_needs(workspace, transfer))
        return needed

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Move the money back. Raises: NotFound, InvalidRequest, InsufficientFunds."""
        transfer = workspace.require(AccountTransfer, self.id)
        amount = reversible(transfer, self.amount)
        target, charge, returned = "available", None, 0
        if transfer.source_transaction is not None:
            charge = _source_charge(workspace, transfer.source_transaction, transfer.currency)
            target = funds.account_of(workspace, charge)
            if self.refund_application_fee:
                returned = _return_fee(workspace, draft, charge, transfer, amount, source=target)
        reversal = take_back(
            draft,
            transfer,
            amount,
            target=target,
            description=self.description,
            metadata=metadata_rules.merge({}, self.metadata),
        )
        if charge is not None:
            draft.put(funds.with_transferred(charge, returned - amount), "charge.transferred")
        return reversal.id


class UpdateTransferReversal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Change the metadata of a reversal of a transfer; None clears all of it."""

    transfer: str
    id: str
    metadata: Mapping[str, str] | None = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.transfer, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed reversal, and the transfer that shows it. Raises: NotFound."""
        transfer = workspace.require(AccountTransfer, self.transfer)
        reversal = workspace.find(self.id)
        if not isinstance(reversal, TransferReversal) or reversal.transfer != transfer.id:
            raise missing(TransferReversal, self.id)
        changed = msgspec.structs.replace(
            reversal, metadata=metadata_rules.merge(reversal.metadata, self.metadata)
        )
        shown = tuple(changed if one.id == changed.id else one for one in transfer.reversals)
        draft.put(changed, None)
        draft.put(msgspec.structs.replace(transfer, reversals=shown), "transfer.updated")
        return changed.id


def send(draft: Draft, charge: Charge, destination: str, amount: int, *, source: str) -> AccountTransfer:
    """Transfer an amount of a charge to its destination. `source` is the account that its money is on.

    The caller writes the charge.
    """
    identifier = draft.new_id(AccountTransfer.prefix)
    transaction = funds.move(
        draft, "transfer", charge.currency, amount, debit=source, credit=destination, source_id=identifier
    )
    transfer = AccountTransfer(
        id=identifier,
        created=draft.moment_s,
        amount=amount,
        currency=charge.currency,
        destination=destination,
        balance_transaction=transaction,
        source_transaction=charge.id,
        transfer_group=charge.transfer_group,
    )
    draft.put(transfer, "transfer.created")
    return transfer


def take_back(
    draft: Draft, transfer: AccountTransfer, amount: int, *, target: str, **fields: Any
) -> TransferReversal:
    """Move an amount of a transfer back to the account `target`, and write transfer and reversal.

    `fields` are those of the reversal. Any: their values have several types. The caller writes the charge.
    Raises: InsufficientFunds.
    """
    if draft.account(transfer.currency, transfer.destination).available < amount:
        raise InsufficientFunds(
            f"The account {transfer.destination} does not have enough {transfer.currency} to give back.",
            param="amount",
        )
    identifier = draft.new_id(TransferReversal.prefix)
    transaction = funds.move(
        draft,
        "transfer_reversal",
        transfer.currency,
        amount,
        debit=transfer.destination,
        credit=target,
        source_id=identifier,
    )
    reversal = TransferReversal(
        id=identifier,
        created=draft.moment_s,
        amount=amount,
        currency=transfer.currency,
        transfer=transfer.id,
        balance_transaction=transaction,
        **fields,
    )
    draft.put(reversal, None)
    draft.put(
        msgspec.structs.replace(
            transfer,
            amount_reversed=transfer.amount_reversed + amount,
            reversals=(reversal, *transfer.reversals)[: limits.page_size_default],
            reversals_count=transfer.reversals_count + 1,
        ),
        "transfer.reversed",
    )
    return reversal


def _source_charge(workspace: Workspace, identifier: str, currency: str) -> Charge:
    charge = workspace.require(Charge, identifier, param="source_transaction")
    if not charge.captured:
        raise InvalidRequest(
            f"Charge {charge.id} has not been captured, so nothing of it can be transferred.",
            param="source_transaction",
        )
    if charge.currency != currency:
        raise InvalidRequest(
            f"The currency of source_transaction's balance transaction ({charge.currency}) must be the same "
            f"as the transfer currency ({currency}).",
            param="currency",
        )
    return charge


def _fee_needs(workspace: Workspace, transfer: AccountTransfer) -> Iterable[str]:
    charge = workspace.find(transfer.source_transaction or "")
    fee = None if not isinstance(charge, Charge) else _fee_of(charge, transfer)
    return () if fee is None else (fee,)


def _fee_of(charge: Charge, transfer: AccountTransfer) -> str | None:
    """Return the application fee of the payment that a transfer passed on."""
    passed_on = () if charge.extras is None else charge.extras.passed_on
    return next((fee for sent, fee in passed_on if sent == transfer.id), None)


def _return_fee(
    workspace: Workspace, draft: Draft, charge: Charge, transfer: AccountTransfer, amount: int, *, source: str
) -> int:
    """Refund the share of a reversal of `amount` in the application fee, and return it."""
    fee_id = _fee_of(charge, transfer)
    if fee_id is None:
        raise InvalidRequest(
            f"There is no application fee of transfer {transfer.id} to refund.",
            param="refund_application_fee",
        )
    fee = workspace.require(ApplicationFee, fee_id)
    left = application_fees.refundable(fee, None)
    part = application_fees.share(
        fee.amount, amount, before=transfer.amount_reversed, whole=transfer.amount, left=left
    )
    if part:
        application_fees.give_back(draft, fee, part, source=source)
    return part


def _transferable(charge: Charge, amount: int | None) -> int:
    """Return the amount to transfer. Raises: InvalidRequest above what is left of the charge."""
    left = charge.amount_captured - charge.amount_refunded - funds.transferred(charge)
    if left < 1 or (amount is not None and amount > left):
        raise InvalidRequest(
            f"Only {max(left, 0)} of charge {charge.id} are left to transfer.",
            code="amount_too_large",
            param="amount",
        )
    return left if amount is None else amount


def reversible(transfer: AccountTransfer, amount: int | None) -> int:
    """Return the amount to take back. Raises: InvalidRequest above what is left of the transfer."""
    left = transfer.amount - transfer.amount_reversed
    if left == 0:
        raise InvalidRequest(
            f"Transfer {transfer.id} has already been reversed.", code="transfer_already_reversed"
        )
    return money.part_of(
        left, amount, f"The reversal of {amount} is greater than the {left} left of transfer {transfer.id}."
    )


def _accounts(workspace: Workspace, currency: str, destination: str) -> list[str]:
    scope = workspace.scope
    own = ledger.ids_of(scope, currency, "available", "pending")
    return [destination, *own, ledger.account_id(scope, currency, destination), funds.balance_id(scope)]
