"""Payouts: money that leaves the balance for a bank account."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from fastpay import limits
from fastpay.api.common_params import (
    Descriptor,
    Identifier,
    Metadata,
    MetadataParams,
    NoParams,
    Params,
    Text,
    first_metadata,
    given,
    value_or,
)
from fastpay.api.context import Call
from fastpay.api.layout import Field, Mode, Shape, When, fields
from fastpay.api.list_params import CreatedListParams, CreatedRange
from fastpay.api.lists import List, created_bounds, created_seconds, rows_that
from fastpay.api.reads import Retrieve
from fastpay.api.resource import ALWAYS_NULL, Reference, Resource
from fastpay.api.routes import Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.kinds import presentable
from fastpay.domain.objects import StoredObject
from fastpay.domain.payouts import (
    ARRIVAL_STEPS,
    TEST_BANK_ACCOUNTS,
    CancelPayout,
    CreatePayout,
    Payout,
    ReversePayout,
    UpdatePayout,
)
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Filter, Page
from fastpay.errors import InvalidRequest


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pay out an amount of the available balance."""

    creates: ClassVar[bool] = True

    amount: int
    currency: str
    description: Text | UnsetType | None = UNSET
    destination: Identifier | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    method: Literal["standard", "instant"] = "standard"
    source_type: Literal["bank_account", "card", "fpx"] = "card"
    statement_descriptor: Descriptor | UnsetType | None = UNSET


class PayoutListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payouts, those in one state or to one bank account, or that arrive at some time."""

    arrival_date: CreatedRange | int | UnsetType = UNSET
    destination: Identifier | UnsetType = UNSET
    status: Literal["canceled", "failed", "in_transit", "paid", "pending"] | UnsetType = UNSET


_RECONCILED: Shape = When("status", "completed", otherwise="in_progress", equals="paid")
_SHAPE: Shape = {
    "id": Field("id"),
    "object": "payout",
    "amount": Field("amount"),
    "application_fee": None,
    "application_fee_amount": None,
    **fields("arrival_date", "automatic", "balance_transaction", "created", "currency", "description"),
    **fields("destination", "failure_balance_transaction", "failure_code", "failure_message"),
    "livemode": Mode(),
    **fields("metadata", "method", "original_payout"),
    "payout_method": None,
    "reconciliation_status": When("automatic", _RECONCILED, otherwise="not_applicable"),
    **fields("reversed_by", "source_type", "statement_descriptor", "status"),
    "trace_id": {"status": When("status", "unsupported", otherwise="pending", equals="paid"), "value": None},
    "type": "bank_account",
}

PAYOUT = Resource(
    kinds.PAYOUT,
    shape=_SHAPE,
    expandable={
        "balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "failure_balance_transaction": Reference((kinds.BALANCE_TRANSACTION,)),
        "original_payout": Reference((kinds.PAYOUT,)),
        "reversed_by": Reference((kinds.PAYOUT,)),
        "application_fee": ALWAYS_NULL,
        # Bank accounts are no objects here: the name of one stays.
        "destination": ALWAYS_NULL,
    },
)


class PayoutList(List[PayoutListParams]):
    """The list of payouts.

    No index has the time of arrival. But a payout takes a known number of steps, so only payouts that were
    made in a range of time can arrive in another, and few of these do not.
    """

    async def _rows(
        self, call: Call, params: PayoutListParams, wanted: Filter, page: Page
    ) -> Sequence[Versioned]:
        if isinstance(params.arrival_date, UnsetType):
            return await super()._rows(call, params, wanted, page)
        since_s, until_s = created_seconds(params.arrival_date)
        earliest, _ = created_bounds(
            CreatedRange(gte=UNSET if since_s is None else since_s - ARRIVAL_STEPS * limits.test_delay_s_max)
        )
        _, latest = created_bounds(CreatedRange(lt=UNSET if until_s is None else until_s))
        narrowed = msgspec.structs.replace(
            page, above=max(page.above, earliest), below=min(page.below, latest)
        )

        def arrives(stored: StoredObject) -> bool:
            assert isinstance(stored, Payout)
            date = stored.arrival_date
            return (since_s is None or date >= since_s) and (until_s is None or date < until_s)

        return await rows_that(
            arrives,
            narrowed,
            partial(super()._rows, call, params, wanted),
            refusal=InvalidRequest(
                "Too few of the payouts that were made then arrive at this time. Give a shorter range.",
                param="arrival_date",
            ),
        )


def create(call: Call, params: CreateParams) -> CreatePayout:
    """Pay out an amount of the available balance."""
    destination = value_or(params.destination, None)
    if destination is not None and destination not in TEST_BANK_ACCOUNTS:
        raise InvalidRequest(
            f"No such external account: '{presentable(destination)}'. Leave destination out for the default "
            f"one; in test mode it may be {', '.join(TEST_BANK_ACCOUNTS)}.",
            code="resource_missing",
            param="destination",
        )
    names = ("description", "destination", "method", "source_type", "statement_descriptor")
    return CreatePayout(
        amount=money.check_amount(params.amount),
        currency=money.parse_currency(params.currency),
        step_s=call.services.settings.test_delay_s,
        fields=given(params, *names),
        metadata=first_metadata(params.metadata),
    )


def update(call: Call, params: MetadataParams) -> UpdatePayout:
    """Update the metadata."""
    return UpdatePayout(id=call.arguments["id"], metadata=value_or(params.metadata, {}))


def cancel(call: Call, params: NoParams) -> CancelPayout:
    """Cancel a payout that has not been sent."""
    return CancelPayout(id=call.arguments["id"])


def reverse(call: Call, params: MetadataParams) -> ReversePayout:
    """Bring a paid payout back."""
    return ReversePayout(
        id=call.arguments["id"],
        step_s=call.services.settings.test_delay_s,
        metadata=first_metadata(params.metadata),
    )


RESOURCES = (PAYOUT,)
ROUTES = (
    Route("POST", "/v1/payouts", Write(PAYOUT, CreateParams, create)),
    Route(
        "GET",
        "/v1/payouts",
        PayoutList(PAYOUT, PayoutListParams, filters={"destination": None, "status": None}),
    ),
    Route("GET", "/v1/payouts/{id}", Retrieve(PAYOUT, NoParams)),
    Route("POST", "/v1/payouts/{id}", Write(PAYOUT, MetadataParams, update, path_kind=kinds.PAYOUT)),
    Route("POST", "/v1/payouts/{id}/cancel", Write(PAYOUT, NoParams, cancel, path_kind=kinds.PAYOUT)),
    Route("POST", "/v1/payouts/{id}/reverse", Write(PAYOUT, MetadataParams, reverse, path_kind=kinds.PAYOUT)),
)
