"""What requests about charges may say."""

from typing import Literal

from msgspec import UNSET, UnsetType

from fastpay.api.params.common import (
    Descriptor,
    DescriptorSuffix,
    Email,
    Metadata,
    Params,
    Part,
    ShippingParams,
    Text,
)


class FraudDetails(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the merchant thinks of a payment; null takes it back."""

    user_report: Literal["fraudulent", "safe"] | None


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change what is noted of a charge."""

    description: Text | UnsetType | None = UNSET
    fraud_details: FraudDetails | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    receipt_email: Email | UnsetType | None = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET
    transfer_group: Text | UnsetType | None = UNSET


class CaptureParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take what was authorized."""

    amount: int | UnsetType = UNSET
    receipt_email: Email | UnsetType | None = UNSET
    statement_descriptor: Descriptor | UnsetType | None = UNSET
    statement_descriptor_suffix: DescriptorSuffix | UnsetType | None = UNSET
    transfer_group: Text | UnsetType | None = UNSET
