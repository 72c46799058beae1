"""Bugs of payments that a processor carries out: each would charge twice, charge nobody, or lose money."""

from tests.mutants.mutant import Mutant

CALLS = "fastpay/engine/processors/calls.py"
JANITOR = "fastpay/engine/processors/janitor.py"
OUTCOMES = "fastpay/domain/outcomes.py"
REVIEWS = "fastpay/domain/reviews.py"
PROCESSING = "fastpay/domain/processing.py"

LIVE = "tests/processors/test_calls.py"
PURE = "tests/unit/domain/test_outcomes.py"
DECIDED = "tests/unit/domain/test_reviews.py"
NOBODY_ELSE = f"{LIVE}::test_nobody_else_is_asked_after_an_unknown_outcome_or_a_decline"
LOST = f"{LIVE}::test_an_answer_that_is_lost_is_inquired_and_charged_at_most_once"
SLOW = f"{LIVE}::test_a_call_that_takes_too_long_fails_nothing"
SILENT = f"{LIVE}::test_a_silent_processor_fails_nothing_and_is_asked_ever_more_rarely"
WAITED = f"{LIVE}::test_who_has_waited_long_enough_is_told_processing_and_always_so"
SECOND = f"{LIVE}::test_a_second_request_waits_its_turn_and_gets_the_final_answer"
COMMITTED = f"{LIVE}::test_the_processor_is_asked_after_the_attempt_is_committed"
APPROVED = f"{LIVE}::test_an_approval_is_the_answer_and_costs_two_commits"

PROCESSORS = (
    Mutant(
        "fail-a-payment-on-a-timeout",
        CALLS,
        'outcome = ports.Outcome(status="unknown", reason="the processor did not answer in time")',
        'outcome = ports.Outcome(status="declined", reason="the processor did not answer in time")',
        (SLOW,),
    ),
    Mutant(
        "send-an-order-again-after-an-unknown-outcome",
        CALLS,
        "result_of(await self._call(chosen, _order(route, intent, routed.card)))",
        "result_of(await self._call(chosen, _order(route, intent, routed.card)))"
        " or result_of(await self._call(chosen, _order(route, intent, routed.card)))",
        (LOST,),
    ),
    Mutant(
        "ask-the-next-processor-after-an-unknown-outcome",
        CALLS,
        "            if result is None:\n                break\n",
        "            if result is None:\n                continue\n",
        (NOBODY_ELSE,),
    ),
    Mutant(
        "ask-the-next-processor-after-an-order-that-was-not-found",
        OUTCOMES,
        'NOTHING_DONE = frozenset(("refused", "not_sent"))',
        'NOTHING_DONE = frozenset(("refused", "not_sent", "not_found"))',
        (PURE,),
    ),
    Mutant(
        "ask-a-processor-before-the-attempt-is-committed",
        "fastpay/store/batches.py",
        "await transaction.write_ahead(books, encoded, moments)",
        "asyncio.get_running_loop().call_later("
        "1, lambda: asyncio.ensure_future(transaction.write_ahead(books, encoded, moments)))",
        (COMMITTED,),
    ),
    Mutant(
        "forget-what-is-in-doubt",
        PROCESSING,
        "        hold=hold(draft, route.reference, intent.amount, intent.currency),\n"
        "        held=intent.amount,\n",
        "        hold=hold(draft, route.reference, intent.amount, intent.currency),\n        held=0,\n",
        (PURE,),
    ),
    Mutant(
        "forget-the-reference",
        CALLS,
        "        reference=route.reference,\n        amount=intent.amount,\n",
        "        reference=intent.id,\n        amount=intent.amount,\n",
        (APPROVED,),
    ),
    Mutant(
        "take-an-approval-of-another-amount",
        OUTCOMES,
        "if result.amount != attempt.amount:",
        "if result.amount is None:",
        (PURE,),
    ),
    Mutant(
        "take-an-approval-in-another-currency",
        OUTCOMES,
        "if result.currency != attempt.currency:",
        "if result.currency is None:",
        (PURE,),
    ),
    Mutant(
        "drop-what-contradicts-an-ended-attempt",
        OUTCOMES,
        'is_approved == (attempt.status == "approved") or attempt.status in _CLOSED',
        'attempt.status != "open"',
        (PURE,),
    ),
    Mutant(
        "accept-late-money-for-a-payment-that-was-paid",
        OUTCOMES,
        'return intent.status == "requires_payment_method" and (intent.amount',
        'return intent.status != "processing" and (intent.amount',
        (DECIDED,),
    ),
    Mutant(
        "let-a-person-undo-a-payment-that-has-succeeded",
        REVIEWS,
        'if self.resolution != "approved":\n                raise',
        'if self.resolution == "compensated":\n                raise',
        (DECIDED,),
    ),
    Mutant(
        "leave-in-doubt-what-a-person-has-decided",
        REVIEWS,
        "resolved = outcomes.ended(draft, attempt, result)",
        "resolved = attempt",
        (DECIDED,),
    ),
    Mutant(
        "decide-about-an-attempt-of-another-payment",
        REVIEWS,
        "if attempt.payment_intent != self.payment_intent:",
        "if not self.payment_intent:",
        (DECIDED,),
    ),
    Mutant(
        "take-a-webhook-of-no-interest-for-one-that-nobody-signed",
        "fastpay/outbound/processors/dialect.py",
        "        return Ignored()\n",
        "        return None\n",
        ("tests/unit/outbound/processors/test_dialect_webhooks.py",),
    ),
    Mutant(
        "let-two-instances-inquire-at-once",
        OUTCOMES,
        "if attempt.due_at is None or attempt.due_at > draft.moment_s:",
        "if attempt.due_at is None:",
        (PURE,),
    ),
    Mutant(
        "fail-a-payment-of-a-silent-processor",
        JANITOR,
        "await self._commands.carry_out(scope, ReviewAttempt(id=attempt.id, reason=silence))",
        "await self._commands.carry_out(scope, RecordOutcome(id=attempt.id, result=Result("
        'status="not_found")))',
        (SILENT,),
    ),
    Mutant(
        "change-the-answer-of-one-who-was-told-processing",
        CALLS,
        "following is None and is_early and not waiting.is_over:",
        "following is None:",
        (WAITED,),
    ),
    Mutant(
        "answer-a-second-request-before-the-first",
        "fastpay/engine/write/batch.py",
        "if until_ms is not None and entry.submission.moment_ms < until_ms + limits.final_answer_margin_ms:",
        "if until_ms is not None and entry.submission.moment_ms < 0:",
        (SECOND,),
    ),
)
