"""Live payments: which processor one goes to, before its command is made.

The card's number and security code go from the parameters into `CardData`, which lives as long as the request
and the call to the processor do. Nothing else gets them.
"""

from typing import Protocol

import msgspec
from msgspec import UnsetType

from fastpay.api import card_params
from fastpay.api.card_params import MethodParams
from fastpay.api.common_params import value_or
from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.api.resources.payment_intents.params import ConfirmParams, CreateParams, OffSession
from fastpay.domain import kinds, money
from fastpay.domain.objects import PaymentIntent
from fastpay.engine.processors.ports import CardData
from fastpay.errors import InvalidRequest


class _Paid(MethodParams, Protocol):
    @property
    def off_session(self) -> OffSession | UnsetType:
        """Whether the cardholder is absent."""

    @property
    def error_on_requires_action(self) -> bool | UnsetType:
        """Whether the cardholder must not be asked."""


async def route_created(call: Call, params: CreateParams) -> Call:
    """Return the call with the route of a payment that is confirmed at once. Raises: InvalidRequest."""
    if not params.confirm:
        return call
    amount, currency = money.check_amount(params.amount), money.parse_currency(params.currency)
    return await _route(call, params, amount, currency)


async def route_confirmed(call: Call, params: ConfirmParams) -> Call:
    """Return the call with the route of a payment that exists. Raises: InvalidRequest."""
    found = await call.services.reader.get(call.scope, call.arguments["id"])
    if found is None or not isinstance(found.object, PaymentIntent):
        return call
    live, intent = call.services.live_payments, found.object
    if live is not None and await live.actions.look(call.scope, intent.id):
        return msgspec.structs.replace(call, continues=True)
    return await _route(call, params, intent.amount, intent.currency, chosen=intent.payment_method)


async def _route(call: Call, params: _Paid, amount: int, currency: str, *, chosen: str | None = None) -> Call:
    """Return the call with a route. `chosen` is the payment method that the payment has already."""
    live, card = call.services.live_payments, _card_data(call, params)
    method = params.payment_method if isinstance(params.payment_method, str) else chosen
    if live is None:
        return call
    links = error_links(call.services, call.request_id)
    is_absent = value_or(params.off_session, False) is not False
    is_absent = is_absent or value_or(params.error_on_requires_action, False)
    if card is not None:
        routed = await live.calls.route(
            call.scope,
            amount=amount,
            currency=currency,
            method="card",
            card=card,
            links=links,
            is_absent=is_absent,
        )
    elif method is not None and kinds.could_be(kinds.PAYMENT_METHOD, method):
        routed = await live.calls.route_saved(call.scope, method, links, is_absent=is_absent)
        if routed is None and await call.services.reader.get(call.scope, method) is not None:
            raise InvalidRequest(
                "No processor that takes payments has saved this card. Save one with setup_future_usage.",
                code="payment_method_unexpected_state",
                param="payment_method",
            )
    else:
        return call
    return call if routed is None else msgspec.structs.replace(call, routed=routed)


def _card_data(call: Call, params: _Paid) -> CardData | None:
    """Return the card that came with the request, None if none did. Raises: CardDeclined, InvalidRequest."""
    data = params.payment_method_data
    if isinstance(data, UnsetType) or isinstance(data.card, UnsetType):
        return None
    details = data.billing_details
    holder = None if isinstance(details, UnsetType) else details.name
    return card_params.card_data(
        call, data.card, param="payment_method_data[card]", holder=holder if isinstance(holder, str) else None
    )
