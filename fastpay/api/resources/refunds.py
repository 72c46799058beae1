"""Refunds."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api.common_params import Identifier, Metadata, NoParams, Params, first_metadata, value_or
from fastpay.api.context import Call
from fastpay.api.layout import Field, Shape
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.refunds import CancelRefund, CreateRefund, UpdateRefund
from fastpay.errors import InvalidRequest


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refund a charge, or a part of it."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    charge: Identifier | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    payment_intent: Identifier | UnsetType = UNSET
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update the metadata."""

    metadata: Metadata | UnsetType | None = UNSET


class RefundListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refunds, those of one charge or one payment intent."""

    charge: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET


# The dialect has no `livemode` here.
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "refund",
    "amount": Field("amount"),
    "balance_transaction": Field("balance_transaction"),
    "charge": Field("charge"),
    "created": Field("created"),
    "currency": Field("currency"),
    "customer": Field("customer"),
    "customer_account": None,
    "destination_details": {"card": {"type": "refund"}, "type": "card"},
    "metadata": Field("metadata"),
    "payment_intent": Field("payment_intent"),
    "payment_method": Field("payment_method"),
    "reason": Field("reason"),
    "receipt_number": None,
    "source_transfer_reversal": None,
    "status": Field("status"),
    "transfer_reversal": None,
}

REFUND = Resource(
    kinds.REFUND,
    shape=_SHAPE,
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "charge": Reference((kinds.CHARGE,)),
        "customer": Reference((kinds.CUSTOMER,)),
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "failure_balance_transaction": ALWAYS_NULL,
        "source_transfer_reversal": ALWAYS_NULL,
        "transfer_reversal": ALWAYS_NULL,
    },
)


def create(call: Call, params: CreateParams) -> CreateRefund:
    """Refund a charge, or a part of it."""
    charge, payment_intent = value_or(params.charge, None), value_or(params.payment_intent, None)
    if charge is None and payment_intent is None:
        raise InvalidRequest(
            "Say what to refund: give payment_intent or charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    if charge is not None:
        kinds.check(kinds.CHARGE, charge, param="charge")
    if payment_intent is not None:
        kinds.check(kinds.PAYMENT_INTENT, payment_intent, param="payment_intent")
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return CreateRefund(
        charge=charge,
        payment_intent=payment_intent,
        amount=amount,
        reason=params.reason,
        metadata=first_metadata(params.metadata),
    )


def cancel(call: Call, params: NoParams) -> CancelRefund:
    """Cancel a refund."""
    return CancelRefund(id=call.arguments["id"])


def update(call: Call, params: UpdateParams) -> UpdateRefund:
    """Update the metadata."""
    return UpdateRefund(id=call.arguments["id"], metadata=value_or(params.metadata, {}))


RESOURCES = (REFUND,)
ROUTES = (
    Route("POST", "/v1/refunds", Write(REFUND, CreateParams, create)),
    Route(
        "GET",
        "/v1/refunds",
        List(
            REFUND,
            RefundListParams,
            filters={"charge": kinds.CHARGE, "payment_intent": kinds.PAYMENT_INTENT},
        ),
    ),
    Route("GET", "/v1/refunds/{id}", Retrieve(REFUND, NoParams)),
    Route("POST", "/v1/refunds/{id}", Write(REFUND, UpdateParams, update, path_kind=kinds.REFUND)),
    Route("POST", "/v1/refunds/{id}/cancel", Write(REFUND, NoParams, cancel, path_kind=kinds.REFUND)),
    # The pages after the first, of the refunds that an expanded charge shows.
    Route("GET", "/v1/charges/{id}/refunds", List(REFUND, ListParams, owner=Owner(kinds.CHARGE, "charge"))),
)
