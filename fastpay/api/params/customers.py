"""What requests about customers may say."""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.params.common import (
    AddressParams,
    Email,
    Identifier,
    Metadata,
    Name,
    Params,
    Part,
    Phone,
    ShippingParams,
    Text,
)

Balance = Annotated[int, Meta(ge=-limits.balance_max, le=limits.balance_max)]
InvoicePrefix = Annotated[str, Meta(min_length=3, max_length=12, pattern="^[A-Z0-9]+$(?!\\n)")]
Locale = Annotated[str, Meta(min_length=2, max_length=20)]


class InvoiceSettingsParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer's defaults: what is not given stays as it is."""

    default_payment_method: Identifier | UnsetType | None = UNSET
    footer: Text | UnsetType | None = UNSET


class _Fields(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What create and update have in common."""

    address: AddressParams | UnsetType | None = UNSET
    balance: Balance | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    invoice_prefix: InvoicePrefix | UnsetType = UNSET
    invoice_settings: InvoiceSettingsParams | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    next_invoice_sequence: Annotated[int, Meta(ge=1, le=limits.balance_max)] | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    preferred_locales: Annotated[tuple[Locale, ...], Meta(max_length=limits.locales_max)] | UnsetType = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET
    tax_exempt: Literal["none", "exempt", "reverse"] | UnsetType | None = UNSET


class CreateParams(_Fields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Begin to know a customer."""

    creates: ClassVar[bool] = True

    payment_method: Identifier | UnsetType = UNSET


class UpdateParams(_Fields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change what is known."""
