"""Parameters of setup intents."""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.card_params import PaymentMethodData
from fastpay.api.common_params import Identifier, Metadata, Params, Part, Text, Url
from fastpay.api.intents import AutomaticPaymentMethods
from fastpay.api.list_params import CreatedListParams
from fastpay.api.mandate_params import MandateDataParams, SingleUseParams

FlowDirections = Annotated[tuple[Literal["inbound", "outbound"], ...], Meta(min_length=1, max_length=2)]
PaymentMethodTypes = Annotated[
    tuple[Text, ...], Meta(min_length=1, max_length=limits.payment_method_types_max)
]
Usage = Literal["off_session", "on_session"]


class CardOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for cards."""

    request_three_d_secure: Literal["any", "automatic", "challenge"] | None = None


class PaymentMethodOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options by type of payment method."""

    card: CardOptions | None = None


class _Shared(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that create, update and confirm share."""

    allowed_payment_method_types: PaymentMethodTypes | UnsetType | None = UNSET
    payment_method: Identifier | UnsetType | None = UNSET
    payment_method_data: PaymentMethodData | UnsetType = UNSET
    payment_method_options: PaymentMethodOptions | UnsetType | None = UNSET


class _Described(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that create and update share."""

    attach_to_self: bool | UnsetType = UNSET
    customer: Identifier | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    excluded_payment_method_types: PaymentMethodTypes | UnsetType | None = UNSET
    flow_directions: FlowDirections | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    payment_method_types: PaymentMethodTypes | UnsetType = UNSET


class CreateParams(_Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a setup intent."""

    creates: ClassVar[bool] = True

    automatic_payment_methods: AutomaticPaymentMethods | UnsetType = UNSET
    confirm: bool = False
    confirmation_token: Identifier | UnsetType = UNSET
    mandate_data: MandateDataParams | UnsetType | None = UNSET
    on_behalf_of: Identifier | UnsetType = UNSET
    return_url: Url | UnsetType = UNSET
    single_use: SingleUseParams | UnsetType | None = UNSET
    usage: Usage | UnsetType = UNSET
    use_stripe_sdk: bool = False


class UpdateParams(_Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a setup intent."""


class ConfirmParams(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Confirm a setup intent."""

    client_secret: Text | UnsetType = UNSET
    confirmation_token: Identifier | UnsetType = UNSET
    mandate_data: MandateDataParams | UnsetType | None = UNSET
    return_url: Url | UnsetType = UNSET
    use_stripe_sdk: bool = False


class CancelParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cancel a setup intent."""

    cancellation_reason: Literal["abandoned", "duplicate", "requested_by_customer"] | None = None


class SetupIntentListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Setup intents, those of one customer or one payment method."""

    customer: Identifier | UnsetType = UNSET
    payment_method: Identifier | UnsetType = UNSET


class RetrieveParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retrieve a setup intent."""

    client_secret: Text | UnsetType = UNSET
