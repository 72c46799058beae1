"""Transfers between accounts of the ledger: requests to commands."""

from msgspec import UnsetType

from fastpay.api.context import Call
from fastpay.api.params.common import NoParams, first_metadata, value_or
from fastpay.api.params.ledger import CreateTransferParams, PostTransferParams
from fastpay.domain import kinds, money
from fastpay.domain.ledger_transfers import CreateLedgerTransfer, PostLedgerTransfer, VoidLedgerTransfer
from fastpay.errors import InvalidRequest


def create(call: Call, params: CreateTransferParams) -> CreateLedgerTransfer:
    """Move an amount, or hold it."""
    for name in ("debit_account", "credit_account"):
        kinds.check(kinds.LEDGER_ACCOUNT, getattr(params, name), param=name)
    expires_at = value_or(params.expires_at, None)
    if expires_at is not None and not params.hold:
        raise InvalidRequest("Only a hold expires: give hold=true as well.", param="expires_at")
    return CreateLedgerTransfer(
        debit_account=params.debit_account,
        credit_account=params.credit_account,
        amount=money.check_amount(params.amount),
        is_hold=params.hold,
        expires_at=expires_at,
        metadata=first_metadata(params.metadata),
    )


def post(call: Call, params: PostTransferParams) -> PostLedgerTransfer:
    """Post a hold, or a part of it."""
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return PostLedgerTransfer(id=call.arguments["id"], amount=amount)


def void(call: Call, params: NoParams) -> VoidLedgerTransfer:
    """Give back what a hold reserves."""
    return VoidLedgerTransfer(id=call.arguments["id"])
