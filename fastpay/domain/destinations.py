"""Payments with a destination: a connected account that the money goes on to.

Each capture passes its money on, in the commit of the capture:

    platform -- transfer: all, or transfer_amount --> destination
    platform <-- application fee, instead of that --- destination

A refund takes nothing back by itself. With `reverse_transfer` it takes back its share of the transfer, and
with `refund_application_fee` it also returns its share of the fee. A dispute debits the platform alone.
"""

import functools
from collections.abc import Sequence

import msgspec

from fastpay.domain import application_fees, funds, ledger, transfers
from fastpay.domain.application_fees import ApplicationFee
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.objects import Charge, PaymentIntent
from fastpay.domain.options import Capture, ChargeExtras, PaymentExtras
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.transfers import AccountTransfer
from fastpay.errors import InvalidRequest

_DESTINATION = "transfer_data[destination]"
_TRANSFER_AMOUNT = "transfer_data[amount]"


class Split(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a capture is split, where the request says so: the platform's fee, or what is passed on."""

    application_fee_amount: int | None = None
    transfer_amount: int | None = None


class Undone(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a refund took back: the charge after that, and the last reversal."""

    charge: Charge
    reversal: str | None = None


AS_AGREED = Split()


def needs(workspace: Workspace, extras: PaymentExtras | ChargeExtras | None, currency: str) -> Sequence[str]:
    """Return the account that a capture of a payment with these options also moves."""
    if extras is None or extras.destination is None:
        return ()
    return (ledger.account_id(workspace.scope, currency, extras.destination),)


def undo_needs(workspace: Workspace, charge_id: str) -> Sequence[str]:
    """Return what is needed to take back what a charge passed on, as far as it is known."""
    charge = workspace.find(charge_id)
    if not isinstance(charge, Charge) or charge.extras is None:
        return ()
    passed = [one for pair in charge.extras.passed_on for one in pair if one is not None]
    return (*needs(workspace, charge.extras, charge.currency), *passed)


def check(workspace: Workspace, intent: PaymentIntent) -> None:
    """Raise NotFound or InvalidRequest if a new payment names accounts that are not there, or a bad split."""
    extras = intent.extras or PaymentExtras()
    if extras.destination is not None:
        workspace.require(ConnectedAccount, extras.destination, param=_DESTINATION)
    if extras.on_behalf_of is not None:
        workspace.require(ConnectedAccount, extras.on_behalf_of, param="on_behalf_of")
    check_split(intent)


def check_split(intent: PaymentIntent) -> None:
    """Raise InvalidRequest if what is split of a payment does not fit it."""
    extras = intent.extras
    if extras is None:
        return
    fee, passed_on = extras.application_fee_amount, extras.transfer_amount
    if extras.destination is None and fee is not None:
        raise InvalidRequest(
            "Can only apply an application_fee_amount when the PaymentIntent is a destination payment "
            f"(using {_DESTINATION}).",
            param="application_fee_amount",
        )
    if extras.destination is None and passed_on is not None:
        raise InvalidRequest(f"Give {_TRANSFER_AMOUNT} with {_DESTINATION}.", param=_TRANSFER_AMOUNT)
    if fee is not None and passed_on is not None:
        raise InvalidRequest(
            f"You may not specify both application_fee_amount and {_TRANSFER_AMOUNT}.", param=_TRANSFER_AMOUNT
        )
    for amount, param in ((fee, "application_fee_amount"), (passed_on, _TRANSFER_AMOUNT)):
        if amount is not None and amount > intent.amount:
            raise InvalidRequest(
                f"The {param} of {amount} is greater than the amount of the payment, {intent.amount}.",
                code="amount_too_large",
                param=param,
            )


def grouped(intent: PaymentIntent) -> PaymentIntent:
    """Return the payment with a group that its transfers are in, if it has a destination."""
    if intent.extras is None or intent.extras.destination is None or intent.transfer_group is not None:
        return intent
    return msgspec.structs.replace(intent, transfer_group=f"group_{intent.id}")


def split(intent: PaymentIntent, charge: Charge, given: Split) -> PaymentIntent:
    """Return the payment as a capture splits it: its amounts are those of all captures together.

    Raises: InvalidRequest.
    """
    passed = [] if charge.extras is None else charge.extras.captures
    fee, passed_on = given.application_fee_amount, given.transfer_amount
    extras = intent.extras or PaymentExtras()
    if fee is not None:
        fee += sum(one.application_fee_amount for one in passed)
        extras = msgspec.structs.replace(extras, application_fee_amount=fee)
    if passed_on is not None:
        passed_on += sum(one.transferred for one in passed)
        extras = msgspec.structs.replace(extras, transfer_amount=passed_on)
    changed = msgspec.structs.replace(intent, extras=extras)
    check_split(changed)
    return changed


def noted(charge: Charge, intent: PaymentIntent) -> Charge:
    """Return the charge of a payment whose split may have changed after it was authorized."""
    if charge.extras is None or charge.extras.destination is None or intent.extras is None:
        return charge
    extras = msgspec.structs.replace(
        charge.extras,
        application_fee_amount=intent.extras.application_fee_amount,
        transfer_amount=intent.extras.transfer_amount,
    )
    return msgspec.structs.replace(charge, extras=extras)


def pass_on(workspace: Workspace, draft: Draft, charge: Charge, amount: int) -> Charge:
    """Transfer what was just captured to the destination, take the fee, and return the charge.

    What is agreed holds for all captures together: each one takes what is left of it, up to its own amount.
    """
    extras = charge.extras
    assert extras is not None
    assert extras.destination is not None
    code = "available" if charge.funds_available else "pending"
    before = extras.captures[:-1]
    sent = amount
    if extras.transfer_amount is not None:
        sent = min(amount, extras.transfer_amount - sum(one.transferred for one in before))
    fee = min(sent, (extras.application_fee_amount or 0) - sum(one.application_fee_amount for one in before))
    transfer = application_fee = None
    if sent > 0:
        transfer = transfers.send(draft, charge, extras.destination, sent, source=code).id
    if fee > 0:
        application_fee = application_fees.collect(
            workspace, draft, charge, extras.destination, fee, target=code
        )
    sent, fee = max(sent, 0), max(fee, 0)
    captures = extras.captures
    if captures:
        last = captures[-1]
        noted_capture = Capture(
            last.balance_transaction, last.amount, last.fee, transfer, sent, application_fee, fee
        )
        captures = (*before, noted_capture)
    extras = msgspec.structs.replace(
        extras,
        captures=captures,
        transfer=transfer or extras.transfer,
        application_fee=application_fee or extras.application_fee,
        transferred=extras.transferred + sent - fee,
    )
    return msgspec.structs.replace(charge, extras=extras)


def undo(
    workspace: Workspace, draft: Draft, charge: Charge, amount: int, *, refund: str, with_fee: bool
) -> Undone:
    """Take back the share of a refund of `amount` in what a charge passed on. The caller writes the charge.

    Shares are of what was captured, rounded so that those of all refunds together are the whole.
    Raises: InvalidRequest, InsufficientFunds if the connected account has not enough.
    """
    pairs = [] if charge.extras is None else charge.extras.passed_on
    if not pairs:
        raise InvalidRequest(
            f"Cannot reverse the transfer of charge {charge.id}: it has no destination.",
            param="reverse_transfer",
        )
    whole = charge.amount_captured
    if len(pairs) > 1 and amount != whole:
        raise InvalidRequest(
            f"Charge {charge.id} was captured in parts, so only a refund of all of it can reverse its "
            "transfers. For a partial refund, reverse them by themselves.",
            param="reverse_transfer",
        )
    share = functools.partial(
        application_fees.share, amount=amount, before=charge.amount_refunded, whole=whole
    )
    target = funds.account_of(workspace, charge)
    returned = taken = 0
    reversal = None
    for transfer_id, fee_id in pairs:
        if fee_id is not None and with_fee:
            fee = workspace.require(ApplicationFee, fee_id)
            part = share(fee.amount, left=application_fees.refundable(fee, None))
            if part:
                # First, so that the connected account has what it gives back.
                application_fees.give_back(draft, fee, part, source=target)
                returned += part
        transfer = workspace.require(AccountTransfer, transfer_id)
        part = share(transfer.amount, left=transfers.reversible(transfer, None))
        if part:
            reversal = transfers.take_back(draft, transfer, part, target=target, source_refund=refund).id
            taken += part
    return Undone(charge=funds.with_transferred(charge, returned - taken), reversal=reversal)
