"""Questions to processors about attempts that are open, and voids that end them: each with its deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastpay import limits
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Attempt, Result
from fastpay.engine.processors import ports
from fastpay.engine.processors.results import order_of, result_of, void_of
from fastpay.observability import telemetry

# What an inquiry answers, or an order.
_Answer = TypeVar("_Answer", ports.Outcome, ports.Outcome | None)

_log = telemetry.Log("fastpay.processors")


async def inquire(processor: ports.Processor, attempt: Attempt) -> ports.Outcome | None:
    """Return what the processor says became of an attempt. What takes too long, or fails, is unknown."""
    order = order_of(attempt)
    return await _known(attempt, lambda timeout_ms: processor.inquire(order, timeout_ms=timeout_ms))


async def send_again(
    processor: ports.Processor,
    attempt: Attempt,
    *,
    order: ports.Order | None = None,
    links: ErrorLinks = NO_LINKS,
) -> RecordOutcome | None:
    """Send an order once more with its key, and return what the processor says of it.

    The `order` is what the attempt says itself, unless it is an authorization. That this one was not sent or
    was refused says nothing about the first one.
    """
    outcome = await _carry_out(processor, attempt, order or order_of(attempt))
    result = result_of(outcome) if outcome.status in {"approved", "declined"} else None
    return None if result is None else RecordOutcome(id=attempt.id, result=result, links=links)


async def void(
    processor: ports.Processor, attempt: Attempt, *, links: ErrorLinks = NO_LINKS
) -> RecordOutcome | None:
    """Void an authorization by its reference, so that money which may be reserved is free.

    Return how the attempt ends then, None unless the processor answers that it has voided it.
    """
    outcome = await _carry_out(processor, attempt, void_of(attempt))
    if outcome.status != "approved":
        return None
    return RecordOutcome(
        id=attempt.id, result=Result(status="not_found", reason="it was voided"), links=links
    )


def given_up(attempt: Attempt, *, links: ErrorLinks = NO_LINKS) -> RecordOutcome:
    """Return how a setup ends of which nothing is known. No money has moved."""
    return RecordOutcome(
        id=attempt.id,
        result=Result(status="not_found", reason="nobody has said what became of it"),
        links=links,
    )


async def _carry_out(processor: ports.Processor, attempt: Attempt, order: ports.Order) -> ports.Outcome:
    return await _known(attempt, lambda timeout_ms: processor.carry_out(order, timeout_ms=timeout_ms))


async def _known(attempt: Attempt, ask: Callable[[int], Awaitable[_Answer]]) -> _Answer | ports.Outcome:
    try:
        async with asyncio.timeout(limits.inquiry_timeout_ms / 1000):
            return await ask(limits.inquiry_timeout_ms)
    except TimeoutError:
        return ports.Outcome(status="unknown", reason="no answer in time")
    except Exception as error:  # noqa: BLE001  anything may have happened
        _log.error("inquiry_failed", attempt=attempt.id, error=type(error).__name__)
        return ports.Outcome(status="unknown", reason="the inquiry failed")
