"""The balance and its transactions: views of the ledger, in the dialect's shape."""

from collections.abc import Sequence

from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Charge, Refund

_SHOWN_CODES = ("available", "pending")
# What the dialect shows of a balance that nothing ever moved.
_FIRST_CURRENCY = "usd"
_PENDING_S = 2 * 24 * 3600


def render_balance(accounts: Sequence[Account], livemode: bool) -> dict[str, object]:
    """Return the balance over the accounts of one tenant and mode, a line a currency."""
    balances = {
        (account.code, account.currency): account.balance
        for account in accounts
        if account.code in _SHOWN_CODES
    }
    currencies = sorted({currency for _, currency in balances}) or [_FIRST_CURRENCY]
    available, pending = (
        [_funds(balances.get((code, currency), 0), currency) for currency in currencies]
        for code in _SHOWN_CODES
    )
    return {
        "object": "balance",
        "available": available,
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in currencies],
        "livemode": livemode,
        "pending": pending,
    }


def render_balance_transaction(
    transfer: Transfer, created_s: int, source: Charge | Refund, livemode: bool
) -> dict[str, object]:
    """Return what a capture or a refund did to the balance. The dialect says nothing of the mode here.

    `created_s` is the moment of the transfer in seconds.
    """
    if isinstance(source, Charge):
        return _transaction(
            transfer,
            created_s,
            source_id=source.id,
            kind="charge",
            amount=transfer.amount,
            fee=source.fee,
            description=source.description,
            is_available=source.funds_available,
        )
    # A refund is paid out of the balance at once.
    return _transaction(
        transfer,
        created_s,
        source_id=source.id,
        kind="refund",
        amount=-transfer.amount,
        fee=0,
        description=None,
        is_available=True,
    )


def _transaction(
    transfer: Transfer,
    created_s: int,
    *,
    source_id: str,
    kind: str,
    amount: int,
    fee: int,
    description: str | None,
    is_available: bool,
) -> dict[str, object]:
    return {
        "id": "txn_" + digits(transfer.id),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created_s if is_available else created_s + _PENDING_S,
        "balance_type": "payments",
        "created": created_s,
        "currency": transfer.currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": _fee_details(fee, transfer.currency),
        "net": amount - fee,
        "reporting_category": kind,
        "source": source_id,
        "status": "available" if is_available else "pending",
        "type": kind,
    }


def _fee_details(fee: int, currency: str) -> list[dict[str, object]]:
    if not fee:
        return []
    return [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": "Processing fee",
            "type": "stripe_fee",
        }
    ]


def _funds(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
