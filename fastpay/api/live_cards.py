"""The card of a live payment or a setup: one that came with the request, or one that a processor keeps.

The card's number and security code go from the parameters into `CardData`, which lives as long as the request
and the call to the processor do. Nothing else gets them.
"""

from msgspec import UnsetType

from fastpay.api import card_params
from fastpay.api.card_params import MethodParams
from fastpay.api.context import Call
from fastpay.domain import kinds
from fastpay.domain.error_links import ErrorLinks
from fastpay.engine.processors.calls import ProcessorCalls
from fastpay.engine.processors.ports import CardData
from fastpay.engine.processors.routed import Routed
from fastpay.errors import InvalidRequest


async def saved(
    call: Call,
    calls: ProcessorCalls,
    params: MethodParams,
    chosen: str | None,
    links: ErrorLinks,
    *,
    is_absent: bool = False,
) -> Routed | None:
    """Return the route of a card that a processor keeps, None without one. Raises: InvalidRequest."""
    method = params.payment_method if isinstance(params.payment_method, str) else chosen
    if method is None or not kinds.could_be(kinds.PAYMENT_METHOD, method):
        return None
    routed = await calls.route_saved(call.scope, method, links, is_absent=is_absent)
    if routed is None and await call.services.reader.get(call.scope, method) is not None:
        raise InvalidRequest(
            "No processor that takes payments has saved this card. Save one with a setup intent, or with "
            "setup_future_usage.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )
    return routed


def card_data(call: Call, params: MethodParams) -> CardData | None:
    """Return the card that came with the request, None if none did. Raises: CardDeclined, InvalidRequest."""
    data = params.payment_method_data
    if isinstance(data, UnsetType) or isinstance(data.card, UnsetType):
        return None
    details = data.billing_details
    holder = None if isinstance(details, UnsetType) else details.name
    return card_params.card_data(
        call, data.card, param="payment_method_data[card]", holder=holder if isinstance(holder, str) else None
    )
