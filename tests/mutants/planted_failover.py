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
        "return self._clock.now_ms() - begun_ms > self._sending_ms",
        "return False",
        (f"{FAILOVER}::test_an_order_that_was_held_up_for_long_is_not_sent_any_more",),
    ),
    Mutant(
        "say-of-an-order-that-has-left-that-it-was-not-sent",
        "fastpay/outbound/http.py",
        "            done(_no_answer(error))\n",
        "            done(NotSentError(str(error)))\n",
        ("tests/unit/outbound/test_lent.py::test_what_is_no_answer_leaves_a_request_in_doubt",),
    ),
    Mutant(
        "record-what-a-processor-says-after-a-stop",
        "fastpay/engine/processors/direct.py",
        "        if self._is_over:\n            # This process stops",
        "        if self._recorder is None:\n            # This process stops",
        ("tests/processors/test_calls.py::test_a_stop_leaves_calls_to_the_janitor",),
    ),
)
