"""Bugs with books that somebody else holds, and with the lanes that serve their tenants."""

from tests.mutants.mutant import Mutant

HELD = "tests/store/test_lanes.py::test_a_held_book_delays_no_other_tenant_on_any_instance"
CONTENTION = "tests/unit/engine/write/test_contention.py"
UNIT = "tests/unit/engine/write/test_lanes.py"

BESIDE = "tests/unit/engine/write/test_loads_beside.py"

LANES: tuple[Mutant, ...] = (
    Mutant(
        "let-later-commands-overtake-what-is-loaded",
        "fastpay/engine/write/loop.py",
        "                waiting.add(scope)\n"
        "            (aside if scope in waiting else ready).append(entry)",
        "                aside.append(entry)\n            else:\n                ready.append(entry)",
        (f"{BESIDE}::test_later_commands_of_the_tenant_wait_as_well_and_keep_their_order",),
    ),
    Mutant(
        "end-with-commands-aside",
        "fastpay/engine/write/pipeline.py",
        "self._queue.has_parked or self.aside else",
        "self._queue.has_parked else",
        (f"{BESIDE}::test_a_writer_that_closes_carries_out_what_waits_for_a_load",),
    ),
    Mutant(
        "wait-for-a-held-book-before-writing",
        "fastpay/store/sql/require_books.sql",
        "    for update skip locked\n",
        "    for update\n",
        (HELD,),
    ),
    Mutant(
        "wait-for-a-held-book-under-the-lock",
        "fastpay/engine/write/transactions.py",
        "return await transaction.take_books(batch.scopes())",
        "return TakenBooks(await transaction.lock_books(batch.scopes()))",
        (HELD,),
    ),
    Mutant(
        "take-a-held-book-for-free",
        "fastpay/store/sql/take_books.sql",
        "book.sequence is null as is_busy",
        "false as is_busy",
        (HELD,),
    ),
    Mutant(
        "leave-the-lanes-after-every-commit",
        "fastpay/engine/write/lanes.py",
        "is_free = scope in served and not (scope in self._queue and scope in self._contention)",
        "is_free = scope in served",
        (f"{CONTENTION}::test_what_waits_of_a_contended_tenant_is_left_to_the_lanes",),
    ),
    Mutant(
        "believe-in-contention-for-ever",
        "fastpay/engine/write/contention.py",
        "if ended == book.sequence:",
        "if ended == book.sequence < 0:",
        (f"{CONTENTION}::test_a_contended_tenant_stays_in_the_lanes_until_its_book_is_as_it_was_left",),
    ),
    Mutant(
        "let-later-commands-overtake-parked-ones",
        "fastpay/engine/write/loop.py",
        "put_back([*left, *self.pipeline.clear(), *self._decider.void()])",
        "put_back([*self.pipeline.clear(), *self._decider.void(), *left])",
        (f"{UNIT}::test_commands_of_a_parked_tenant_keep_their_order_through_every_stage",),
    ),
    Mutant(
        "take-turns-however-slow-commits-are",
        "fastpay/engine/write/pace.py",
        "return self._slow_commits >= limits.slow_commits_min",
        "return False",
        ("tests/unit/engine/write/test_pace.py",),
    ),
    Mutant(
        "take-turns-with-nothing-to-decide-beside-a-commit",
        "fastpay/engine/write/pace.py",
        "if is_ahead and not self._is_slow() else in_flight",
        "if not self._is_slow() else in_flight",
        ("tests/unit/engine/write/test_pace.py",),
    ),
    Mutant(
        "forget-what-waits-beside-a-commit",
        "fastpay/engine/write/loop.py",
        "waiting = open_count + len(self.pipeline.aside) + self._queue.count_ready()",
        "waiting = 0",
        ("tests/unit/engine/write/test_pace.py",),
    ),
    Mutant(
        "count-a-command-as-served-that-did-not-fit",
        "fastpay/engine/write/queue.py",
        "                    count = 0\n",
        "                    count, last = 0, next_weight\n",
        ("tests/unit/engine/write/test_queue.py",),
    ),
    Mutant(
        "serve-a-parked-tenant-by-turns-as-well",
        "fastpay/engine/write/queue.py",
        "return scope not in self._paused and scope not in self._parked",
        "return scope not in self._paused",
        (UNIT,),
    ),
    Mutant(
        "begin-what-expired-in-a-lane",
        "fastpay/engine/write/lanes.py",
        "return drop_expired(taken, self._clock.monotonic_ns())",
        "return taken",
        (f"{UNIT}::test_what_expires_while_its_lane_gets_the_book_is_not_begun",),
    ),
    Mutant(
        "answer-a-parked-command-twice",
        "fastpay/engine/write/batch.py",
        "entry.submission.scope not in busy]\n\n    def concerns",
        "entry.submission.scope not in ()]\n\n    def concerns",
        (UNIT,),
    ),
    Mutant(
        "wait-for-one-book-for-ever",
        "fastpay/engine/write/line.py",
        "                del self._waits[scope]\n                self._waits[scope] = None\n",
        "",
        (f"{UNIT}::test_every_parked_tenant_gets_to_wait_in_the_databases_own_line",),
    ),
    Mutant(
        "let-two-lanes-take-one-tenants-commands",
        "fastpay/engine/write/lanes.py",
        "if scope in self._line and not any(other.concerns(scope) for other in beside)",
        "if scope in self._line",
        (f"{UNIT}::test_no_other_lane_overtakes_commands_whose_transaction_is_repeated",),
    ),
    Mutant(
        "refuse-what-a-lane-has-to-repeat",
        "fastpay/engine/write/lanes.py",
        "self._queue.put_back(committed.left)",
        "[entry.expire() for entry in committed.left]",
        (f"{UNIT}::test_a_lane_whose_connection_fails_tries_again_and_writes_once",),
    ),
)
