"""Attempts: what processors were asked to do for a payment, and what is known of it."""

from fastpay.api.layout import Field, Mode, Shape, fields
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.domain import kinds

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "fastpay.attempt",
    **fields("amount", "code", "created", "currency", "decline_code"),
    "in_doubt": Field("held"),
    "inquiries": Field("inquiries"),
    "livemode": Mode(),
    **fields("operation", "payment_intent", "payment_method", "processor", "processor_id"),
    "status": Field("status"),
}

ATTEMPT = Resource(
    kinds.ATTEMPT,
    shape=_SHAPE,
    expandable={
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
    },
)

RESOURCES = (ATTEMPT,)
ROUTES = (
    Route(
        "GET",
        "/v1/payment_intents/{id}/attempts",
        List(ATTEMPT, ListParams, owner=Owner(kinds.PAYMENT_INTENT, "payment_intent")),
    ),
)
