"""Payment intents as the dialect shows them, and what can be expanded in them."""

from fastpay.api.bank_shapes import FinancialAddresses
from fastpay.api.common_shapes import ALLOW_REDIRECTS, NEXT_ACTION, SHIPPING, options_of_each
from fastpay.api.layout import Field, Json, Mode, Nested, Shape, Slot, When, decided_once, fields
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource, Sublist, Whole
from fastpay.api.resources.payment_intents.options import PaymentDetails, ShownAmountDetails
from fastpay.domain import kinds
from fastpay.domain.objects import PaymentError
from fastpay.domain.options import AwaitedTransfer, CardOptions, CashOptions, PaymentExtras

_LAST_PAYMENT_ERROR = Nested(
    "last_payment_error",
    PaymentError,
    {
        **fields("charge", "code", "decline_code", "doc_url", "message", "param"),
        "payment_method": Slot("payment_method"),
        **fields("request_log_url", "type"),
    },
)

# Options for cards that are null where no request gave one.
_CARD_OPTIONS = Nested(
    "card",
    CardOptions,
    {
        "capture_method": Field("capture_method"),
        "installments": None,
        "mandate_options": None,
        **fields("network", "request_extended_authorization", "request_incremental_authorization"),
        **fields("request_multicapture", "request_overcapture", "request_three_d_secure"),
        **fields("require_cvc_recollection", "setup_credential_usage"),
        **fields("setup_future_usage", "statement_descriptor_suffix_kana"),
        **fields("statement_descriptor_suffix_kanji", "stored_credential_usage"),
    },
)
_NO_CARD_OPTIONS: Shape = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}


_CASH_OPTIONS = Nested(
    "cash",
    CashOptions,
    {
        "bank_transfer": When(
            "type",
            {
                "eu_bank_transfer": When("country", {"country": Field("country")}),
                "requested_address_types": Field("requested_address_types"),
                "type": Field("type"),
            },
        ),
        "funding_type": Field("funding_type"),
        "setup_future_usage": "none",
    },
)
_NO_CASH_OPTIONS: Shape = {"bank_transfer": None, "funding_type": None, "setup_future_usage": "none"}
# The bank transfer that a payment waits for.
_AWAITED = Nested(
    "extras",
    PaymentExtras,
    Nested(
        "awaited",
        AwaitedTransfer,
        {
            "display_bank_transfer_instructions": {
                "amount_remaining": Field("amount_remaining"),
                "currency": Field("currency"),
                "financial_addresses": Json("financial_addresses", FinancialAddresses),
                "hosted_instructions_url": None,
                "reference": Field("reference"),
                "type": Field("type"),
            },
            "type": "display_bank_transfer_instructions",
        },
    ),
)


def _of_extras(shape: Shape, otherwise: Shape) -> Shape:
    """Return the shape of something in the payment's extras, which most payments have none of."""
    return When("extras", Nested("extras", PaymentExtras, shape), otherwise=otherwise)


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "payment_intent",
    "allowed_payment_method_types": _of_extras(Field("allowed_payment_method_types"), otherwise=None),
    "amount": Field("amount"),
    "amount_capturable": Field("amount_capturable"),
    "amount_details": _of_extras(
        When("amount_details", Json("amount_details", ShownAmountDetails), otherwise={"tip": {}}),
        otherwise={"tip": {}},
    ),
    "amount_received": Field("amount_received"),
    "application": None,
    "application_fee_amount": _of_extras(Field("application_fee_amount"), otherwise=None),
    "automatic_payment_methods": When(
        "automatic_payment_methods", {"allow_redirects": ALLOW_REDIRECTS, "enabled": True}
    ),
    **fields("canceled_at", "cancellation_reason", "capture_method", "client_secret", "confirmation_method"),
    **fields("created", "currency", "customer"),
    "customer_account": None,
    "description": Field("description"),
    "excluded_payment_method_types": _of_extras(Field("excluded_payment_method_types"), otherwise=None),
    "last_payment_error": _LAST_PAYMENT_ERROR,
    "latest_charge": Field("latest_charge"),
    "livemode": Mode(),
    "managed_payments": None,
    "metadata": Field("metadata"),
    "next_action": When(
        "status",
        When("extras", When("extras.awaited", _AWAITED, otherwise=NEXT_ACTION), otherwise=NEXT_ACTION),
        equals="requires_action",
    ),
    "on_behalf_of": _of_extras(Field("on_behalf_of"), otherwise=None),
    "payment_details": _of_extras(Json("payment_details", PaymentDetails), otherwise=None),
    "payment_method": Field("payment_method"),
    "payment_method_configuration_details": None,
    "payment_method_options": options_of_each(
        {
            "card": _of_extras(
                When("card", _CARD_OPTIONS, otherwise=_NO_CARD_OPTIONS), otherwise=_NO_CARD_OPTIONS
            ),
            "customer_balance": _of_extras(
                When("cash", _CASH_OPTIONS, otherwise=_NO_CASH_OPTIONS), otherwise=_NO_CASH_OPTIONS
            ),
            "sepa_debit": {},
        }
    ),
    "payment_method_types": Field("payment_method_types"),
    "processing": None,
    "receipt_email": Field("receipt_email"),
    "review": None,
    "setup_future_usage": Field("setup_future_usage"),
    "shipping": SHIPPING,
    "source": None,
    **fields("statement_descriptor", "statement_descriptor_suffix", "status"),
    "transfer_data": _of_extras(
        When("destination", {"amount": Field("transfer_amount"), "destination": Field("destination")}),
        otherwise=None,
    ),
    "transfer_group": Field("transfer_group"),
}


PAYMENT_INTENT = Resource(
    kinds.PAYMENT_INTENT,
    shape=decided_once("extras", _SHAPE),
    expandable={
        "customer": Reference((kinds.CUSTOMER,)),
        "fastpay.attempts": Sublist(kinds.ATTEMPT, "payment_intent", "/v1/payment_intents/{id}/attempts"),
        "last_payment_error.payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "latest_charge": Reference((kinds.CHARGE,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "application": ALWAYS_NULL,
        "on_behalf_of": Reference((kinds.ACCOUNT,)),
        "payment_record": ALWAYS_NULL,
        "review": ALWAYS_NULL,
        "source": ALWAYS_NULL,
        "transfer_data.destination": Reference((kinds.ACCOUNT,)),
    },
    whole=Whole("last_payment_error.payment_method"),
    # Merchants' own data, which the holder of a client secret must not see.
    secret_fields=(
        "application",
        "application_fee_amount",
        "customer",
        "latest_charge",
        "metadata",
        "on_behalf_of",
        "review",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    ),
)
