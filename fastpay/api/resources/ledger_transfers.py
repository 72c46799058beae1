"""Transfers between accounts of the ledger, and holds."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from fastpay.api.common_params import Identifier, Metadata, NoParams, Params, first_metadata, value_or
from fastpay.api.context import Call
from fastpay.api.layout import Choice, Field, Mode, Nested, Shape, When, fields
from fastpay.api.ledger_params import Second
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.ledger_objects import Ending, LedgerTransfer
from fastpay.domain.ledger_transfers import CreateLedgerTransfer, PostLedgerTransfer, VoidLedgerTransfer
from fastpay.errors import InvalidRequest

# By phase: the type of a transfer, and its status.
TYPES = {"posted": "transfer", "hold": "hold", "post": "post", "void": "void", "expire": "expiry"}
_STATUSES = {"posted": "posted", "hold": "held", "post": "posted", "void": "voided", "expire": "expired"}


class CreateTransferParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Transfer an amount, or hold it."""

    creates: ClassVar[bool] = True

    amount: int
    credit_account: Identifier
    debit_account: Identifier
    expires_at: Second | UnsetType | None = UNSET
    hold: bool = False
    metadata: Metadata | UnsetType | None = UNSET


class PostTransferParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Post a hold, or a part of it."""

    amount: int | UnsetType = UNSET


class TransferListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the transfers."""


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "ledger_transfer",
    "amount": Field("amount"),
    # Of a hold, the amount of the transfer that ended it.
    "amount_posted": When(
        "ending",
        Nested("ending", Ending, Field("amount_posted")),
        otherwise=When(
            "phase",
            Field("amount"),
            equals="posted",
            otherwise=When("phase", Field("amount"), equals="post", otherwise=0),
        ),
    ),
    **fields("created", "credit_account", "currency", "debit_account"),
    "ended_by": Nested("ending", Ending, Field("transfer_id")),
    "expires_at": Field("expires_at"),
    "hold": Field("hold"),
    "livemode": Mode(),
    "metadata": Field("metadata"),
    "sequence": Field("sequence"),
    "status": When(
        "ending",
        Nested("ending", Ending, Choice("phase", _STATUSES)),
        otherwise=Choice("phase", _STATUSES),
    ),
    "type": Choice("phase", TYPES),
}

LEDGER_TRANSFER = Resource(
    kinds.LEDGER_TRANSFER,
    struct=LedgerTransfer,
    shape=_SHAPE,
    expandable={
        "credit_account": Reference((kinds.LEDGER_ACCOUNT,)),
        "debit_account": Reference((kinds.LEDGER_ACCOUNT,)),
        "ended_by": Reference((kinds.LEDGER_TRANSFER,)),
        "hold": Reference((kinds.LEDGER_TRANSFER,)),
    },
)


def create(call: Call, params: CreateTransferParams) -> CreateLedgerTransfer:
    """Transfer an amount, or hold it."""
    for name in ("debit_account", "credit_account"):
        kinds.check(kinds.LEDGER_ACCOUNT, getattr(params, name), param=name)
    expires_at = value_or(params.expires_at, None)
    if expires_at is not None and not params.hold:
        raise InvalidRequest("Only a hold expires: give hold=true as well.", param="expires_at")
    return CreateLedgerTransfer(
        debit_account=params.debit_account,
        credit_account=params.credit_account,
        amount=money.check_amount(params.amount),
        is_hold=params.hold,
        expires_at=expires_at,
        metadata=first_metadata(params.metadata),
    )


def post(call: Call, params: PostTransferParams) -> PostLedgerTransfer:
    """Post a hold, or a part of it."""
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return PostLedgerTransfer(id=call.arguments["id"], amount=amount)


def void(call: Call, params: NoParams) -> VoidLedgerTransfer:
    """Release a hold."""
    return VoidLedgerTransfer(id=call.arguments["id"])


RESOURCES = (LEDGER_TRANSFER,)
ROUTES = (
    Route("POST", "/v1/ledger/transfers", Write(LEDGER_TRANSFER, CreateTransferParams, create)),
    Route("GET", "/v1/ledger/transfers", List(LEDGER_TRANSFER, TransferListParams)),
    Route("GET", "/v1/ledger/transfers/{id}", Retrieve(LEDGER_TRANSFER, NoParams)),
    Route(
        "POST",
        "/v1/ledger/transfers/{id}/post",
        Write(LEDGER_TRANSFER, PostTransferParams, post, path_kind=kinds.LEDGER_TRANSFER),
    ),
    Route(
        "POST",
        "/v1/ledger/transfers/{id}/void",
        Write(LEDGER_TRANSFER, NoParams, void, path_kind=kinds.LEDGER_TRANSFER),
    ),
)
