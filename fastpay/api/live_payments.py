"""Live payments: which processor one goes to, before its command is made."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from fastpay.api import live_cards
from fastpay.api.card_params import MethodParams
from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.api.resources.payment_intents.params import ConfirmParams, CreateParams, OffSession
from fastpay.domain import money
from fastpay.domain.objects import PaymentIntent


class _Paid(MethodParams, Protocol):
    @property
    def off_session(self) -> OffSession | UnsetType:
        """Whether the cardholder is absent."""

    @property
    def error_on_requires_action(self) -> bool | UnsetType:
        """Whether the cardholder must not be asked."""


def route_created(call: Call, params: CreateParams) -> Call | Awaitable[Call]:
    """Return the call with the route of a payment that is confirmed at once. Raises: InvalidRequest.

    Without a wait, if the route of such payments is kept.
    """
    live = call.services.live_payments
    if not params.confirm or live is None:
        return call
    amount, currency = money.check_amount(params.amount), money.parse_currency(params.currency)
    card = live_cards.card_data(call, params)
    routed = (
        None
        if card is None
        else live.calls.kept_route(
            call.credentials.scope,
            currency=currency,
            method="card",
            card=card,
            links=error_links(call.services, call.request_id),
            is_absent=_is_absent(params),
        )
    )
    if routed is None:
        return _route(call, params, amount, currency)
    return msgspec.structs.replace(call, routed=routed)


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
    live, card = call.services.live_payments, live_cards.card_data(call, params)
    if live is None:
        return call
    links = error_links(call.services, call.request_id)
    is_absent = _is_absent(params)
    if card is not None:
        routed = await live.calls.route(
            call.credentials.scope,
            amount=amount,
            currency=currency,
            method="card",
            card=card,
            links=links,
            is_absent=is_absent,
        )
    else:
        routed = await live_cards.saved(call, live.calls, params, chosen, links, is_absent=is_absent)
    return call if routed is None else msgspec.structs.replace(call, routed=routed)


def _is_absent(params: _Paid) -> bool:
    is_absent = params.off_session is not UNSET and params.off_session is not False
    return is_absent or params.error_on_requires_action is True
