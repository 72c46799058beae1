"""Refunds."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api import follow_ups
from fastpay.api.common_params import (
    Email,
    Identifier,
    Metadata,
    MetadataParams,
    NoParams,
    Params,
    Text,
    first_metadata,
    refuse_together,
    value_or,
)
from fastpay.api.context import Call
from fastpay.api.layout import Field, Shape, When, fields
from fastpay.api.list_params import CreatedListParams, ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import LiveWrite, Write
from fastpay.domain import bank_transfers, kinds, money
from fastpay.domain.cash_returns import ReturnCash
from fastpay.domain.objects import Refund, StoredObject
from fastpay.domain.refunds import CancelRefund, CreateRefund, ExpireRefund, UpdateRefund
from fastpay.errors import InvalidRequest

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refund a charge, or a part of it; or return a customer's cash."""

    creates: ClassVar[bool] = True

    amount: int | UnsetType = UNSET
    charge: Identifier | UnsetType = UNSET
    currency: Text | UnsetType = UNSET
    customer: Identifier | UnsetType = UNSET
    instructions_email: Email | None = None
    metadata: Metadata | UnsetType | None = UNSET
    origin: Literal["customer_balance"] | UnsetType = UNSET
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

# The reference of a transfer comes from the bank, and test mode has none.
_REFERENCE: Shape = {
    "reference": None,
    "reference_status": When("status", "pending", otherwise="unavailable", equals="pending"),
}
_BY_TRANSFER: dict[str, Shape] = {
    name: When("destination", _REFERENCE, equals=name) for name in bank_transfers.CURRENCIES
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
        otherwise=When(
            "destination",
            {"customer_cash_balance": {}, "type": "customer_cash_balance"},
            otherwise={**_BY_TRANSFER, "type": Field("destination")},
            equals="customer_cash_balance",
        ),
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


def create(call: Call, params: CreateParams) -> CreateRefund | ReturnCash:
    """Refund a charge, or a part of it; or return a customer's cash."""
    if params.customer is not UNSET or params.origin is not UNSET:
        return _return_of_cash(call, params)
    if params.currency is not UNSET:
        raise InvalidRequest(
            "A refund is in the currency of its charge. Give a currency only with origin=customer_balance.",
            param="currency",
        )
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


def _return_of_cash(call: Call, params: CreateParams) -> ReturnCash:
    for name in ("charge", "payment_intent"):
        if getattr(params, name) is not UNSET:
            raise refuse_together(name, "customer" if params.origin is UNSET else "origin")
    for name in ("refund_application_fee", "reverse_transfer"):
        if getattr(params, name):
            raise InvalidRequest(f"{name} is for refunds of a charge.", param=name)
    if (
        isinstance(params.customer, UnsetType)
        or isinstance(params.amount, UnsetType)
        or isinstance(params.currency, UnsetType)
        or params.origin is UNSET
    ):
        needed = ("customer", "amount", "currency", "origin")
        missing = next(name for name in needed if getattr(params, name) is UNSET)
        raise InvalidRequest(
            "To return a customer's cash, give customer, amount, currency and origin=customer_balance.",
            code="parameter_missing",
            param=missing,
        )
    return ReturnCash(
        customer=kinds.check(kinds.CUSTOMER, params.customer, param="customer"),
        amount=money.check_amount(params.amount),
        currency=money.parse_currency(params.currency),
        reason=params.reason,
        metadata=first_metadata(params.metadata),
        instructions_email=params.instructions_email,
        delay_s=call.services.settings.test_delay_s,
    )


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
        terms=follow_ups.terms(call),
    )


def _check_below(call: Call, params: NoParams, stored: StoredObject) -> None:
    """Raise NotFound if the refund is not of the charge in the path."""
    if not isinstance(stored, Refund) or stored.charge != call.arguments["charge"]:
        raise kinds.absent(kinds.REFUND, call.arguments["id"])


RESOURCES = (REFUND,)
ROUTES = (
    Route("POST", "/v1/refunds", LiveWrite(REFUND, CreateParams, create, route=follow_ups.begin)),
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
        LiveWrite(REFUND, CreateBelowParams, create_below, route=follow_ups.begin),
    ),
    Route("GET", "/v1/charges/{charge}/refunds/{id}", Retrieve(REFUND, NoParams, check=_check_below)),
    # The pages after the first, of the refunds that an expanded charge shows.
    Route("GET", "/v1/charges/{id}/refunds", List(REFUND, ListParams, owner=Owner(kinds.CHARGE, "charge"))),
)
