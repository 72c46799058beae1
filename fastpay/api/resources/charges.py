"""Charges: attempts to take a payment."""

from typing import Literal

from msgspec import UNSET, UnsetType

from fastpay.api import follow_ups
from fastpay.api.common_params import (
    Descriptor,
    DescriptorSuffix,
    Email,
    Identifier,
    Metadata,
    NoParams,
    Params,
    Part,
    ShippingParams,
    Text,
    TransferGroup,
    given,
    shipping,
    value_or,
)
from fastpay.api.common_shapes import BILLING_DETAILS, CHECKS, SHIPPING
from fastpay.api.context import Call
from fastpay.api.layout import Choice, Field, Json, Mode, Nested, Same, Shape, When, decided_once, fields
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List, Search
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource, Sublist
from fastpay.api.resources.payment_intents.options import Level3, RadarOptions
from fastpay.api.routes import Route
from fastpay.api.transfer_params import SplitAmount, TransferAmount, split
from fastpay.api.writes import LiveWrite, Write
from fastpay.domain import kinds, money
from fastpay.domain.charges import CaptureCharge, UpdateCharge
from fastpay.domain.options import Authentication, ChargeExtras


class FraudDetails(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The merchant's assessment of a payment. Null removes it."""

    user_report: Literal["fraudulent", "safe"] | None


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a charge."""

    description: Text | UnsetType | None = UNSET
    fraud_details: FraudDetails | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    receipt_email: Email | UnsetType | None = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET
    transfer_group: TransferGroup | UnsetType | None = UNSET


class CaptureParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Capture an authorized charge."""

    amount: int | UnsetType = UNSET
    application_fee_amount: SplitAmount | UnsetType = UNSET
    receipt_email: Email | UnsetType | None = UNSET
    statement_descriptor: Descriptor | UnsetType | None = UNSET
    statement_descriptor_suffix: DescriptorSuffix | UnsetType | None = UNSET
    transfer_data: TransferAmount | UnsetType = UNSET
    transfer_group: TransferGroup | UnsetType | None = UNSET


class ChargeListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Charges, those of one customer, one payment intent or one group."""

    customer: Identifier | UnsetType = UNSET
    payment_intent: Identifier | UnsetType = UNSET
    transfer_group: TransferGroup | UnsetType = UNSET


_NETWORK_STATUSES = {
    "authorized": "approved_by_network",
    "issuer_declined": "declined_by_network",
    "blocked": "not_sent_to_network",
}

# Messages for merchants. Buyers do not see them.
_APPROVED = "Payment complete."
_DECLINED = "The card issuer declined this payment."
_SELLER_MESSAGES = {
    "authentication_required": "The card issuer wants the cardholder to authenticate this payment first.",
    "card_velocity_exceeded": "The card issuer declined this payment: the card was used too often lately.",
    "expired_card": "The card issuer declined this payment: the card has expired.",
    "generic_decline": "The card issuer declined this payment and gave no reason.",
    "highest_risk_level": "This payment was blocked before it reached the card issuer: too high a risk.",
    "incorrect_cvc": "The card issuer declined this payment: the security code does not match.",
    "insufficient_funds": "The card issuer declined this payment: there is not enough money on the account.",
    "lost_card": "The card issuer declined this payment: the card was reported lost.",
    "processing_error": "The card issuer declined this payment: something failed while processing it.",
    "stolen_card": "The card issuer declined this payment: the card was reported stolen.",
}

_OUTCOME: Shape = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": Choice("outcome_type", _NETWORK_STATUSES),
    "reason": Field("outcome_reason"),
    "risk_level": Field("risk_level"),
    "risk_score": Field("risk_score"),
    "seller_message": Choice(
        "outcome_type",
        {"authorized": _APPROVED},
        otherwise=Choice("outcome_reason", _SELLER_MESSAGES, otherwise=_DECLINED),
    ),
    "type": Field("outcome_type"),
}

_THREE_D_SECURE = Nested(
    "authentication",
    Authentication,
    {
        "authentication_flow": Field("flow"),
        **fields("electronic_commerce_indicator", "exemption_indicator", "result"),
        "result_reason": None,
        "transaction_id": Field("transaction_id"),
        "version": Field("version"),
    },
)


def _of_extras(shape: Shape, otherwise: Shape) -> Shape:
    """Return the shape of something in the charge's extras, which most charges have none of."""
    return When("extras", Nested("extras", ChargeExtras, shape), otherwise=otherwise)


def _status(field: str, name: str, otherwise: str) -> Shape:
    """Return the status of something that few charges have."""
    return {"status": _of_extras(When(field, name, otherwise=otherwise), otherwise=otherwise)}


_NO_OVERCAPTURE: Shape = {"maximum_amount_capturable": Field("amount"), "status": "unavailable"}
_CARD_DETAILS: Shape = {
    "card": {
        "amount_authorized": When("status", Field("amount"), equals="succeeded"),
        "authorization_code": None,
        "brand": Field("card.brand"),
        "capture_before": Field("capture_before"),
        "checks": CHECKS,
        "country": Field("card.country"),
        "exp_month": Field("card.exp_month"),
        "exp_year": Field("card.exp_year"),
        "extended_authorization": _status("has_extended_authorization", "enabled", "disabled"),
        "fingerprint": Field("card.fingerprint"),
        "funding": Field("card.funding"),
        "incremental_authorization": _status("has_incremental_authorization", "available", "unavailable"),
        "installments": None,
        "last4": Field("card.last4"),
        "mandate": None,
        "moto": _of_extras(Field("moto"), otherwise=None),
        "multicapture": _status("has_multicapture", "available", "unavailable"),
        "network": When(
            "extras",
            When("extras.network", Field("extras.network"), otherwise=Field("card.brand")),
            otherwise=Field("card.brand"),
        ),
        "network_token": {"used": False},
        # The test network names a transaction like its charge.
        "network_transaction_id": When(
            "extras",
            When(
                "extras.network_transaction_id", Field("extras.network_transaction_id"), otherwise=Field("id")
            ),
            otherwise=Field("id"),
        ),
        "overcapture": When(
            "extras",
            When(
                "extras.overcapture_max",
                {"maximum_amount_capturable": Field("extras.overcapture_max"), "status": "available"},
                otherwise=_NO_OVERCAPTURE,
            ),
            otherwise=_NO_OVERCAPTURE,
        ),
        "regulated_status": None,
        "three_d_secure": _of_extras(_THREE_D_SECURE, otherwise=None),
        "transaction_link_id": None,
        "wallet": None,
    },
    "type": "card",
}

_SEPA_DETAILS: Shape = {
    "sepa_debit": {
        "bank_code": Field("sepa_debit.bank_code"),
        "branch_code": Field("sepa_debit.branch_code"),
        "country": Field("sepa_debit.country"),
        "expected_debit_date": None,
        "fingerprint": Field("sepa_debit.fingerprint"),
        "last4": Field("sepa_debit.last4"),
        "mandate": Field("mandate"),
    },
    "type": "sepa_debit",
}
_PAYMENT_METHOD_DETAILS = When(
    "extras",
    When(
        "extras.method",
        _CARD_DETAILS,
        otherwise=When(
            "extras.method",
            Nested("extras", ChargeExtras, _SEPA_DETAILS),
            otherwise={"customer_balance": {}, "type": "customer_balance"},
            equals="sepa_debit",
        ),
        equals="card",
    ),
    otherwise=_CARD_DETAILS,
)

# `refunds` is null here; expansion fills it in.
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "charge",
    "amount": Field("amount"),
    "amount_captured": Field("amount_captured"),
    # A released authorization counts as fully refunded, although nothing was captured.
    "amount_refunded": When("released", Field("amount"), otherwise=Field("amount_refunded")),
    "application": None,
    "application_fee": _of_extras(Field("application_fee"), otherwise=None),
    "application_fee_amount": _of_extras(Field("application_fee_amount"), otherwise=None),
    "balance_transaction": Field("balance_transaction"),
    "billing_details": BILLING_DETAILS,
    "calculated_statement_descriptor": Field("statement_descriptor"),
    **fields("captured", "created", "currency", "customer", "description", "dispute"),
    "disputed": When("dispute", True, otherwise=False),
    "failure_balance_transaction": None,
    "failure_code": Field("failure_code"),
    "failure_message": Field("failure_message"),
    "fraud_details": When("fraud_report", {"user_report": Field("fraud_report")}, otherwise={}),
    "level3": _of_extras(Json("level3", Level3), otherwise=None),
    "livemode": Mode(),
    "metadata": Field("metadata"),
    "on_behalf_of": _of_extras(Field("on_behalf_of"), otherwise=None),
    "outcome": _OUTCOME,
    "paid": When("status", True, otherwise=False, equals="succeeded"),
    "payment_intent": Field("payment_intent"),
    "payment_method": Field("payment_method"),
    "payment_method_details": _PAYMENT_METHOD_DETAILS,
    "radar_options": _of_extras(
        When("radar_options", Json("radar_options", RadarOptions), otherwise={}), otherwise={}
    ),
    "receipt_email": Field("receipt_email"),
    "receipt_number": None,
    "receipt_url": None,
    "refunded": When(
        "released",
        True,
        otherwise=When("captured", Same("amount_refunded", "amount_captured"), otherwise=False),
    ),
    "refunds": None,
    "review": None,
    "shipping": SHIPPING,
    "source": None,
    "source_transfer": None,
    **fields("statement_descriptor", "statement_descriptor_suffix", "status"),
    "transfer": _of_extras(Field("transfer"), otherwise=None),
    "transfer_data": _of_extras(
        When("destination", {"amount": Field("transfer_amount"), "destination": Field("destination")}),
        otherwise=None,
    ),
    "transfer_group": Field("transfer_group"),
}

