"""Attempts: what processors were asked to do for a payment, and what a person says became of it."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Params
from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.api.layout import Field, Mode, Nested, Shape, fields
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner
from fastpay.api.resource import Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.processor_objects import AttemptStatus, Resolution, Review
from fastpay.domain.reviews import ResolveAttempt

_SHAPE: Shape = {
    "id": Field("id"),
    "object": "fastpay.attempt",
    **fields("amount", "authorization", "code", "created", "currency", "decline_code"),
    "in_doubt": Field("held"),
    "inquiries": Field("inquiries"),
    "livemode": Mode(),
    **fields("operation", "payment_intent", "payment_method", "processor", "processor_id"),
    "refund": Field("refund"),
    "setup_intent": Field("setup_intent"),
    "review": Nested("review", Review, fields("ended_as", "note", "proposed", "reason", "resolution")),
    "status": Field("status"),
}

ATTEMPT = Resource(
    kinds.ATTEMPT,
    shape=_SHAPE,
    expandable={
        "payment_intent": Reference((kinds.PAYMENT_INTENT,)),
        "payment_method": Reference((kinds.PAYMENT_METHOD,)),
        "refund": Reference((kinds.REFUND,)),
        "setup_intent": Reference((kinds.SETUP_INTENT,)),
    },
)


class AttemptListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the list of all attempts."""

    status: AttemptStatus | UnsetType = UNSET


class ResolveParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a decision."""

    resolution: Resolution
    note: Annotated[str, Meta(min_length=1, max_length=limits.review_note_chars_max)]


def resolve(call: Call, params: ResolveParams) -> ResolveAttempt:
    """Say what became of an attempt in review."""
    return ResolveAttempt(
        id=kinds.check(kinds.ATTEMPT, call.arguments["attempt"], param="attempt"),
        payment_intent=call.arguments["id"],
        resolution=params.resolution,
        note=params.note,
        links=error_links(call.services, call.request_id),
    )


RESOURCES = (ATTEMPT,)
ROUTES = (
    Route("GET", "/v1/attempts", List(ATTEMPT, AttemptListParams, filters={"status": None})),
    Route(
        "GET",
        "/v1/payment_intents/{id}/attempts",
        List(ATTEMPT, ListParams, owner=Owner(kinds.PAYMENT_INTENT, "payment_intent")),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/attempts/{attempt}/resolve",
        Write(ATTEMPT, ResolveParams, resolve, path_kind=kinds.PAYMENT_INTENT),
    ),
)
