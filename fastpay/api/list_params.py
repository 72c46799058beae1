"""Parameters that all lists share: which page, and objects made when."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Identifier, Params, Part, Text

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


class SearchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search, and which page of what it finds."""

    limit: PageSize = limits.page_size_default
    page: Text | UnsetType = UNSET
    query: Text
