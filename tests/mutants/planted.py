"""Bugs that an engine for money must not have, each as the smallest change that makes it, and who notices."""

from tests.mutants.mutant import Mutant
from tests.mutants.planted_console import CONSOLE
from tests.mutants.planted_failover import FAILING_OVER
from tests.mutants.planted_feeds import FEEDS
from tests.mutants.planted_homes import FORWARDED
from tests.mutants.planted_lanes import LANES
from tests.mutants.planted_money import MONEY
from tests.mutants.planted_pages import PAGES
from tests.mutants.planted_processors import PROCESSORS
from tests.mutants.planted_relay import RELAY
from tests.mutants.planted_requests import REQUESTS
from tests.mutants.planted_rollout import ROLLOUT
from tests.mutants.planted_settlements import SETTLEMENTS
from tests.mutants.planted_sharing import SHARING

BATCH = "fastpay/engine/write/batch.py"
TRANSACTIONS = "fastpay/engine/write/transactions.py"
COMMITTER = "fastpay/engine/write/committer.py"
BATCHES = "fastpay/store/batches.py"
COLUMNS = "fastpay/store/columns.py"
FAILURES = "fastpay/store/failures.py"
LOST_COMMITS = "fastpay/store/lost_commits.py"
FRESHNESS = "fastpay/engine/read/freshness.py"
PROOF = "fastpay/store/sql/require_books.sql"

