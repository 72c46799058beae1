"""Bugs of payments that a processor carries out: each would charge twice, charge nobody, or lose money."""

from tests.mutants.mutant import Mutant

CALLS = "fastpay/engine/processors/calls.py"
JANITOR = "fastpay/engine/processors/janitor.py"
ASKING = "fastpay/engine/processors/asking.py"
LADDER = "fastpay/engine/processors/ladder.py"
OUTCOMES = "fastpay/domain/outcomes.py"
REVIEWS = "fastpay/domain/reviews.py"
PROCESSING = "fastpay/domain/processing.py"
DESK = "fastpay/operations/console/desk.py"

LIVE = "tests/processors/test_calls.py"
FAILOVER = "tests/processors/test_failover.py"
PURE = "tests/unit/domain/test_outcomes.py"
FOLLOWED = "tests/processors/test_follow_up_calls.py"
FOLLOW_UPS = "tests/unit/domain/test_follow_ups.py"
DECIDED = "tests/unit/domain/test_reviews.py"
WAITING = "tests/unit/domain/test_actions.py"
STEPS = "tests/unit/engine/processors/test_ladder.py"
TRIED = "tests/processors/test_ladder.py"
NOBODY_ELSE = f"{FAILOVER}::test_nobody_else_is_asked_after_an_unknown_outcome_or_a_decline"
LOST = f"{LIVE}::test_an_answer_that_is_lost_is_inquired_and_charged_at_most_once"
SLOW = f"{LIVE}::test_a_call_that_takes_too_long_fails_nothing"
SILENT = f"{LIVE}::test_a_silent_processor_fails_nothing_and_is_asked_ever_more_rarely"
WAITED = f"{LIVE}::test_who_has_waited_long_enough_is_told_processing_and_always_so"
SECOND = f"{LIVE}::test_a_second_request_waits_its_turn_and_gets_the_final_answer"
COMMITTED = f"{LIVE}::test_the_processor_is_asked_after_the_attempt_is_committed"
APPROVED = f"{LIVE}::test_an_approval_is_the_answer_and_costs_two_commits"
SETUPS = "fastpay/domain/live_setups.py"
SET_UP = "tests/unit/domain/test_live_setups.py"
OPERATORS = (
    "tests/processors/test_console_follow_ups.py::test_an_operator_acts_on_live_payments_as_a_client_does"
)

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
        "            if command is None:\n                break\n",
        "            again = await self._call(chosen, order, begun_ms)\n"
        "            command = command or command_of(route.reference, again)\n"
        "            if command is None:\n                break\n",
        (LOST,),
    ),
    Mutant(
        "ask-the-next-processor-after-an-unknown-outcome",
        CALLS,
        "            if command is None:\n                break\n",
        "            if command is None:\n                continue\n",
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
        "fastpay/engine/processors/routed.py",
        "        route.reference,\n        intent,\n",
        "        intent.id,\n        intent,\n",
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
        "attempt-a-second-payment-while-the-cardholder-may-pay",
        "fastpay/domain/payment_intents.py",
        "if self.terms.continues or processing.awaits_cardholder(workspace, intent):",
        "if self.terms.continues:",
        (WAITING,),
    ),
    Mutant(
        "cancel-a-payment-while-the-cardholder-may-pay",
        "fastpay/domain/captures.py",
        "if processing.awaits_cardholder(workspace, intent):",
        "if processing.awaits_cardholder(workspace, intent) and self.reason:",
        (WAITING,),
    ),
    Mutant(
        "change-the-amount-that-the-cardholder-sees",
        "fastpay/domain/payment_intents.py",
        "(intent.status not in OPEN or processing.awaits_cardholder(workspace, intent))",
        "intent.status not in OPEN",
        (WAITING,),
    ),
    Mutant(
        "send-an-order-again-after-its-key-has-died",
        LADDER,
        "and age_s < keys.lifetime_s - limits.resend_margin_s",
        "",
        (STEPS,),
    ),
    Mutant(
        "send-an-order-again-where-no-answer-is-kept",
        LADDER,
        'and keys.kept == "responses"',
        "",
        (STEPS,),
    ),
    Mutant(
        "send-an-order-again-under-another-key",
        ASKING,
        "_carry_out(processor, attempt, order or order_of(attempt))",
        '_carry_out(processor, attempt, __import__("msgspec").structs.replace(order_of(attempt), reference='
        'f"{attempt.id}_{attempt.inquiries}"))',
        (TRIED,),
    ),
    Mutant(
        "send-an-order-again-to-another-processor",
        JANITOR,
        "        processor = await self._processors.find(scope, attempt.processor)\n        command",
        "        chosen = await self._processors.route(scope, amount=1, currency='usd', method='card')\n"
        "        processor = chosen[-1].processor\n        command",
        (TRIED,),
    ),
    Mutant(
        "take-a-second-order-that-was-not-sent-for-the-outcome-of-the-first",
        ASKING,
        'if outcome.status in {"approved", "declined"} else None',
        'if outcome.status not in {"unknown"} else None',
        (TRIED,),
    ),
    Mutant(
        "take-a-void-without-an-answer-for-done",
        ASKING,
        'if outcome.status != "approved":',
        'if outcome.status in {"refused", "declined"}:',
        (TRIED,),
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
        "await self._commands.carry_out(scope, command_of(attempt.id, None))",
        (SILENT,),
    ),
    Mutant(
        "capture-once-more-after-an-unknown-outcome",
        CALLS,
        "result_of(await self._call(chosen, order_of(attempt), waiting.submission.moment_ms))",
        "result_of(await self._call(chosen, order_of(attempt), waiting.submission.moment_ms))"
        " or result_of(await self._call(chosen, order_of(attempt), waiting.submission.moment_ms))",
        (f"{FOLLOWED}::test_an_answer_that_is_lost_is_inquired_and_carried_out_at_most_once",),
    ),
    Mutant(
        "record-a-refund-before-its-processor-has-answered",
        "fastpay/domain/refunds.py",
        'status="pending" if is_live else _STATUSES[outcome],',
        "status=_STATUSES[outcome],",
        (FOLLOW_UPS,),
    ),
    Mutant(
        "forget-a-refund-that-is-in-doubt",
        "fastpay/domain/refunds.py",
        "amount_refunded=charge.amount_refunded + amount",
        "amount_refunded=charge.amount_refunded + (0 if is_live else amount)",
        (FOLLOW_UPS,),
    ),
    Mutant(
        "fail-a-refund-or-a-void-that-is-in-doubt",
        "fastpay/engine/processors/results.py",
        'case "requires_action" | "pending" | "unknown":\n            return None\n',
        'case "requires_action" | "pending":\n            return None\n'
        '        case "unknown":\n            return Result(status="declined")\n',
        (f"{FOLLOWED}::test_a_call_that_takes_too_long_fails_nothing",),
    ),
    Mutant(
        "let-another-request-in-while-a-capture-is-open",
        "fastpay/domain/captures.py",
        'asked = msgspec.structs.replace(intent, status="processing", amount_capturable=0)',
        "asked = intent",
        (FOLLOW_UPS,),
    ),
    Mutant(
        "send-a-follow-up-to-the-next-processor",
        OUTCOMES,
        'may_go_on = attempt.operation == "authorize" and result.status in NOTHING_DONE',
        "may_go_on = result.status in NOTHING_DONE",
        (FOLLOW_UPS,),
    ),
    Mutant(
        "let-a-timer-end-a-live-authorization",
        "fastpay/domain/attempts.py",
        "    if extras.attempt is not None:\n        return None\n",
        "",
        (FOLLOW_UPS,),
    ),
    Mutant(
        "inquire-of-a-follow-up-as-of-an-authorization",
        "fastpay/engine/processors/results.py",
        "operation=attempt.operation,",
        'operation="authorize",',
        (f"{FOLLOWED}::test_an_answer_that_is_lost_is_inquired_and_carried_out_at_most_once",),
    ),
    Mutant(
        "change-the-answer-of-one-who-was-told-processing",
        "fastpay/engine/processors/recording.py",
        "(is_last and is_early and not waiting.is_over)",
        "is_last",
        (WAITED,),
    ),
    Mutant(
        "answer-a-second-request-before-the-first",
        "fastpay/engine/write/batch.py",
        "if until_ms is not None and entry.submission.moment_ms < until_ms + limits.final_answer_margin_ms:",
        "if until_ms is not None and entry.submission.moment_ms < 0:",
        (SECOND,),
    ),
    Mutant(
        "call-no-processor-for-operators",
        DESK,
        "if followed is not None and services.live_payments is not None:",
        "if followed is None and services.live_payments is not None:",
        (OPERATORS,),
    ),
    Mutant(
        "keep-no-final-answer-to-the-key-of-a-form",
        DESK,
        "outcome = await services.writer.submit(submission)",
        "outcome = await services.writer.submit(submission)\n"
        "        submission = msgspec.structs.replace(submission, idempotency_key=None)",
        (OPERATORS,),
    ),
    Mutant(
        "cancel-for-operators-what-waits-at-a-processor",
        DESK,
        "if isinstance(command, CancelPaymentIntent):",
        "if isinstance(command, CreateRefund):",
        (OPERATORS,),
    ),
    Mutant(
        "save-a-card-that-nobody-keeps",
        SETUPS,
        'return _NOT_KEPT if result.status == "approved" and not result.keeps_card else result',
        "return result",
        (SET_UP,),
    ),
    Mutant(
        "take-what-is-said-of-an-earlier-card",
        SETUPS,
        "return (intent, made) if made.order == attempt.id else None",
        "return intent, made",
        (SET_UP,),
    ),
    Mutant(
        "authenticate-the-cardholder-of-a-processor",
        "fastpay/domain/setup_intents.py",
        "waiting is None or workspace.scope.livemode:",
        "waiting is None:",
        (SET_UP,),
    ),
    Mutant(
        "set-up-a-card-twice-after-a-lost-answer",
        "fastpay/outbound/processors/dialect.py",
        "answers.setup_of(await self._post(requests.SETUPS, form, order.reference, deadline))",
        "answers.setup_of(await self._post(requests.SETUPS, form, None, deadline))",
        ("tests/processors/test_live_setups.py::test_a_processor_keeps_a_card_without_a_payment",),
    ),
    Mutant(
        "forget-the-card-after-the-cardholder-has-authenticated",
        "fastpay/engine/processors/actions.py",
        "await keep(self._processors, scope, attempt.payment_method, attempt.processor, outcome)",
        "pass",
        (TRIED,),
    ),
    Mutant(
        "send-a-saved-card-again-with-another-key",
        "fastpay/engine/processors/routed.py",
        "return _authorization(attempt.id, intent",
        'return _authorization(attempt.id + "0", intent',
        (TRIED,),
    ),
    Mutant(
        "send-a-saved-card-again-for-ever",
        LADDER,
        "attempt.is_saved and is_known and age_s < limits.authorization_resent_s",
        "attempt.is_saved and is_known",
        (STEPS,),
    ),
    Mutant(
        "send-a-token-to-another-processor",
        JANITOR,
        "kept is None or found is None or kept[0].name != attempt.processor",
        "kept is None or found is None",
        (TRIED,),
    ),
    Mutant(
        "book-a-refund-that-its-charge-has-nothing-left-for",
        "fastpay/domain/refunds.py",
        "fits = charge.amount_refunded + refund.amount <= charge.amount_captured",
        "fits = True",
        (DECIDED,),
    ),
    Mutant(
        "accept-a-refund-without-booking-it",
        REVIEWS,
        "done = refunds.done_after_all(workspace, draft, refund)",
        "done = refund",
        (DECIDED,),
    ),
    Mutant(
        "leave-a-setup-to-a-person",
        JANITOR,
        '        if attempt.operation == "setup":\n'
        "            await self._commands.carry_out(scope, asking.given_up(attempt, links=self._links))\n"
        "            return\n"
        "        step:",
        "        step:",
        (TRIED,),
    ),
)