CHARGE = Resource(
    kinds.CHARGE,
    shape=decided_once("extras", _SHAPE),
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "customer": Reference((kinds.CUSTOMER,)),
        "dispute": Reference((kinds.DISPUTE,)),
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "refunds": Sublist(kinds.REFUND, "charge", "/v1/charges/{id}/refunds"),
        "application": ALWAYS_NULL,
        "application_fee": Reference((kinds.APPLICATION_FEE,)),
        "failure_balance_transaction": ALWAYS_NULL,
        "on_behalf_of": Reference((kinds.ACCOUNT,)),
        "review": ALWAYS_NULL,
        "source_transfer": ALWAYS_NULL,
        "transfer": Reference((kinds.TRANSFER,)),
        "transfer_data.destination": Reference((kinds.ACCOUNT,)),
    },
)


def update(call: Call, params: UpdateParams) -> UpdateCharge:
    """Update a charge."""
    fields = given(params, "description", "receipt_email", "transfer_group")
    if params.shipping is not UNSET:
        fields["shipping"] = None if params.shipping is None else shipping(params.shipping)
    if params.fraud_details is not UNSET:
        fields["fraud_report"] = None if params.fraud_details is None else params.fraud_details.user_report
    return UpdateCharge(
        id=call.arguments["id"],
        fields=fields,
        metadata=value_or(params.metadata, {}),
    )


