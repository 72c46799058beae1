"""What a processor's outcome means to the domain, and what a processor is asked about an attempt."""

import re

from fastpay import limits
from fastpay.domain.actions import AwaitAction
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.identifiers import digits
from fastpay.domain.outcomes import RecordOutcome
from fastpay.domain.processor_objects import Attempt, Result, Route
from fastpay.engine.processors.ports import Order, Outcome

# Nothing else is shown to a cardholder: it comes from outside.
_PAGE = re.compile(r"https?://[!-~]+", re.ASCII)


def command_of(
    reference: str,
    outcome: Outcome | None,
    *,
    next_route: Route | None = None,
    shown: str | None = None,
    links: ErrorLinks = NO_LINKS,
) -> RecordOutcome | AwaitAction | None:
    """Return what is to be recorded of an attempt, None while its outcome is not known.

    The outcome None means that the processor knows of no such order. See `RecordOutcome` for the others.
    """
    if outcome is not None and outcome.status == "requires_action":
        page = outcome.redirect_url
        if page is None or len(page) > limits.processor_url_chars_max or not _PAGE.fullmatch(page):
            return None
        return AwaitAction(id=reference, page=page, processor_id=outcome.processor_id)
    result = Result(status="not_found") if outcome is None else result_of(outcome)
    if result is None:
        return None
    return RecordOutcome(id=reference, result=result, next_route=next_route, shown=shown, links=links)


def result_of(outcome: Outcome) -> Result | None:
    """Return what is to be recorded, None while the outcome is not known."""
    match outcome.status:
        case "requires_action" | "pending" | "unknown":
            return None
        case status:
            return Result(
                status=status,
                processor_id=outcome.processor_id,
                amount=outcome.amount,
                currency=outcome.currency,
                is_captured=outcome.is_captured,
                code=outcome.code,
                decline_code=outcome.decline_code,
                message=outcome.message,
                reason=outcome.reason,
                keeps_card=outcome.token is not None,
            )


def order_of(attempt: Attempt) -> Order:
    """Return what a processor was asked to do, without a card."""
    is_first = attempt.operation in {"authorize", "setup"}
    return Order(
        operation=attempt.operation,
        reference=attempt.id,
        amount=attempt.amount,
        currency=attempt.currency,
        captures=attempt.captures,
        authorization=attempt.authorization,
        processor_id=attempt.processor_id if is_first else attempt.authorization_id,
        sent_ms=attempt.created * 1000,
    )


def void_of(attempt: Attempt) -> Order:
    """Return the order that ends an authorization, whatever became of it. Sent again it has the same key."""
    return Order(
        operation="void",
        reference=f"void_{digits(attempt.id)}",
        amount=attempt.amount,
        currency=attempt.currency,
        authorization=attempt.id,
        processor_id=attempt.processor_id,
        sent_ms=attempt.created * 1000,
    )
