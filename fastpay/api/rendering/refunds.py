"""Refunds as the dialect shows them. It says nothing of the mode here."""

from fastpay.api.rendering.layout import Field, template
from fastpay.domain.objects import Refund

REFUND = template(
    Refund,
    {
        "id": Field("id"),
        "object": "refund",
        "amount": Field("amount"),
        "balance_transaction": Field("balance_transaction"),
        "charge": Field("charge"),
        "created": Field("created"),
        "currency": Field("currency"),
        "customer": Field("customer"),
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": Field("metadata"),
        "payment_intent": Field("payment_intent"),
        "payment_method": Field("payment_method"),
        "reason": Field("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": Field("status"),
        "transfer_reversal": None,
    },
)