CUTS = "tests/faults/test_cuts.py"
UNKEYED = f"{CUTS}::test_without_a_key_a_cut_commit_is_answered_truly_or_said_to_be_unknown"
STORM = f"{CUTS}::test_clients_get_their_one_answer_through_a_storm_of_cuts"
AHEAD = "tests/store/test_ahead.py"
TRUSTED = "tests/unit/engine/write/test_trusted_keys.py"
WRITES = "tests/store/test_writes.py"
LOST = "tests/store/test_lost_commits.py"
ALIKE = "tests/store/test_batches_alike.py"
MODEL = "tests/model/test_payments.py"
INSTANCES = "tests/store/test_instances.py"
DUPLICATES = f"{INSTANCES}::test_instances_that_share_keys_take_each_effect_once"
COPIES = "tests/unit/engine/read/test_reader_copies.py"
OWN_COMMIT = f"{COPIES}::test_a_copy_from_before_an_own_commit_is_not_shown_after_it"
OLD_COPY = f"{COPIES}::test_a_copy_older_than_what_was_read_here_is_not_shown_after_it"
BOUND = f"{COPIES}::test_a_copy_is_shown_within_the_bound_however_much_else_has_changed_since"
LIMITED = f"{COPIES}::test_a_copy_older_than_the_partition_is_cached_no_longer_than_it_may_be_shown"
REPLAY = f"{COPIES}::test_a_copy_from_before_an_answer_that_was_given_here_is_not_shown_after_it"


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "answer-before-commit",
        BATCHES,
        "await transaction.write_ahead(books, encoded, moments)",
        "asyncio.get_running_loop().create_task(transaction.write_ahead(books, encoded, moments))",
        (UNKEYED,),
    ),
    Mutant(
        "answer-before-the-commit-of-a-block",
        BATCHES,
        'status = await connection.execute("commit")',
        'status = "COMMIT"\n            asyncio.get_running_loop().create_task(connection.execute("commit"))',
        (f"{CUTS}::test_a_cut_at_any_message_of_a_batch_leaves_one_effect_and_one_answer",),
    ),
    Mutant(
        "take-a-lost-commit-for-committed",
        LOST_COMMITS,
        'if not written:\n        raise TransientFailure("08007")',
        "del written",
        (UNKEYED,),
    ),
    Mutant(
        "take-a-lost-commit-for-not-committed",
        BATCHES,
        "await self._look_up(lost_commits.by_number(transaction.transaction_id), transaction)",
        'raise TransientFailure("08006") from error',
        (f"{CUTS}::test_a_commit_that_comes_late_is_waited_for_behind_a_pooler",),
    ),
    Mutant(
        "take-a-lost-statement-for-not-committed",
        BATCHES,
        "await self._look_up(lost_commits.by_backend(backend), transaction)",
        'raise TransientFailure("08006") from error',
        (UNKEYED,),
    ),
    Mutant(
        "look-while-the-lost-transaction-still-runs",
        LOST_COMMITS,
        'return bool(status != "in progress")',
        "return status is not Ellipsis",
        (f"{CUTS}::test_a_commit_that_comes_late_is_waited_for_behind_a_pooler",),
    ),
    Mutant(
        "look-while-the-lost-statement-may-still-come",
        LOST_COMMITS,
        'return await connection.fetchval(SQL["end_backend"], *backend) is None',
        "return True",
        (UNKEYED,),
    ),
    Mutant(
        "end-whatever-has-the-number-of-a-backend",
        "fastpay/store/sql/end_backend.sql",
        "backend_start = $2::timestamptz",
        "backend_start >= $2::timestamptz - interval '1 year'",
        (f"{LOST}::test_a_process_that_was_started_later_is_not_ended",),
    ),
    Mutant(
        "commit-at-any-time",
        PROOF,
        "between $5::bigint and $6::bigint",
        "<= greatest($5::bigint, $6::bigint, 1 << 62)",
        (f"{WRITES}::test_what_was_decided_at_another_time_is_refused",),
    ),
    Mutant(
        "lose-the-witness",
        BATCHES,
        "        if transaction.witness is not None:\n",
        "        if transaction.witness is None:\n",
        (UNKEYED,),
    ),
    Mutant(
        "believe-a-farewell",
        FAILURES,
        'isinstance(error, asyncpg.PostgresError) and getattr(error, "severity_en", None) == "ERROR"',
        "isinstance(error, asyncpg.PostgresError)",
        (UNKEYED,),
    ),
    Mutant(
        "retry-unknown-outcomes-without-a-key",
        "fastpay/engine/write/queued.py",
        "if self.submission.idempotency_key is None:",
        "if self.submission.signed is not None:",
        (f"{CUTS}::test_what_nobody_can_tell_is_said_to_be_unknown_only_where_no_key_can_find_out",),
    ),
    Mutant(
        "forget-to-begin",
        BATCHES,
        '_BEGIN = "begin"',
        '_BEGIN = "select 1"',
        (f"{CUTS}::test_a_cut_at_any_message_of_a_batch_leaves_one_effect_and_one_answer", STORM),
    ),
    Mutant(
        "forget-by-one-clock",
        "fastpay/store/sql/purge_idempotency.sql",
        "least(now(), timestamptz 'epoch' + $4::bigint * interval '1 millisecond')",
        "(timestamptz 'epoch' + $4::bigint * interval '1 millisecond')",
        ("tests/store/test_housekeeping.py::test_a_clock_that_is_off_makes_no_answer_older",),
    ),
    Mutant(
        "take-any-time",
        TRANSACTIONS,
        "        raise WrongMoment\n",
        "        return\n",
        ("tests/unit/engine/write/test_writer_moments.py",),
    ),
    Mutant(
        "lock-no-book",
        "fastpay/store/sql/take_books.sql",
        "    for update skip locked\n",
        "",
        (INSTANCES,),
    ),
    Mutant(
        "prove-without-a-lock",
        PROOF,
        "    for update skip locked\n",
        "",
        (WRITES,),
    ),
    Mutant(
        "release-instead-of-rolling-back-to-the-savepoint",
        BATCHES,
        '"rollback to savepoint command; release savepoint command"',
        '"release savepoint command"',
        (ALIKE,),
    ),
    Mutant(
        "isolate-without-a-savepoint",
        TRANSACTIONS,
        "async with transaction.savepoint():\n",
        "if transaction is not None:\n",
        (ALIKE,),
    ),
    Mutant(
        "skip-the-idempotency-check",
        BATCH,
        "if first is not None:",
        "if first is not None and first.digest == b'':",
        (DUPLICATES,),
    ),
    Mutant(
        "trust-a-key-whose-command-failed",
        BATCH,
        "return not (self.trusts_keys and self._faults)",
        "return True",
        ("tests/unit/engine/write/test_trusted_keys.py",),
    ),
    Mutant(
        "replay-whatever-was-asked",
        BATCH,
        "if first.fingerprint == entry.submission.fingerprint:",
        "if first is not None:",
        ("tests/unit/engine/write/test_writer.py",),
    ),
    Mutant(
        "answer-in-the-wrong-order",
        BATCH,
        "zip(self.entries, results, strict=True)",
        "zip(self.entries, results[::-1], strict=True)",
        (ALIKE,),
    ),
    Mutant(
        "do-not-check-the-sequence",
        PROOF,
        " = (newest.place, expected.sequence, ",
        " = (newest.place, book.sequence, ",
        (WRITES,),
    ),
    Mutant(
        "look-for-a-book-from-its-oldest-version",
        PROOF,
        "    order by book.livemode desc\n",
        "",
        ("tests/store/test_newest_version.py",),
    ),
    Mutant(
        "refuse-on-what-no-longer-holds",
        TRANSACTIONS,
        "return {book.scope: book for book in books} == decided_on",
        "return books is not None",
        (AHEAD,),
    ),
    Mutant(
        "keep-what-stands-on-a-refused-batch",
        COMMITTER,
        "await self._transactions.write_apart(batch, timeout_ms=self._left_ms())\n",
        "await self._transactions.write_apart(batch, timeout_ms=self._left_ms())\n"
        "            return Committed(written.results, written.batches)\n",
        (f"{TRUSTED}::test_a_batch_of_replays_alone_falls_with_what_it_replays",),
    ),
    Mutant(
        "remember-what-may-not-have-been-committed",
        COMMITTER,
        "return Committed([entry.unknown(failure) for entry in batch.entries], is_void=True)",
        "return Committed([entry.unknown(failure) for entry in batch.entries])",
        (AHEAD,),
    ),
    Mutant(
        "remember-what-was-decided-in-vain",
        COMMITTER,
        "is_void=isinstance(batch, DecidedBatch),",
        "is_void=False,",
        (AHEAD, DUPLICATES),
    ),
    Mutant(
        "write-the-idempotency-row-in-another-transaction",
        BATCHES,
        """*moments
        )
""",
        """*moments
        )
        kept = await self._connection.fetch("delete from idempotency returning *")
        await self._connection.copy_records_to_table("idempotency", records=kept)
""",
        (f"{CUTS}::test_a_cut_at_any_message_of_a_batch_leaves_one_effect_and_one_answer",),
    ),
    Mutant(
        "lose-an-event",
        COLUMNS,
        '("write_events", events),',
        '("write_events", (events[0][1:], events[1][1:])),',
        (STORM,),
    ),
    Mutant(
        "release-too-little-of-a-hold",
        "fastpay/domain/charging.py",
        "hold=None if charge.hold is None else (charge.hold, charge.amount - before)",
        "hold=None if charge.hold is None else (charge.hold, amount)",
        (STORM,),
    ),
    Mutant(
        "refund-what-was-refunded-before",
        "fastpay/domain/refunds.py",
        "left = charge.amount_captured - charge.amount_refunded",
        "left = charge.amount_captured",
        (MODEL,),
    ),
    Mutant(
        "let-every-refund-overdraw",
        "fastpay/domain/refunds.py",
        "if not workspace.book.rules.refunds_may_overdraw and balance < amount:",
        "if workspace.book is None and balance < amount:",
        (
            "tests/store/test_instances.py::test_refunds_of_two_instances_do_not_overdraw_where_that_is_forbidden",
        ),
    ),
    Mutant(
        "take-money-from-whom-was-only-asked",
        "fastpay/domain/charging.py",
        "if behaviour.code is not None or asks:",
        "if behaviour.code is not None:",
        (MODEL,),
    ),
    Mutant(
        "prepare-statements-behind-a-pooler",
        "fastpay/store/postgres.py",
        "statement_cache_size=256 if settings.session_state else 0,\n        server_settings",
        "statement_cache_size=256,\n        server_settings",
        ("tests/store/test_poolers.py",),
    ),
    Mutant(
        "show-a-copy-from-before-an-own-commit",
        FRESHNESS,
        "            if proof.asked_ns <= usable_ns:\n",
        "            if proof.asked_ns <= now_ns - self._staleness_ns:\n",
        (OWN_COMMIT, OLD_COPY),
    ),
    Mutant(
        "show-a-copy-of-any-age",
        FRESHNESS,
        "            if proof.sequence <= sequence:\n",
        "            if sequence >= 0:\n",
        (BOUND,),
    ),
    Mutant(
        "take-an-old-copy-for-as-new-as-the-cache",
        FRESHNESS,
        "if self._known is not None and sequence >= self._known:",
        "if self._known is not None:",
        (LIMITED,),
    ),
    Mutant(
        "prove-copies-by-what-was-asked-before-an-answer",
        FRESHNESS,
        "        if sequence < self._seen:\n            return\n",
        "",
        (REPLAY,),
    ),
    Mutant(
        "let-one-tenant-have-every-slot",
        "fastpay/engine/gates.py",
        "return self._running.get(tenant, 0) < self._tenant_slots",
        "return tenant is not None",
        ("tests/unit/engine/test_gates.py",),
    ),
    Mutant(
        "forget-who-asked-with-unknown-keys",
        "fastpay/store/key_lookups.py",
        "self._failures.take(lookup.group, now_ns)",
        "pass",
        ("tests/store/test_key_lookups.py",),
    ),
    Mutant(
        "invite-a-repeat-of-what-was-done",
        "fastpay/api/writes.py",
        "if submission.idempotency_key is not None or not error.retryable:",
        "if submission.idempotency_key is not None or error.status != 503:",
        ("tests/unit/api/test_resources.py",),
    ),
    Mutant(
        "give-up-a-stream-that-was-begun",
        "fastpay/_native/http2_guard.pyx",
        "exchange.holding.pin()",
        "pass",
        ("tests/transport/test_bytes_in_flight.py",),
    ),
    Mutant(
        "call-who-has-given-up",
        "fastpay/engine/gates.py",
        "if not slot.done():",
        "if True:",
        ("tests/unit/engine/test_long_requests.py",),
    ),
    *CONSOLE,
    *FEEDS,
    *LANES,
    *FORWARDED,
    *MONEY,
    *PAGES,
    *REQUESTS,
    *ROLLOUT,
    *PROCESSORS,
    *SETTLEMENTS,
    *FAILING_OVER,
    *SHARING,
    *RELAY,
)
