"""What a processor's outcome means to the domain."""

from fastpay.domain.processor_objects import Attempt, Result
from fastpay.engine.processors.ports import Order, Outcome


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
            )


def order_of(attempt: Attempt) -> Order:
    """Return what a processor was asked to do, without a card."""
    is_first = attempt.operation == "authorize"
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
