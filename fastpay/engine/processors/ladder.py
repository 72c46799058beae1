"""What is still tried once a processor was inquired in vain, by what it declares that it can do.

    a capture, a void, a refund   sent again with the same key, while the processor keeps its answers
    an authorization              voided by its reference, so that money which may be reserved is free
    otherwise                     a person decides

An authorization is never sent again: the card's number is not stored. What is sent again goes to the same
processor, which answers as it did the first time; a key that it has forgotten would move the money twice.
"""

from typing import Literal

from fastpay import limits
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.processors.ports import Declaration

Step = Literal["resend", "void", "review"]


def next_step(attempt: Attempt, declaration: Declaration, *, now_s: int) -> Step:
    """Return what is tried next for an open attempt."""
    age_s = now_s - attempt.created
    if attempt.operation == "authorize":
        can_void = declaration.voids and declaration.finds_references
        return "void" if can_void and age_s < limits.void_tried_s else "review"
    keys = declaration.idempotency
    if keys is None or keys.kept != "responses" or age_s >= keys.lifetime_s - limits.resend_margin_s:
        return "review"
    return "resend"
