"""Refunds."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api.common_params import (
    Email,
    Identifier,
    Metadata,
    MetadataParams,
    NoParams,
    Params,
    first_metadata,
    value_or,
)
from fastpay.api.context import Call
from fastpay.api.layout import Field, Shape, When, fields
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.objects import Refund, StoredObject
from fastpay.domain.refunds import CancelRefund, CreateRefund, ExpireRefund, UpdateRefund
from fastpay.errors import InvalidRequest

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refund a charge, or a part of it."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    charge: Identifier | UnsetType = UNSET
    instructions_email: Email | None = None
    metadata: Metadata | UnsetType | None = UNSET
    payment_intent: Identifier | UnsetType = UNSET
    reason: Reason | None = None
    refund_application_fee: bool = False
    reverse_transfer: bool = False


class CreateBelowParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refund the charge in the path, or a part of it."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    instructions_email: Email | None = None
    metadata: Metadata | UnsetType | None = UNSET
    reason: Reason | None = None
    refund_application_fee: bool = False
    reverse_transfer: bool = False


class RefundListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refunds, those of one charge or one payment intent."""

    charge: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET


# Whoever paid is asked where to send the money.
_NEXT_ACTION: Shape = {
    "display_details": {
        "email_sent": {"email_sent_at": Field("created"), "email_sent_to": Field("instructions_email")},
        "expires_at": Field("expires_at"),
    },
    "type": "display_details",
}

# The dialect has no `livemode` here.
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "refund",
    **fields("amount", "balance_transaction", "charge", "created", "currency", "customer"),
    "customer_account": None,
    "description": None,
    "destination_details": When(
        "destination",
        {
            "card": {"type": When("status", "pending", otherwise="refund", equals="pending")},
            "type": "card",
        },
        otherwise={"customer_cash_balance": {}, "type": "customer_cash_balance"},
        equals="card",
    ),
    **fields("failure_balance_transaction", "failure_reason", "instructions_email", "metadata"),
    "next_action": When(
        "status", When("instructions_email", _NEXT_ACTION, otherwise=None), equals="requires_action"
    ),
    "payment_intent": Field("payment_intent"),
    "payment_method": Field("payment_method"),
    "pending_reason": When("status", "processing", otherwise=None, equals="pending"),
    "reason": Field("reason"),
    "receipt_number": None,
    "source_transfer_reversal": None,
    "status": Field("status"),
    "transfer_reversal": Field("transfer_reversal"),
}

REFUND = Resource(
    kinds.REFUND,
    shape=_SHAPE,
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "failure_balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "charge": Reference((kinds.CHARGE,)),
        "customer": Reference((kinds.CUSTOMER,)),
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "source_transfer_reversal": ALWAYS_NULL,
        "transfer_reversal": Reference((kinds.TRANSFER_REVERSAL,)),
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
    return _creation(call, params, charge=charge, payment_intent=payment_intent)


def create_below(call: Call, params: CreateBelowParams) -> CreateRefund:
    """Refund the charge in the path."""
    charge = kinds.check(kinds.CHARGE, call.arguments["id"], param="charge")
    return _creation(call, params, charge=charge)


def expire(call: Call, params: NoParams) -> ExpireRefund:
    """Let the time pass in which a cardholder could have acted. In live mode no refund waits for that."""
    return ExpireRefund(id=call.arguments["id"])


def cancel(call: Call, params: NoParams) -> CancelRefund:
    """Cancel a refund."""
    return CancelRefund(id=call.arguments["id"])


def update(call: Call, params: MetadataParams) -> UpdateRefund:
    """Update the metadata."""
    return UpdateRefund(id=call.arguments["id"], metadata=value_or(params.metadata, {}))


def _creation(
    call: Call,
    params: CreateParams | CreateBelowParams,
    *,
    charge: str | None,
    payment_intent: str | None = None,
) -> CreateRefund:
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    if params.refund_application_fee and not params.reverse_transfer:
        raise InvalidRequest(
            "To refund the application fee of a payment with a destination, reverse its transfer too: give "
            "reverse_transfer=true.",
            param="refund_application_fee",
        )
    return CreateRefund(
        charge=charge,
        payment_intent=payment_intent,
        amount=amount,
        reason=params.reason,
        metadata=first_metadata(params.metadata),
        instructions_email=params.instructions_email,
        delay_s=call.services.settings.test_delay_s,
        reverse_transfer=params.reverse_transfer,
        refund_application_fee=params.refund_application_fee,
    )


def _check_below(call: Call, params: NoParams, stored: StoredObject) -> None:
    """Raise NotFound if the refund is not of the charge in the path."""
    if not isinstance(stored, Refund) or stored.charge != call.arguments["charge"]:
        raise kinds.absent(kinds.REFUND, call.arguments["id"])


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
    Route("POST", "/v1/refunds/{id}", Write(REFUND, MetadataParams, update, path_kind=kinds.REFUND)),
    Route("POST", "/v1/refunds/{id}/cancel", Write(REFUND, NoParams, cancel, path_kind=kinds.REFUND)),
    Route(
        "POST",
        "/v1/test_helpers/refunds/{id}/expire",
        Write(REFUND, NoParams, expire, path_kind=kinds.REFUND),
    ),
    Route(
        "POST",
        "/v1/charges/{id}/refunds",
        Write(REFUND, CreateBelowParams, create_below),
    ),
    Route("GET", "/v1/charges/{charge}/refunds/{id}", Retrieve(REFUND, NoParams, check=_check_below)),
    # The pages after the first, of the refunds that an expanded charge shows.
    Route("GET", "/v1/charges/{id}/refunds", List(REFUND, ListParams, owner=Owner(kinds.CHARGE, "charge"))),
)
