"""fastpay/engine/processors/ladder.py: what is tried once a processor was inquired in vain."""

from typing import Any

import pytest

from fastpay import limits
from fastpay.domain.processor_objects import Attempt
from fastpay.engine.processors.ladder import Step, next_step
from fastpay.engine.processors.ports import Declaration, Idempotency

KEPT = Idempotency(kept="responses", lifetime_s=86_400)
LAST_S = KEPT.lifetime_s - limits.resend_margin_s


@pytest.mark.parametrize(
    ("operation", "declared", "age_s", "step"),
    [
        ("refund", {"idempotency": KEPT}, 0, "resend"),
        ("capture", {"idempotency": KEPT}, LAST_S - 1, "resend"),
        # The processor may have forgotten the key when it arrives, and would do it once more.
        ("capture", {"idempotency": KEPT}, LAST_S, "review"),
        # An answer that is not kept is one that moves the money again.
        ("void", {"idempotency": Idempotency(kept="successes", lifetime_s=86_400)}, 0, "review"),
        ("refund", {}, 0, "review"),
        ("authorize", {"idempotency": KEPT}, 0, "void"),
        ("authorize", {}, limits.void_tried_s - 1, "void"),
        ("authorize", {}, limits.void_tried_s, "review"),
        ("authorize", {"voids": False, "idempotency": KEPT}, 0, "review"),
        ("authorize", {"finds_references": False}, 0, "review"),
        ("saved", {"idempotency": KEPT}, limits.authorization_resent_s - 1, "resend"),
        ("saved", {"idempotency": KEPT}, limits.authorization_resent_s, "void"),
        ("saved", {}, 0, "void"),
    ],
)
def test_what_is_tried_follows_from_what_the_processor_declares(
    operation: Any, declared: dict[str, Any], age_s: int, step: Step
) -> None:
    attempt = Attempt(
        id="att_1",
        created=1_000,
        operation="authorize" if operation == "saved" else operation,
        is_saved=operation == "saved",
        payment_intent="pi_1",
        payment_method="pm_1",
        amount=5,
        currency="usd",
        processor="acquirer",
    )
    assert next_step(attempt, Declaration(**declared), now_s=1_000 + age_s) == step
