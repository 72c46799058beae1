"""Transfers to connected accounts, and their reversals."""

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import answers
from fastpay.api.common_params import (
    Identifier,
    Metadata,
    MetadataParams,
    NoParams,
    Params,
    Text,
    TransferGroup,
    first_metadata,
    given,
    value_or,
)
from fastpay.api.context import Call
from fastpay.api.envelopes import render_list
from fastpay.api.layout import Field, Mode, Page, Same, Shape, Slot, fields, template
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, Owner, RetrieveBelow
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Encoding, Included, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.transfers import (
    AccountTransfer,
    CreateTransfer,
    ReverseTransfer,
    UpdateTransfer,
    UpdateTransferReversal,
)
from fastpay.errors import InvalidRequest


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Transfer money to a connected account."""

    creates: ClassVar[bool] = True

    currency: str
    destination: Identifier
    amount: int | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    source_transaction: Identifier | UnsetType | None = UNSET
    source_type: Literal["bank_account", "card", "fpx"] = "card"
    transfer_group: TransferGroup | UnsetType | None = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a transfer."""

    description: Text | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class ReverseParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take back a transfer, or a part of it."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    refund_application_fee: bool = False


class TransferListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Transfers, those to one account or of one group."""

    destination: Identifier | UnsetType = UNSET
    transfer_group: TransferGroup | UnsetType = UNSET


# The dialect has no `livemode` here.
_REVERSAL_SHAPE: Shape = {
    "id": Field("id"),
    "object": "transfer_reversal",
    **fields("amount", "balance_transaction", "created", "currency"),
    "destination_payment_refund": None,
    **fields("metadata", "source_refund", "transfer"),
}
TRANSFER_REVERSAL = Resource(
    kinds.TRANSFER_REVERSAL,
    shape=_REVERSAL_SHAPE,
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "transfer": Reference((kinds.TRANSFER,)),
        "destination_payment_refund": ALWAYS_NULL,
        "source_refund": Reference((kinds.REFUND,)),
    },
)

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "transfer",
    **fields("amount", "amount_reversed", "balance_transaction", "created", "currency"),
    **fields("description", "destination"),
    "destination_payment": None,
    "livemode": Mode(),
    "metadata": Field("metadata"),
    "reversed": Same("amount", "amount_reversed"),
    **fields("source_transaction", "source_type", "transfer_group"),
    "reversals": Slot("id", Page(kinds.TRANSFER_REVERSAL)),
}
_TEMPLATE = template(AccountTransfer, _SHAPE)


def _render(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return a transfer in JSON, with its newest reversals in it."""
    assert isinstance(stored, AccountTransfer)
    shown = [msgspec.Raw(TRANSFER_REVERSAL.render_bytes(one, livemode)) for one in stored.reversals]
    has_more = stored.reversals_count > len(shown)
    reversals = render_list(f"/v1/transfers/{stored.id}/reversals", shown, has_more)
    return _TEMPLATE.render(stored, livemode, answers.encode(reversals))


TRANSFER = Resource(
    kinds.TRANSFER,
    shape=_SHAPE,
    encode=Encoding(AccountTransfer, _render),
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "destination": Reference((kinds.ACCOUNT,)),
        "source_transaction": Reference((kinds.CHARGE,)),
        "destination_payment": ALWAYS_NULL,
        "reversals": Included((kinds.TRANSFER_REVERSAL,)),
    },
)


def create(call: Call, params: CreateParams) -> CreateTransfer:
    """Transfer money to a connected account."""
    source = value_or(params.source_transaction, None)
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    if amount is None and source is None:
        raise InvalidRequest(
            "Give amount, or the charge to transfer in source_transaction.",
            code="parameter_missing",
            param="amount",
        )
    if source is not None:
        kinds.check(kinds.CHARGE, source, param="source_transaction")
    return CreateTransfer(
        amount=amount,
        currency=money.parse_currency(params.currency),
        destination=kinds.check(kinds.ACCOUNT, params.destination, param="destination"),
        source_transaction=source,
        fields=given(params, "description", "source_type", "transfer_group"),
        metadata=first_metadata(params.metadata),
    )


def update(call: Call, params: UpdateParams) -> UpdateTransfer:
    """Update a transfer."""
    return UpdateTransfer(
        id=call.arguments["id"],
        fields=given(params, "description"),
        metadata=value_or(params.metadata, {}),
    )


def reverse(call: Call, params: ReverseParams) -> ReverseTransfer:
    """Take back a transfer, or a part of it."""
    return ReverseTransfer(
        id=call.arguments["id"],
        amount=None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount),
        description=value_or(params.description, None),
        metadata=first_metadata(params.metadata),
        refund_application_fee=params.refund_application_fee,
    )


def update_reversal(call: Call, params: MetadataParams) -> UpdateTransferReversal:
    """Update the metadata of a reversal."""
    return UpdateTransferReversal(
        transfer=call.arguments["id"],
        id=kinds.check(kinds.TRANSFER_REVERSAL, call.arguments["reversal"]),
        metadata=value_or(params.metadata, {}),
    )


_OWNER = Owner(kinds.TRANSFER, "transfer")
_REVERSALS = "/v1/transfers/{id}/reversals"
RESOURCES = (TRANSFER, TRANSFER_REVERSAL)
ROUTES = (
    Route("POST", "/v1/transfers", Write(TRANSFER, CreateParams, create)),
    Route(
        "GET",
        "/v1/transfers",
        List(TRANSFER, TransferListParams, filters={"destination": kinds.ACCOUNT, "transfer_group": None}),
    ),
    Route("GET", "/v1/transfers/{id}", Retrieve(TRANSFER, NoParams)),
    Route("POST", "/v1/transfers/{id}", Write(TRANSFER, UpdateParams, update, path_kind=kinds.TRANSFER)),
    Route("POST", _REVERSALS, Write(TRANSFER_REVERSAL, ReverseParams, reverse, path_kind=kinds.TRANSFER)),
    Route("GET", _REVERSALS, List(TRANSFER_REVERSAL, ListParams, owner=_OWNER)),
    Route("GET", _REVERSALS + "/{reversal}", RetrieveBelow(TRANSFER_REVERSAL, _OWNER, "reversal")),
    Route(
        "POST",
        _REVERSALS + "/{reversal}",
        Write(TRANSFER_REVERSAL, MetadataParams, update_reversal, path_kind=kinds.TRANSFER),
    ),
)
