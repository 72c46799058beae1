"""Captures, voids and refunds of live payments: the terms of the attempts that carry them out."""

import msgspec

from fastpay.api.context import Call
from fastpay.api.intents import error_links
from fastpay.domain.processor_objects import AttemptTerms
from fastpay.engine.processors.calls import FollowUp


async def begin(call: Call, params: object) -> Call:
    """Return the call with the terms of an attempt, for a command that may need them. Raises: Overloaded."""
    live = call.services.live_payments
    if live is None:
        return call
    links = error_links(call.services, call.request_id)
    return msgspec.structs.replace(call, routed=live.calls.follow_up(links))


async def begin_cancel(call: Call, params: object) -> Call:
    """Return the call as `begin`. A payment that waits for its cardholder is ended at its processor first."""
    live = call.services.live_payments
    if live is not None:
        await live.actions.void(call.scope, call.arguments["id"])
    return await begin(call, params)


def terms(call: Call) -> AttemptTerms | None:
    """Return the terms of the attempt that a command may write, None in test mode."""
    return call.routed.terms if isinstance(call.routed, FollowUp) else None
