"""What requests about refunds may say."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api.params.common import Identifier, Metadata, Params


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give money back."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    charge: Identifier | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    payment_intent: Identifier | UnsetType = UNSET
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change the metadata."""

    metadata: Metadata | UnsetType | None = UNSET
