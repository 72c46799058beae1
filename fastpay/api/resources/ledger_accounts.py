"""Accounts of the ledger: requests to commands."""

from fastpay.api.context import Call
from fastpay.api.params.common import first_metadata
from fastpay.api.params.ledger import CreateAccountParams
from fastpay.domain import money
from fastpay.domain.ledger_accounts import CreateLedgerAccount

_SIDES = {"debit": "D", "credit": "C"}


def create(call: Call, params: CreateAccountParams) -> CreateLedgerAccount:
    """Open an account."""
    return CreateLedgerAccount(
        currency=money.parse_currency(params.currency),
        code=params.code,
        normal_side=_SIDES[params.normal_side],
        min_balance=params.min_balance,
        metadata=first_metadata(params.metadata),
    )
