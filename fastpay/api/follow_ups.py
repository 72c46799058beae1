"""Captures, voids and refunds of live payments: the terms of the attempts that carry them out."""

import msgspec

from fastpay.api.context import Call, Services
from fastpay.api.intents import error_links
from fastpay.domain.identifiers import Scope
from fastpay.domain.processor_objects import AttemptTerms
from fastpay.engine.processors.routed import FollowUp


async def begin(call: Call, params: object) -> Call:
    """Return the call with the terms of an attempt, for a command that may need them. Raises: Overloaded."""
    return msgspec.structs.replace(call, routed=follow_up(call.services, call.scope, call.request_id))


async def begin_cancel(call: Call, params: object) -> Call:
    """Return the call as `begin`, after `end_waiting`."""
    await end_waiting(call.services, call.scope, call.arguments["id"])
    return await begin(call, params)


def follow_up(services: Services, scope: Scope, request_id: str) -> FollowUp | None:
    """Return what a request may begin at a processor, None if this process calls none. Raises: Overloaded."""
    live = services.live_payments
    return None if live is None else live.calls.follow_up(scope, error_links(services, request_id))


async def end_waiting(services: Services, scope: Scope, payment: str) -> None:
    """End a payment that waits for its cardholder at its processor, before it is canceled."""
    if services.live_payments is not None:
        await services.live_payments.actions.void(scope, payment)


def terms(call: Call) -> AttemptTerms | None:
    """Return the terms of the attempt that a command may write, None in test mode."""
    return call.routed.terms if isinstance(call.routed, FollowUp) else None
