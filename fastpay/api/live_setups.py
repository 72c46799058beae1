"""Live setups: which processor is to keep the card, before the command is made."""

import msgspec

from fastpay.api import live_cards
from fastpay.api.card_params import MethodParams
from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.api.resources.setup_intents.params import ConfirmParams, CreateParams
from fastpay.domain.setup_objects import SetupIntent


async def route_created(call: Call, params: CreateParams) -> Call:
    """Return the call with the route of a setup that is confirmed at once. Raises: InvalidRequest."""
    return await _route(call, params) if params.confirm else call


async def route_confirmed(call: Call, params: ConfirmParams) -> Call:
    """Return the call with the route of a setup that exists. Raises: InvalidRequest."""
    found = await call.services.reader.get(call.scope, call.arguments["id"])
    if found is None or not isinstance(found.object, SetupIntent):
        return call
    live, intent = call.services.live_payments, found.object
    if live is not None and await live.actions.look(call.scope, intent.id):
        return msgspec.structs.replace(call, continues=True)
    return await _route(call, params, chosen=intent.payment_method)


async def _route(call: Call, params: MethodParams, *, chosen: str | None = None) -> Call:
    """Return the call with a route. `chosen` is the payment method that the setup has already."""
    live, card = call.services.live_payments, live_cards.card_data(call, params)
    if live is None:
        return call
    links = error_links(call.services, call.request_id)
    if card is None:
        routed = await live_cards.saved(call, live.calls, params, chosen, links)
    else:
        routed = await live.calls.route_setup(call.scope, method="card", card=card, links=links)
    return call if routed is None else msgspec.structs.replace(call, routed=routed)
