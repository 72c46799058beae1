"""Mandates: the permission to charge a payment method later."""

from fastpay.api.common_params import NoParams
from fastpay.api.layout import Field, Mode, Nested, Shape, When
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.domain import kinds
from fastpay.domain.setup_objects import CustomerAcceptance

_ONLINE: Shape = {
    "accepted_at": Field("accepted_at"),
    "offline": None,
    "online": {"ip_address": Field("ip_address"), "user_agent": Field("user_agent")},
    "type": "online",
}
_OFFLINE: Shape = {"accepted_at": Field("accepted_at"), "offline": {}, "online": None, "type": "offline"}
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "mandate",
    "customer_acceptance": Nested(
        "acceptance", CustomerAcceptance, When("type", _ONLINE, equals="online", otherwise=_OFFLINE)
    ),
    "livemode": Mode(),
    "multi_use": When("type", {}, equals="multi_use"),
    "on_behalf_of": Field("on_behalf_of"),
    "payment_method": Field("payment_method"),
    "payment_method_details": When(
        "method",
        {"sepa_debit": {"reference": Field("id"), "url": ""}, "type": "sepa_debit"},
        otherwise={"card": {}, "type": "card"},
        equals="sepa_debit",
    ),
    "single_use": When("amount", {"amount": Field("amount"), "currency": Field("currency")}),
    "status": Field("status"),
    "type": Field("type"),
}

MANDATE = Resource(
    kinds.MANDATE, shape=_SHAPE, expandable={"payment_method": Reference((kinds.PAYMENT_METHOD,))}
)

RESOURCES = (MANDATE,)
ROUTES = (Route("GET", "/v1/mandates/{id}", Retrieve(MANDATE, NoParams)),)
