"""Bugs of tenants beside each other while processors are slow: who keeps whom waiting."""

from tests.mutants.mutant import Mutant

SHARES = "fastpay/engine/shares.py"
SHARED = "tests/unit/engine/test_shares.py"
IN_FLIGHT = "fastpay/engine/processors/in_flight.py"
CALLS = "tests/unit/engine/processors/test_in_flight.py::test_tenants_share_what_there_is"

SHARING: tuple[Mutant, ...] = (
    Mutant(
        "count-payments-while-their-processor-is-asked",
        "fastpay/api/writes.py",
        "with call.services.shares.aside(scope):",
        "if True:",
        (
            "tests/processors/test_live_payments.py"
            "::test_payments_that_wait_for_a_processor_take_nothing_of_their_tenant_s_share",
        ),
    ),
    Mutant(
        "keep-a-share-that-has-shrunk",
        SHARES,
        "if scope in self._queues.waiting and self._has_room(left) and self._queues.wake(scope):",
        "if scope in self._queues.waiting and self._queues.wake(scope):",
        (SHARED,),
    ),
    Mutant(
        "let-one-tenant-have-all-calls",
        IN_FLIGHT,
        "if self._counts.get(scope, 0) >= limits.processor_calls_free_factor * free:",
        "if False:",
        (CALLS,),
    ),
    Mutant(
        "count-calls-that-have-ended",
        IN_FLIGHT,
        "left = self._counts[scope] - 1",
        "left = self._counts[scope]",
        (CALLS,),
    ),
    Mutant(
        "count-calls-without-a-task-that-have-ended",
        "fastpay/engine/processors/direct.py",
        "        self._is_over = True\n        self._in_flight.remove(self)\n        self._waiting.end()\n",
        "        self._is_over = True\n        self._waiting.end()\n",
        ("tests/processors/test_calls.py::test_a_tenant_whose_processor_hangs_leaves_room_for_others",),
    ),
    Mutant(
        "settle-live-payments-as-debits",
        "fastpay/store/sql/list_processing_debits.sql",
        "where status = 'processing' and not livemode and",
        "where status = 'processing' and",
        (
            "tests/processors/test_calls.py"
            "::test_a_payment_that_waits_for_its_processor_is_no_debit_that_time_settles",
        ),
    ),
)
