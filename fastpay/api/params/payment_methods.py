"""What requests about payment methods may say."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api.params.cards import AllowRedisplay, CardParams, PaymentMethodData
from fastpay.api.params.common import (
    AddressParams,
    BillingDetailsParams,
    Email,
    Identifier,
    Metadata,
    Params,
    Part,
    Text,
)


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep a card for later. The fields are those of `PaymentMethodData`."""

    creates: ClassVar[bool] = True

    type: Literal["card"]
    card: CardParams | UnsetType = UNSET
    billing_details: BillingDetailsParams | UnsetType = UNSET
    metadata: Metadata | None = None
    allow_redisplay: AllowRedisplay = "unspecified"

    def data(self) -> PaymentMethodData:
        """Return them."""
        return PaymentMethodData(
            type=self.type,
            card=self.card,
            billing_details=self.billing_details,
            metadata=self.metadata,
            allow_redisplay=self.allow_redisplay,
        )


class CardChanges(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may change of a card."""

    exp_month: int | UnsetType = UNSET
    exp_year: int | UnsetType = UNSET


class BillingDetailsChanges(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may change of who pays; the rest stays as it is."""

    address: AddressParams | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET
    phone: Text | UnsetType | None = UNSET
    tax_id: Text | UnsetType | None = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change what may change."""

    allow_redisplay: AllowRedisplay | UnsetType = UNSET
    billing_details: BillingDetailsChanges | UnsetType = UNSET
    card: CardChanges | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class AttachParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Save a payment method to a customer."""

    customer: Identifier
