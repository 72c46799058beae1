"""Refunds: requests to commands."""

from msgspec import UnsetType

from fastpay.api.context import Call
from fastpay.api.params.common import NoParams, first_metadata, value_or
from fastpay.api.params.refunds import CreateParams, UpdateParams
from fastpay.domain import kinds, money
from fastpay.domain.refunds import CancelRefund, CreateRefund, UpdateRefund
from fastpay.errors import InvalidRequest


def create(call: Call, params: CreateParams) -> CreateRefund:
    """Give money back."""
    charge, payment_intent = value_or(params.charge, None), value_or(params.payment_intent, None)
    if charge is None and payment_intent is None:
        raise InvalidRequest(
            "Say what to refund: give payment_intent or charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    if charge is not None:
        kinds.check(kinds.CHARGE, charge, param="charge")
    if payment_intent is not None:
        kinds.check(kinds.PAYMENT_INTENT, payment_intent, param="payment_intent")
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return CreateRefund(
        charge=charge,
        payment_intent=payment_intent,
        amount=amount,
        reason=params.reason,
        metadata=first_metadata(params.metadata),
    )


def cancel(call: Call, params: NoParams) -> CancelRefund:
    """Take a refund back."""
    return CancelRefund(id=call.arguments["id"])


def update(call: Call, params: UpdateParams) -> UpdateRefund:
    """Change the metadata."""
    return UpdateRefund(id=call.arguments["id"], metadata=value_or(params.metadata, {}))
