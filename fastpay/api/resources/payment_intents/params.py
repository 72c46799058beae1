"""Parameters of payment intents."""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.card_params import PaymentMethodData
from fastpay.api.common_params import (
    Descriptor,
    DescriptorSuffix,
    Email,
    Identifier,
    Metadata,
    Params,
    ShippingParams,
    Text,
    TransferGroup,
    Url,
)
from fastpay.api.intents import AutomaticPaymentMethods
from fastpay.api.list_params import CreatedListParams
from fastpay.api.mandate_params import MandateDataParams
from fastpay.api.resources.payment_intents.options import (
    AmountDetails,
    Level3,
    PaymentDetails,
    PaymentMethodOptions,
    RadarOptions,
)
from fastpay.api.transfer_params import SplitAmount, TransferAmount, TransferData

CaptureMethod = Literal["automatic", "automatic_async", "manual"]
SetupFutureUsage = Literal["on_session", "off_session"]
OffSession = bool | Literal["one_off", "recurring"]
PaymentMethodTypes = Annotated[
    tuple[Text, ...], Meta(min_length=1, max_length=limits.payment_method_types_max)
]


class _Shared(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that create, update and confirm share."""

    allowed_payment_method_types: PaymentMethodTypes | UnsetType | None = UNSET
    amount_details: AmountDetails | UnsetType | None = UNSET
    excluded_payment_method_types: PaymentMethodTypes | UnsetType | None = UNSET
    payment_details: PaymentDetails | UnsetType | None = UNSET
    payment_method: Identifier | UnsetType | None = UNSET
    payment_method_data: PaymentMethodData | UnsetType = UNSET
    payment_method_options: PaymentMethodOptions | UnsetType | None = UNSET
    payment_method_types: PaymentMethodTypes | UnsetType = UNSET
    receipt_email: Email | UnsetType | None = UNSET
    setup_future_usage: SetupFutureUsage | UnsetType | None = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET


class _Described(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that create and update share."""

    capture_method: CaptureMethod | UnsetType = UNSET
    application_fee_amount: SplitAmount | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    statement_descriptor: Descriptor | UnsetType | None = UNSET
    statement_descriptor_suffix: DescriptorSuffix | UnsetType | None = UNSET
    transfer_group: TransferGroup | UnsetType | None = UNSET


class CreateParams(_Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a payment intent."""

    creates: ClassVar[bool] = True

    amount: int
    currency: Text
    automatic_payment_methods: AutomaticPaymentMethods | UnsetType = UNSET
    confirm: bool = False
    confirmation_token: Identifier | UnsetType = UNSET
    confirmation_method: Literal["automatic", "manual"] | UnsetType = UNSET
    customer: Identifier | UnsetType = UNSET
    error_on_requires_action: bool | UnsetType = UNSET
    # Without effect.
    fulfillment_date: int | UnsetType = UNSET
    level3: Level3 | UnsetType = UNSET
    mandate: Identifier | UnsetType = UNSET
    mandate_data: MandateDataParams | UnsetType | None = UNSET
    off_session: OffSession | UnsetType = UNSET
    on_behalf_of: Identifier | UnsetType = UNSET
    radar_options: RadarOptions | UnsetType = UNSET
    return_url: Url | UnsetType = UNSET
    transfer_data: TransferData | UnsetType = UNSET
    use_stripe_sdk: bool = False


class UpdateParams(_Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a payment intent."""

    amount: int | UnsetType = UNSET
    currency: Text | UnsetType = UNSET
    customer: Identifier | UnsetType = UNSET
    transfer_data: TransferAmount | UnsetType = UNSET


class ConfirmParams(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Confirm a payment intent."""

    capture_method: CaptureMethod | UnsetType = UNSET
    client_secret: Text | UnsetType = UNSET
    confirmation_token: Identifier | UnsetType = UNSET
    error_on_requires_action: bool | UnsetType = UNSET
    mandate: Identifier | UnsetType = UNSET
    mandate_data: MandateDataParams | UnsetType | None = UNSET
    off_session: OffSession | UnsetType = UNSET
    radar_options: RadarOptions | UnsetType = UNSET
    return_url: Url | UnsetType = UNSET
    use_stripe_sdk: bool = False


class CaptureParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Capture a payment intent. `final_capture=false` leaves the rest authorized, if that was asked for."""

    amount_details: AmountDetails | UnsetType | None = UNSET
    amount_to_capture: int | UnsetType = UNSET
    application_fee_amount: SplitAmount | UnsetType = UNSET
    final_capture: bool = True
    payment_details: PaymentDetails | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    statement_descriptor: Descriptor | UnsetType | None = UNSET
    statement_descriptor_suffix: DescriptorSuffix | UnsetType | None = UNSET
    transfer_data: TransferAmount | UnsetType = UNSET


class IncrementParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raise the authorized amount of a payment intent."""

    amount: int
    amount_details: AmountDetails | UnsetType | None = UNSET
    application_fee_amount: SplitAmount | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    payment_details: PaymentDetails | UnsetType | None = UNSET
    statement_descriptor: Descriptor | UnsetType | None = UNSET
    transfer_data: TransferAmount | UnsetType = UNSET


class ApplyCashParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Apply the customer's cash to a payment intent that waits for a bank transfer."""

    amount: int | UnsetType = UNSET
    currency: Text | UnsetType = UNSET


class CancelParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cancel a payment intent."""

    cancellation_reason: Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"] | None = (
        None
    )


class PaymentIntentListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment intents, those of one customer."""

    customer: Identifier | UnsetType = UNSET


class RetrieveParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retrieve a payment intent."""

    client_secret: Text | UnsetType = UNSET
