"""Setup intents as the dialect shows them, and what can be expanded in them."""

from fastpay.api.common_shapes import ALLOW_REDIRECTS, NEXT_ACTION, options_of_each
from fastpay.api.layout import Field, Mode, Nested, Shape, Slot, When, fields
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource, Whole
from fastpay.domain import kinds
from fastpay.domain.setup_objects import SetupError

_LAST_SETUP_ERROR = Nested(
    "last_setup_error",
    SetupError,
    {
        **fields("code", "decline_code", "doc_url", "message", "param"),
        "payment_method": Slot("payment_method"),
        **fields("request_log_url", "type"),
    },
)

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "setup_intent",
    "allowed_payment_method_types": Field("allowed_payment_method_types"),
    "application": None,
    "attach_to_self": Field("attach_to_self"),
    "automatic_payment_methods": When(
        "automatic_payment_methods", {"allow_redirects": ALLOW_REDIRECTS, "enabled": True}
    ),
    **fields("cancellation_reason", "client_secret", "created", "customer"),
    "customer_account": None,
    "description": Field("description"),
    "excluded_payment_method_types": Field("excluded_payment_method_types"),
    "flow_directions": Field("flow_directions"),
    "last_setup_error": _LAST_SETUP_ERROR,
    "latest_attempt": Field("latest_attempt"),
    "livemode": Mode(),
    "mandate": Field("mandate"),
    "metadata": Field("metadata"),
    "next_action": When("status", NEXT_ACTION, equals="requires_action"),
    "on_behalf_of": Field("on_behalf_of"),
    "payment_method": Field("payment_method"),
    "payment_method_configuration_details": None,
    "payment_method_options": options_of_each(
        {
            "card": {
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": Field("request_three_d_secure"),
            },
            "sepa_debit": {},
        }
    ),
    **fields("payment_method_types", "single_use_mandate", "status", "usage"),
}


SETUP_INTENT = Resource(
    kinds.SETUP_INTENT,
    shape=_SHAPE,
    expandable={
        "customer": Reference((kinds.CUSTOMER,)),
        "last_setup_error.payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "latest_attempt": Reference((kinds.SETUP_ATTEMPT,)),
        "mandate": Reference((kinds.MANDATE,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "single_use_mandate": Reference((kinds.MANDATE,)),
        "application": ALWAYS_NULL,
        "on_behalf_of": Reference((kinds.ACCOUNT,)),
    },
    whole=Whole("last_setup_error.payment_method"),
    # Merchants' own data, which the holder of a client secret must not see.
    secret_fields=(
        "application",
        "customer",
        "latest_attempt",
        "mandate",
        "metadata",
        "on_behalf_of",
        "single_use_mandate",
    ),
)
