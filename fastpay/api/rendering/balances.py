"""The balance and its transactions: views of the ledger, in the dialect's shape."""

from collections.abc import Sequence

import msgspec

from fastpay.api.rendering.layout import Field, When, template
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Charge, Refund

_SHOWN_CODES = ("available", "pending")
# What the dialect shows of a balance that nothing ever moved.
_FIRST_CURRENCY = "usd"
_DAY_S = 24 * 3600


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


class BalanceTransaction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a capture or a refund did to the balance: a view of a transfer and what it was for.

    Moments are in seconds.
    """

    id: str
    amount: int
    available_on: int
    created: int
    currency: str
    description: str | None
    fee: int
    has_fee: bool
    net: int
    source: str
    status: str
    type: str


BALANCE_TRANSACTION = template(
    BalanceTransaction,
    {
        "id": Field("id"),
        "object": "balance_transaction",
        "amount": Field("amount"),
        "available_on": Field("available_on"),
        "balance_type": "payments",
        "created": Field("created"),
        "currency": Field("currency"),
        "description": Field("description"),
        "exchange_rate": None,
        "fee": Field("fee"),
        "fee_details": When(
            "has_fee",
            [
                {
                    "amount": Field("fee"),
                    "application": None,
                    "currency": Field("currency"),
                    "description": "Processing fee",
                    "type": "stripe_fee",
                }
            ],
            otherwise=[],
        ),
        "net": Field("net"),
        "reporting_category": Field("type"),
        "source": Field("source"),
        "status": Field("status"),
        "type": Field("type"),
    },
)


def render_balance_transaction(transfer: Transfer, created_s: int, source: Charge | Refund) -> bytes:
    """Return, in JSON, what a capture or a refund did to the balance.

    `created_s` is the moment of the transfer in seconds. The dialect says nothing of the mode here.
    """
    is_charge = isinstance(source, Charge)
    # A refund is paid out of the balance at once.
    is_available, delay_s, fee = True, 0, 0
    if isinstance(source, Charge):
        is_available, fee = source.funds_available, source.fee
        delay_s = 0 if is_available else source.funds_delay_days * _DAY_S
    amount = transfer.amount if is_charge else -transfer.amount
    shown = BalanceTransaction(
        id="txn_" + digits(transfer.id),
        amount=amount,
        available_on=created_s + delay_s,
        created=created_s,
        currency=transfer.currency,
        description=source.description if isinstance(source, Charge) else None,
        fee=fee,
        has_fee=fee != 0,
        net=amount - fee,
        source=source.id,
        status="available" if is_available else "pending",
        type="charge" if is_charge else "refund",
    )
    return BALANCE_TRANSACTION.render(shown, False)


def _funds(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
