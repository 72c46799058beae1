"""What is still tried once a processor was inquired in vain, by what it declares that it can do.

    a capture, a void, a refund   sent again with the same key, while the processor keeps its answers
    one with a saved card         sent again in the same way, for some hours; then voided as any other one
    any other authorization       voided by its reference, so that money which may be reserved is free
    otherwise                     a person decides

Any other authorization is never sent again: the card's number is not stored. What is sent again goes to the
same processor, which answers as it did the first time; under a key that it has forgotten it would move the
money twice.
"""

from typing import Literal

from fastpay import limits
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.processors.ports import Declaration

Step = Literal["resend", "void", "review"]


def next_step(attempt: Attempt, declaration: Declaration, *, now_s: int) -> Step:
    """Return what is tried next for an open attempt."""
    age_s = now_s - attempt.created
    keys = declaration.idempotency
    is_known = (
        keys is not None and keys.kept == "responses" and age_s < keys.lifetime_s - limits.resend_margin_s
    )
    if attempt.operation == "authorize":
        if attempt.is_saved and is_known and age_s < limits.authorization_resent_s:
            return "resend"
        can_void = declaration.voids and declaration.finds_references
        return "void" if can_void and age_s < limits.void_tried_s else "review"
    return "resend" if is_known else "review"
