"""Setup attempts: what came of each confirmation of a setup intent."""

from fastpay.api.common_params import Identifier
from fastpay.api.common_shapes import CHECKS
from fastpay.api.layout import Field, Mode, Nested, Shape, Slot, When, fields
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource, Whole
from fastpay.api.routes import Route
from fastpay.domain import kinds
from fastpay.domain.setup_objects import SetupError


class SetupAttemptListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attempts of one setup intent."""

    setup_intent: Identifier


_SETUP_ERROR = Nested(
    "setup_error",
    SetupError,
    {
        **fields("code", "decline_code", "doc_url", "message", "param"),
        "payment_method": Slot("payment_method"),
        **fields("request_log_url", "type"),
    },
)
_THREE_D_SECURE: Shape = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": None,
    "result": Field("three_d_secure"),
    "result_reason": When("three_d_secure", "rejected", equals="failed"),
    "transaction_id": None,
    "version": "2.2.0",
}
_CARD_DETAILS: Shape = {
    "card": {
        "brand": Field("card.brand"),
        "checks": CHECKS,
        "country": Field("card.country"),
        "exp_month": Field("card.exp_month"),
        "exp_year": Field("card.exp_year"),
        "fingerprint": Field("card.fingerprint"),
        "funding": Field("card.funding"),
        "last4": Field("card.last4"),
        "network": Field("card.brand"),
        "three_d_secure": When("three_d_secure", _THREE_D_SECURE),
        "wallet": None,
    },
    "type": "card",
}
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "setup_attempt",
    "application": None,
    **fields("attach_to_self", "created", "customer"),
    "customer_account": None,
    "flow_directions": Field("flow_directions"),
    "livemode": Mode(),
    "on_behalf_of": Field("on_behalf_of"),
    "payment_method": Field("payment_method"),
    "payment_method_details": When(
        "method", {"sepa_debit": {}, "type": "sepa_debit"}, otherwise=_CARD_DETAILS, equals="sepa_debit"
    ),
    "setup_error": _SETUP_ERROR,
    **fields("setup_intent", "status", "usage"),
}


SETUP_ATTEMPT = Resource(
    kinds.SETUP_ATTEMPT,
    shape=_SHAPE,
    expandable={
        "customer": Reference((kinds.CUSTOMER,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "setup_error.payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "setup_intent": Reference((kinds.SETUP_INTENT,)),
        "application": ALWAYS_NULL,
        "on_behalf_of": Reference((kinds.ACCOUNT,)),
    },
    whole=Whole("setup_error.payment_method"),
)

RESOURCES = (SETUP_ATTEMPT,)
ROUTES = (
    Route(
        "GET",
        "/v1/setup_attempts",
        List(SETUP_ATTEMPT, SetupAttemptListParams, filters={"setup_intent": kinds.SETUP_INTENT}),
    ),
)
