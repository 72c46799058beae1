"""What requests for lists may say: which page, which filter, which time."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.params.common import Identifier, Params, Part, Text

PageSize = Annotated[int, Meta(ge=1, le=limits.page_size_max)]


class CreatedRange(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of time, in seconds since 1970."""

    gt: int | UnsetType = UNSET
    gte: int | UnsetType = UNSET
    lt: int | UnsetType = UNSET
    lte: int | UnsetType = UNSET


class ListParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    ending_before: Identifier | UnsetType = UNSET
    limit: PageSize = limits.page_size_default
    starting_after: Identifier | UnsetType = UNSET


class CreatedListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page, and made when."""

    created: CreatedRange | int | UnsetType = UNSET


class PaymentIntentListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment intents, those of one customer."""

    customer: Identifier | UnsetType = UNSET


class ChargeListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Charges, those of one customer or one payment intent."""

    customer: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET


class RefundListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refunds, those of one charge or one payment intent."""

    charge: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET


class CustomerListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Customers, those with one e-mail address, written as it was given."""

    email: Text | UnsetType = UNSET


class CardListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment methods of a customer named by the path."""

    type: Literal["card"] = "card"


class PaymentMethodListParams(CardListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payment methods, those of one customer."""

    customer: Identifier | UnsetType = UNSET


class SearchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search, and which page of what it finds."""

    limit: PageSize = limits.page_size_default
    page: Text | UnsetType = UNSET
    query: Text
