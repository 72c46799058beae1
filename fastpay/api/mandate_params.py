"""Mandates in requests: how a customer accepted that a payment method is charged later."""

from typing import Annotated, Literal

from msgspec import Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Part, Text
from fastpay.api.context import Call
from fastpay.domain import money
from fastpay.domain.mandates import MandateData
from fastpay.domain.setup_objects import CustomerAcceptance
from fastpay.errors import InvalidRequest

IpAddress = Annotated[str, Meta(min_length=1, max_length=limits.ip_address_chars_max)]


class OnlineAcceptance(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer who accepted in a browser."""

    infer_from_client: bool = False
    ip_address: IpAddress | None = None
    user_agent: Text | None = None


class OfflineAcceptance(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer who accepted elsewhere."""


class AcceptanceParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How and when the customer accepted."""

    type: Literal["online", "offline"]
    accepted_at: Annotated[int, Meta(ge=0, le=limits.second_max)] | None = None
    offline: OfflineAcceptance | None = None
    online: OnlineAcceptance | None = None


class MandateDataParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mandate to be created."""

    customer_acceptance: AcceptanceParams


class SingleUseParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one payment that a mandate is good for."""

    amount: int
    currency: Text


def mandate_data(
    call: Call,
    params: MandateDataParams | UnsetType | None,
    single_use: SingleUseParams | UnsetType | None,
) -> MandateData | None:
    """Return the mandate that came with a request, if one did. Raises: InvalidRequest."""
    if params is None or isinstance(params, UnsetType):
        return None
    given = params.customer_acceptance
    if given.type == "online" and given.online is None:
        raise InvalidRequest(
            "Missing required param: mandate_data[customer_acceptance][online]. Give the address and the "
            "browser of the customer, or infer_from_client=true.",
            code="parameter_missing",
            param="mandate_data[customer_acceptance][online]",
        )
    online = given.online if given.type == "online" else None
    acceptance = CustomerAcceptance(
        type=given.type,
        accepted_at=given.accepted_at,
        ip_address=None if online is None else online.ip_address,
        user_agent=None if online is None else _browser(call, online),
    )
    if single_use is None or isinstance(single_use, UnsetType):
        return MandateData(acceptance=acceptance)
    return MandateData(
        acceptance=acceptance,
        amount=money.check_amount(single_use.amount, param="single_use[amount]"),
        currency=money.parse_currency(single_use.currency, param="single_use[currency]"),
    )


def _browser(call: Call, online: OnlineAcceptance) -> str | None:
    if online.user_agent is None and online.infer_from_client:
        return call.headers.get("user-agent", "")[: limits.text_chars_max] or None
    return online.user_agent
