"""Bugs of orders that go out although nothing may go out any more."""

from tests.mutants.mutant import Mutant

CALLS = "fastpay/engine/processors/calls.py"
FAILOVER = "tests/processors/test_failover.py"

FAILING_OVER: tuple[Mutant, ...] = (
    Mutant(
        "fail-over-though-a-webhook-has-ended-the-attempt",
        CALLS,
        "if following is None or recorded_ms is None:",
        "recorded_ms = recorded_ms or self._clock.now_ms()\n            if following is None:",
        (f"{FAILOVER}::test_nobody_else_is_asked_if_a_webhook_has_ended_the_attempt_first",),
    ),
    Mutant(
        "send-an-order-however-long-it-was-held-up",
        CALLS,
        "if self._clock.now_ms() - begun_ms > self._sending_ms:",
        "if False:",
        (f"{FAILOVER}::test_an_order_that_was_held_up_for_long_is_not_sent_any_more",),
    ),
)
