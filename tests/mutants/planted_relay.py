"""Bugs that the delivery of webhooks must not have."""

from tests.mutants.mutant import Mutant

FOLDER = "fastpay/engine/relay"
PURE = "tests/unit/engine/relay/test_progress.py"
CHANNEL = "tests/unit/engine/relay/test_channel.py"
SPREAD = "tests/unit/engine/relay/test_spread.py"
PACE = "tests/unit/engine/relay/test_pace.py"
MANNERS = "tests/relay/test_manners.py"
LEASES = "tests/relay/test_leases.py"
OVER_HTTP = "tests/relay/test_over_http.py"
REPLAYS = "tests/relay/test_replays.py"

RELAY = (
    Mutant(
        "wake-a-dead-endpoint-at-every-commit",
        f"{FOLDER}/channel.py",
        "if not self._is_paused and not self._pass_unwanted():",
        "if not self._pass_unwanted():",
        (f"{CHANNEL}::test_a_commit_beside_a_dead_endpoint_reads_nothing_and_looks_at_a_flag",),
    ),
    Mutant(
        "take-the-loop-from-payments",
        f"{FOLDER}/peak.py",
        "if self.is_short and events >= limits.relay_peak_events * number:",
        "if events * 1_000_000_000 >= 3_000 * passed_ns:",
        ("tests/unit/engine/relay/test_peak.py",),
    ),
    Mutant(
        "replay-while-live-events-wait",
        f"{FOLDER}/replaying.py",
        "if self._channel.has_live_waiting and self._live_begun < limits.relay_live_per_replayed:",
        "if False:",
        (f"{CHANNEL}::test_while_live_events_wait_few_of_a_replay_begin_between_them",),
    ),
    Mutant(
        "claim-what-failed-as-delivered",
        f"{FOLDER}/progress.py",
        "min(self.parked, default=self.position + 1) - 1",
        "self.position",
        (f"{PURE}::test_a_failed_event_lets_the_position_pass_and_is_not_delivered",),
    ),
    Mutant(
        "pass-what-is-in-flight",
        f"{FOLDER}/progress.py",
        "while line and (line[0].is_done or line[0].is_parked):",
        "while line and (line[0].is_done or line[0].is_parked or line[0].lane):",
        (PURE,),
    ),
    Mutant(
        "keep-any-number-of-exceptions",
        f"{FOLDER}/progress.py",
        "if len(self.parked) >= self._exceptions_max:",
        "if False:",
        (PURE,),
    ),
    Mutant(
        "name-the-previous-event-of-the-tenant",
        f"{FOLDER}/progress.py",
        "previous, self._last_read = self._last_read, logged.sequence",
        "previous, self._last_read = logged.sequence - 1, logged.sequence",
        (f"{PURE}::test_each_event_names_the_one_before_it_on_every_attempt",),
    ),
    Mutant(
        "send-an-objects-next-event-while-one-fails",
        f"{FOLDER}/progress.py",
        "if len(waiting) > 1:",
        "if False:",
        (f"{PURE}::test_later_events_of_an_object_wait_for_the_earlier_ones",),
    ),
    Mutant(
        "send-a-strict-endpoint-what-follows-a-failure",
        f"{FOLDER}/progress.py",
        'return self._order != "strict" or not self.parked',
        "return True",
        (f"{PURE}::test_a_strict_endpoint_gets_one_event_at_a_time",),
    ),
    Mutant(
        "store-for-who-was-fenced-off",
        "fastpay/store/sql/relay_record.sql",
        "where webhook_cursor.holder = $1::uuid and webhook_cursor.fence = given_fence",
        "where given_fence >= 0 and $1::uuid is not null",
        (f"{LEASES}::test_an_instance_that_was_fenced_off_moves_nothing",),
    ),
    Mutant(
        "look-for-the-newest-position-among-dead-rows",
        "fastpay/store/sql/relay_record.sql",
        "order by webhook_position.number desc",
        "order by webhook_position.position desc",
        ("tests/relay/test_old_snapshots.py",),
    ),
    Mutant(
        "pass-what-another-instance-committed",
        f"{FOLDER}/channel.py",
        "if types is None or before != self.end or not self.types.isdisjoint(types):",
        "if types is None or not self.types.isdisjoint(types):",
        (f"{CHANNEL}::test_what_an_endpoint_does_not_want_is_passed_without_a_read",),
    ),
    Mutant(
        "let-dead-exceptions-gather",
        f"{FOLDER}/channel.py",
        "if changes > limits.relay_generation_changes_max:",
        "if changes > 100_000:",
        ("tests/relay/test_old_snapshots.py", CHANNEL),
    ),
    Mutant(
        "write-anew-only-what-changed",
        f"{FOLDER}/channel.py",
        "generation + 1, list(progress.parked.values())",
        "generation + 1, kept",
        ("tests/relay/test_old_snapshots.py", CHANNEL),
    ),
    Mutant(
        "send-other-bytes-from-another-process",
        "fastpay/domain/events.py",
        "for name in {**before, **after}:",
        "for name in before | after.keys():",
        ("tests/unit/domain/test_events.py::test_what_differs_has_one_order_in_all_processes",),
    ),
    Mutant(
        "leave-without-letting-others-have-the-endpoints",
        "fastpay/store/sql/relay_leave.sql",
        "update webhook_cursor set holder = null where holder = $1::uuid",
        "update webhook_cursor set holder = null where holder = $1::uuid and false",
        ("tests/relay/test_kills.py",),
    ),
    Mutant(
        "claim-what-was-claimed-meanwhile",
        "fastpay/store/sql/relay_claim.sql",
        "found.holder is null",
        "true",
        (f"{LEASES}::test_two_instances_that_claim_at_once_do_not_both_succeed",),
    ),
    Mutant(
        "forget-what-could-not-be-stored",
        f"{FOLDER}/recorder.py",
        "self._attempts = attempts + self._attempts",
        "pass",
        (f"{LEASES}::test_nothing_is_lost_or_sent_twice_when_the_database_is_away_for_a_moment",),
    ),
    Mutant(
        "hold-all-that-there-is",
        f"{FOLDER}/spread.py",
        "return least + (before < left_over)",
        "return spread.endpoints",
        (f"{LEASES}::test_instances_share_endpoints_evenly_and_take_over_what_others_leave",),
    ),
    Mutant(
        "give-what-is-left-over-to-the-first",
        f"{FOLDER}/spread.py",
        "before = sum((-held, other) < own for other, held in spread.held.items())",
        "before = sum(other < instance_id for other in spread.held)",
        (SPREAD, f"{LEASES}::test_an_instance_that_comes_takes_a_single_endpoint_from_nobody"),
    ),
    Mutant(
        "try-a-dead-endpoint-all-the-time",
        f"{FOLDER}/circuit.py",
        "return now_ms >= self.resume_ms and not self._is_probing",
        "return True",
        (PACE, f"{MANNERS}::test_a_dead_endpoint_costs_a_few_attempts_and_delays_no_other"),
    ),
    Mutant(
        "let-hanging-endpoints-have-every-slot",
        f"{FOLDER}/slots.py",
        "return max(free // 2, min(free, 1))",
        "return self._total",
        (PACE,),
    ),
    Mutant(
        "go-on-after-410",
        f"{FOLDER}/attempts.py",
        "if outcome.status == _GONE or self._channel.circuit.is_hopeless(now_ms):",
        "if self._channel.circuit.is_hopeless(now_ms):",
        (f"{MANNERS}::test_an_endpoint_that_will_not_have_it_is_disabled",),
    ),
    Mutant(
        "store-an-endpoints-headers-in-the-clear",
        "fastpay/api/resources/webhook_endpoints/__init__.py",
        "return seal.seal(call.credentials.fingerprint_key, call.scope, headers)",
        "return headers",
        (f"{OVER_HTTP}::test_headers_of_an_endpoint_are_sent_and_not_found_in_the_database",),
    ),
    Mutant(
        "call-delivered-what-failed",
        f"{FOLDER}/ports.py",
        "if sequence <= self.position and sequence not in self.parked:",
        "if sequence <= self.position:",
        ("tests/relay/test_pending.py",),
    ),
    Mutant(
        "show-an-event-as-pending-for-ever",
        "fastpay/engine/read/object_cache.py",
        "until_ns = asked_ns + self._staleness_ns",
        "until_ns = FOREVER_NS",
        ("tests/unit/engine/read/test_reader_events.py",),
    ),
    Mutant(
        "keep-events-when-an-endpoint-changes",
        "fastpay/engine/read/freshness.py",
        "self._empty(self._known)",
        "pass",
        ("tests/unit/engine/read/test_reader_events.py", "tests/http/test_event_reads.py"),
    ),
    Mutant(
        "replay-an-event-for-ever",
        f"{FOLDER}/replaying.py",
        "attempts_max=1 if is_single else limits.relay_replay_attempts,",
        "attempts_max=10,",
        (f"{REPLAYS}::test_a_replay_gives_up_what_fails_three_times_and_goes_on",),
    ),
)
