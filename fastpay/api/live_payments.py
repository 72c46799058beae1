"""Live payments: which processor one goes to, before its command is made.

The card's number and security code go from the parameters into `CardData`, which lives as long as the request
and the call to the processor do. Nothing else gets them.
"""

from typing import Protocol

import msgspec
from msgspec import UnsetType

from fastpay.api import card_params
from fastpay.api.common_params import value_or
from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.api.resources.payment_intents.params import ConfirmParams, CreateParams, OffSession
from fastpay.domain import money
from fastpay.domain.objects import PaymentIntent
from fastpay.engine.processors.ports import CardData


class _Paid(Protocol):
    @property
    def payment_method_data(self) -> card_params.PaymentMethodData | UnsetType:
        """The data of a payment method."""

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
    """Return the call with the route of a payment that exists."""
    found = await call.services.reader.get(call.scope, call.arguments["id"])
    if found is None or not isinstance(found.object, PaymentIntent):
        return call
    live = call.services.live_payments
    if live is not None and await live.actions.look(call.scope, found.object.id):
        return msgspec.structs.replace(call, continues=True)
    return await _route(call, params, found.object.amount, found.object.currency)


async def _route(call: Call, params: _Paid, amount: int, currency: str) -> Call:
    live, card = call.services.live_payments, _card_data(call, params)
    if live is None or card is None:
        return call
    links = error_links(call.services, call.request_id)
    is_absent = value_or(params.off_session, False) is not False
    routed = await live.calls.route(
        call.scope,
        amount=amount,
        currency=currency,
        method="card",
        card=card,
        links=links,
        is_absent=is_absent or value_or(params.error_on_requires_action, False),
    )
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
