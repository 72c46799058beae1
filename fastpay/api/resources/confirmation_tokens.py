"""Confirmation tokens. Browsers make them elsewhere; here a test helper does."""

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from fastpay.api import card_params, challenges
from fastpay.api.card_params import PaymentMethodData
from fastpay.api.common_params import Identifier, NoParams, Params, ShippingParams, Url, given, shipping
from fastpay.api.common_shapes import BILLING_DETAILS, SHIPPING
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode, Shape, fields
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Reference, Resource
from fastpay.api.resources.payment_methods import by_type
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.confirmation_tokens import CreateConfirmationToken
from fastpay.errors import InvalidRequest


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a confirmation token."""

    creates: ClassVar[bool] = True

    payment_method: Identifier | UnsetType = UNSET
    payment_method_data: PaymentMethodData | UnsetType = UNSET
    return_url: Url | UnsetType = UNSET
    setup_future_usage: Literal["off_session", "on_session"] | UnsetType = UNSET
    shipping: ShippingParams | UnsetType = UNSET


def _preview(name: str, details: Shape) -> Shape:
    return {
        "allow_redisplay": Field("allow_redisplay"),
        "billing_details": BILLING_DETAILS,
        name: details,
        "customer": Field("customer"),
        "customer_account": None,
        "type": Field("type"),
    }


_SHAPE: Shape = {
    "id": Field("id"),
    "object": "confirmation_token",
    "created": Field("created"),
    "expires_at": Field("expires_at"),
    "livemode": Mode(),
    "mandate_data": None,
    "payment_intent": Field("payment_intent"),
    "payment_method_options": {"card": {"cvc_token": None}},
    "payment_method_preview": by_type(_preview),
    **fields("return_url", "setup_future_usage", "setup_intent"),
    "shipping": SHIPPING,
    "use_stripe_sdk": False,
}

CONFIRMATION_TOKEN = Resource(
    kinds.CONFIRMATION_TOKEN,
    shape=_SHAPE,
    expandable={"payment_method_preview.customer": Reference((kinds.CUSTOMER,))},
)


def create(call: Call, params: CreateParams) -> CreateConfirmationToken:
    """Create a confirmation token."""
    choice = card_params.chosen(call, params)
    if choice is None:
        raise InvalidRequest(
            "Give payment_method_data, or payment_method.",
            code="parameter_missing",
            param="payment_method_data",
        )
    if not isinstance(params.return_url, UnsetType):
        challenges.check_return_url(params.return_url)
    fields = given(params, "return_url", "setup_future_usage")
    if not isinstance(params.shipping, UnsetType):
        fields["shipping"] = shipping(params.shipping)
    return CreateConfirmationToken(payment_method=choice, fields=fields)


RESOURCES = (CONFIRMATION_TOKEN,)
ROUTES = (
    Route(
        "POST",
        "/v1/test_helpers/confirmation_tokens",
        Write(CONFIRMATION_TOKEN, CreateParams, create),
    ),
    Route("GET", "/v1/confirmation_tokens/{id}", Retrieve(CONFIRMATION_TOKEN, NoParams)),
)
