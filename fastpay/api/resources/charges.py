"""Charges: requests to commands."""

from msgspec import UNSET, UnsetType

from fastpay.api.context import Call
from fastpay.api.params.charges import CaptureParams, UpdateParams
from fastpay.api.params.common import given, shipping, value_or
from fastpay.domain import money
from fastpay.domain.charges import CaptureCharge, UpdateCharge


def update(call: Call, params: UpdateParams) -> UpdateCharge:
    """Change what is noted of a charge."""
    fields = given(params, "description", "receipt_email", "transfer_group")
    if params.shipping is not UNSET:
        fields["shipping"] = None if params.shipping is None else shipping(params.shipping)
    if params.fraud_details is not UNSET:
        fields["fraud_report"] = None if params.fraud_details is None else params.fraud_details.user_report
    return UpdateCharge(
        id=call.arguments["id"],
        fields=fields,
        metadata=value_or(params.metadata, {}),
    )


def capture(call: Call, params: CaptureParams) -> CaptureCharge:
    """Take what was authorized."""
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return CaptureCharge(
        id=call.arguments["id"],
        amount=amount,
        fields=given(
            params, "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group"
        ),
    )