def capture(call: Call, params: CaptureParams) -> CaptureCharge:
    """Capture an authorized charge."""
    amount = None if isinstance(params.amount, UnsetType) else money.check_amount(params.amount)
    return CaptureCharge(
        id=call.arguments["id"],
        amount=amount,
        fields=given(
            params, "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group"
        ),
        split=split(params.application_fee_amount, params.transfer_data),
        terms=follow_ups.terms(call),
    )


RESOURCES = (CHARGE,)
ROUTES = (
    Route(
        "GET",
        "/v1/charges",
        List(
            CHARGE,
            ChargeListParams,
            filters={
                "payment_intent": kinds.PAYMENT_INTENT,
                "customer": kinds.CUSTOMER,
                "transfer_group": None,
            },
        ),
    ),
    Route("GET", "/v1/charges/search", Search(CHARGE)),
    Route("GET", "/v1/charges/{id}", Retrieve(CHARGE, NoParams)),
    Route("POST", "/v1/charges/{id}", Write(CHARGE, UpdateParams, update, path_kind=kinds.CHARGE)),
    Route(
        "POST",
        "/v1/charges/{id}/capture",
        LiveWrite(CHARGE, CaptureParams, capture, path_kind=kinds.CHARGE, route=follow_ups.begin),
    ),
)
