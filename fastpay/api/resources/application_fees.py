"""Application fees, and their refunds."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypedDict

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import answers
from fastpay.api.common_params import (
    Identifier,
    Metadata,
    MetadataParams,
    NoParams,
    Params,
    first_metadata,
    value_or,
)
from fastpay.api.context import Call
from fastpay.api.envelopes import render_list
from fastpay.api.layout import Field, Mode, Page, Same, Shape, Slot, fields, template
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, Owner, RetrieveBelow
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Encoding, Included, Reference, Resource, Snapshot
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.application_fees import ApplicationFee, RefundApplicationFee, UpdateFeeRefund


class RefundParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a fee back, or a part of it."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class ApplicationFeeListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Application fees, those of one charge."""

    charge: Identifier | UnsetType = UNSET


class _Application(TypedDict):
    id: str
    object: Literal["application"]
    name: str | None


async def _load(snapshot: Snapshot, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
    """Return the application of the tenant, if it is asked for."""
    own = kinds.application_of(snapshot.scope)
    return {own: {"id": own, "object": "application", "name": None}} if own in identifiers else {}


APPLICATION = Resource(kinds.APPLICATION, load=_load, struct=_Application)

# The dialect has no `livemode` here.
_REFUND_SHAPE: Shape = {
    "id": Field("id"),
    "object": "fee_refund",
    **fields("amount", "balance_transaction", "created", "currency", "fee", "metadata"),
}
FEE_REFUND = Resource(
    kinds.FEE_REFUND,
    shape=_REFUND_SHAPE,
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "fee": Reference((kinds.APPLICATION_FEE,)),
    },
)

# The charge is the platform's: the payment that the connected account would have is not served.
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "application_fee",
    **fields("account", "amount", "amount_refunded", "application", "balance_transaction", "charge"),
    **fields("created", "currency"),
    "fee_source": {"charge": Field("charge"), "type": "charge"},
    "livemode": Mode(),
    "originating_transaction": Field("charge"),
    "refunded": Same("amount", "amount_refunded"),
    "refunds": Slot("id", Page(kinds.FEE_REFUND)),
}
_TEMPLATE = template(ApplicationFee, _SHAPE)


def _render(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return a fee in JSON, with its newest refunds in it."""
    assert isinstance(stored, ApplicationFee)
    shown = [msgspec.Raw(FEE_REFUND.render_bytes(one, livemode)) for one in stored.refunds]
    has_more = stored.refunds_count > len(shown)
    refunds = render_list(f"/v1/application_fees/{stored.id}/refunds", shown, has_more)
    return _TEMPLATE.render(stored, livemode, answers.encode(refunds))


APPLICATION_FEE = Resource(
    kinds.APPLICATION_FEE,
    shape=_SHAPE,
    encode=Encoding(ApplicationFee, _render),
    expandable={
        "account": Reference((kinds.ACCOUNT,)),
        "application": Reference((kinds.APPLICATION,)),
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "charge": Reference((kinds.CHARGE,)),
        "originating_transaction": Reference((kinds.CHARGE,)),
        "refunds": Included((kinds.FEE_REFUND,)),
    },
)


def refund(call: Call, params: RefundParams) -> RefundApplicationFee:
    """Give a fee back, or a part of it."""
    return RefundApplicationFee(
        id=call.arguments["id"],
        amount=None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount),
        metadata=first_metadata(params.metadata),
    )


def update_refund(call: Call, params: MetadataParams) -> UpdateFeeRefund:
    """Update the metadata of a refund."""
    return UpdateFeeRefund(
        fee=call.arguments["id"],
        id=kinds.check(kinds.FEE_REFUND, call.arguments["refund"]),
        metadata=value_or(params.metadata, {}),
    )


_FEE = kinds.APPLICATION_FEE
_OWNER = Owner(_FEE, "fee")
_REFUNDS = "/v1/application_fees/{id}/refunds"
RESOURCES = (APPLICATION_FEE, FEE_REFUND, APPLICATION)
ROUTES = (
    Route(
        "GET",
        "/v1/application_fees",
        List(APPLICATION_FEE, ApplicationFeeListParams, filters={"charge": kinds.CHARGE}),
    ),
    Route("GET", "/v1/application_fees/{id}", Retrieve(APPLICATION_FEE, NoParams)),
    # The older name of the same.
    Route(
        "POST", "/v1/application_fees/{id}/refund", Write(FEE_REFUND, RefundParams, refund, path_kind=_FEE)
    ),
    Route("POST", _REFUNDS, Write(FEE_REFUND, RefundParams, refund, path_kind=_FEE)),
    Route("GET", _REFUNDS, List(FEE_REFUND, ListParams, owner=_OWNER)),
    Route("GET", _REFUNDS + "/{refund}", RetrieveBelow(FEE_REFUND, _OWNER, "refund")),
    Route("POST", _REFUNDS + "/{refund}", Write(FEE_REFUND, MetadataParams, update_refund, path_kind=_FEE)),
)
