"""Bugs with homes: what is forwarded, what comes back, and what never does."""

from tests.mutants.mutant import Mutant

HOMES = "fastpay/engine/homes/homes.py"
LINK = "fastpay/engine/homes/link.py"
SERVING = "fastpay/engine/homes/serving.py"
DUTY = "fastpay/engine/duty.py"
DUE = "tests/homes/test_due.py"
RELIEVED = "tests/unit/engine/test_duty.py"
FORWARDING = "tests/homes/test_forwarding.py"
UNKNOWN = "tests/homes/test_unknown_outcomes.py"
TOLD = "tests/unit/engine/homes/test_serving.py"
HEARD = "tests/unit/engine/read/test_reader_freshness.py"
FOUND = "tests/homes/test_finding.py"
SEEN = "tests/unit/engine/read/test_reader_homes.py"
MODEL = "tests/unit/engine/read/test_reader_model.py"
MISSED = "fastpay/engine/read/missed_reads.py"
SILENT = f"{UNKNOWN}::test_what_a_silent_home_got_is_carried_out_once_and_answered_once"
LATE = f"{UNKNOWN}::test_a_home_that_is_late_is_believed_where_this_instance_could_do_nothing"
MISFIT = "test_a_command_that_cannot_travel_is_written_where_it_arrived_and_the_connection_stays"
DEAD = f"{UNKNOWN}::test_a_home_that_dies_after_its_commit_has_carried_it_out"
SHOWN = f"{FORWARDING}::test_what_a_forwarded_command_changed_is_shown_at_once_where_it_was_asked_for"
AT_HAND = (
    f"{FORWARDING}::test_a_home_decides_what_another_instance_is_asked_for_and_its_answer_is_shown_there"
)

FORWARDED: tuple[Mutant, ...] = (
    Mutant(
        "choose-a-home-that-is-gone",
        HOMES,
        "self._links.items() if link.is_open]",
        "self._links.items()]",
        (f"{FORWARDING}::test_the_next_oldest_is_the_home_at_once_when_the_connection_to_the_home_ends",),
    ),
    Mutant(
        "keep-to-one-home-however-busy-it-is",
        "fastpay/engine/homes/membership.py",
        "Load(LATE if is_late else percent, self._count.value, self.duty.is_done)",
        "Load(0, self._count.value, self.duty.is_done)",
        (f"{FORWARDING}::test_a_busy_home_gets_another_one_beside_it_and_all_choose_the_same",),
    ),
    Mutant(
        "forward-without-a-key-and-write-again",
        HOMES,
        "keyed = _with_key(submission)",
        "keyed = submission",
        (SILENT, DEAD),
    ),
    Mutant(
        "take-a-sent-command-for-never-sent",
        HOMES,
        "return await self._ask_again(submission, keyed, begun_ns, failure.late)",
        'return await self._fall_back(submission, "unbegun")',
        (SILENT, DEAD),
    ),
    Mutant(
        "forward-twice",
        LINK,
        "self._wire.send(messages.encode_forward(self._unsent))",
        "self._wire.send(messages.encode_forward(self._unsent * 2))",
        (AT_HAND,),
    ),
    Mutant(
        "give-another-key-to-each-attempt",
        HOMES,
        "await self._writer.submit(msgspec.structs.replace(keyed, deadline_ns=deadline_ns))",
        "await self._writer.submit(msgspec.structs.replace(submission, deadline_ns=deadline_ns))",
        (SILENT,),
    ),
    Mutant(
        "answer-on-send",
        LINK,
        "        return future\n",
        "        from fastpay.domain.plan import Answer\n"
        "        future.set_result(Outcome(answer=Answer(None, 0), objects={}))\n"
        "        return future\n",
        (AT_HAND,),
    ),
    Mutant(
        "call-an-unknown-outcome-retryable",
        HOMES,
        "if submission.idempotency_key is not None:\n                raise DatabaseUnavailable",
        "if keyed.idempotency_key is not None:\n                raise DatabaseUnavailable",
        (f"{UNKNOWN}::test_a_client_learns_that_the_outcome_is_unknown_where_the_database_does_not_tell",),
    ),
    Mutant(
        "say-that-nothing-was-changed-by-what-was-sent",
        HOMES,
        "if not error.retryable:\n                raise",
        "if error.retryable:\n                raise",
        (f"{UNKNOWN}::test_a_client_learns_that_the_outcome_is_unknown_where_the_database_does_not_tell",),
    ),
    Mutant(
        "show-the-own-first-attempt-as-a-replay",
        HOMES,
        "return msgspec.structs.replace(outcome, original_request_id=None)",
        "return outcome",
        (DEAD,),
    ),
    Mutant(
        "serve-another-tenants-outcome",
        LINK,
        "if answered.tenant_id != scope.tenant_id or answered.livemode is not scope.livemode:",
        "if not scope:",
        (f"{FORWARDING}::test_an_answer_for_another_tenant_is_not_believed",),
    ),
    Mutant(
        "forget-a-forwarded-deadline",
        "fastpay/engine/homes/codec.py",
        "deadline_ns=None if left_ms is None else now_ns + left_ms * 1_000_000,",
        "deadline_ns=None,",
        (f"{FORWARDING}::test_the_time_that_a_client_allows_goes_with_its_command",),
    ),
    Mutant(
        "believe-a-stale-member",
        "fastpay/store/sql/member_beat.sql",
        "    and seen_at > clock_timestamp() - make_interval(secs => $8::integer / 1000.0)\n",
        "    and $8::integer > 0\n",
        (f"{FORWARDING}::test_a_member_of_another_release_and_one_that_is_gone_are_no_members",),
    ),
    Mutant(
        "believe-a-member-of-another-release",
        "fastpay/store/sql/member_beat.sql",
        "and release = $2::text",
        "and $2::text is not null",
        (f"{FORWARDING}::test_a_member_of_another_release_and_one_that_is_gone_are_no_members",),
    ),
    Mutant(
        "keep-showing-what-a-home-has-changed",
        LINK,
        "                left.append((one.identifier, one.version))\n",
        "                pass\n",
        (f"{FORWARDING}::test_what_is_too_large_to_be_told_or_not_asked_for_is_read_again",),
    ),
    Mutant(
        "cache-nothing-that-a-home-has-changed",
        LINK,
        "wanted = self._follower.holds(scope, one.identifier)",
        "wanted = False",
        (f"{FORWARDING}::test_what_another_client_changed_is_shown_without_a_read_where_it_is_asked_for",),
    ),
    Mutant(
        "tell-no-commit-to-who-asked-for-it",
        SERVING,
        "                self._interest[scope] = now_ns\n",
        "",
        (AT_HAND,),
    ),
    Mutant(
        "tell-of-a-commit-after-its-answer",
        SERVING,
        "if scope in self._advances:",
        "if not scope:",
        (f"{TOLD}::test_commits_of_new_objects_are_told_as_one_with_the_next_answer_of_their_tenant",),
    ),
    Mutant(
        "tell-of-two-commits-as-one-that-another-instance-wrote-between",
        SERVING,
        "if held[1] == before:",
        "if held[1] <= before:",
        (f"{TOLD}::test_what_another_instance_wrote_between_stays_a_gap",),
    ),
    Mutant(
        "tell-of-a-change-before-what-it-followed",
        SERVING,
        "                self._tell_advance(scope)\n                self._commits.append(notice.encoded)\n",
        "                self._commits.append(notice.encoded)\n",
        (f"{TOLD}::test_a_change_is_told_soon_and_after_what_was_committed_before_it",),
    ),
    Mutant(
        "hear-of-no-gap-between-commits-of-others",
        "fastpay/engine/read/freshness.py",
        "not before <= known <= after",
        "known > after",
        (f"{HEARD}::test_a_commit_of_others_is_noted_as_commit_and_answer",),
    ),
    Mutant(
        "take-silence-for-nothing-done",
        HOMES,
        "    except Unanswered:\n        raise OutcomeUnknown(_UNKNOWN) from error\n",
        "    except Unanswered:\n        raise error from None\n",
        (LATE,),
    ),
    Mutant(
        "lose-the-connection-for-one-command",
        SERVING,
        "reply.refuse(error)\n        except",
        "self._wire.abort()\n        except",
        (f"{FORWARDING}::{MISFIT}",),
    ),
    Mutant(
        "never-suspect-a-silent-home",
        LINK,
        "elif now_ns - self._pinged_ns > limits.home_silence_ms * 1_000_000:",
        "elif now_ns < self._pinged_ns:",
        (SILENT,),
    ),
    Mutant(
        "stay-a-home-while-stopping",
        SERVING,
        "self._wire.send(messages.encode(Leaving()))\n        self.is_leaving = True",
        "self.is_leaving = True\n        self.is_leaving = True",
        (f"{UNKNOWN}::test_a_home_that_leaves_hands_over_what_it_is_asked_and_answers_what_it_has",),
    ),
    Mutant(
        "let-in-whoever-comes",
        "fastpay/server/member_tls.py",
        "context.verify_mode = ssl.CERT_REQUIRED",
        "context.verify_mode = ssl.CERT_NONE",
        (
            "tests/homes/test_wires.py::test_between_hosts_only_who_has_a_sealing_key_in_common_is_heard",
            "tests/homes/test_wires.py::test_without_a_certificate_nothing_is_heard_and_without_a_key_nobody_is_asked",
        ),
    ),
    Mutant(
        "look-for-what-is-due-at-each-instance",
        "fastpay/store/sql/member_beat.sql",
        "(report ->> 'looks')::integer, 0) = 1",
        "(report ->> 'looks')::integer, 0) = 2",
        (f"{DUE}::test_the_oldest_expires_what_is_due_and_the_next_one_does_once_it_has_left",),
    ),
    Mutant(
        "say-that-it-looks-though-its-looks-fail",
        DUTY,
        "all(one is not None and one >= oldest_ns for one in looks)",
        "all(one is not None for one in looks)",
        (f"{RELIEVED}::test_the_next_oldest_looks_soon_after_the_oldest_does_not",),
    ),
    Mutant(
        "rely-on-an-instance-of-which-nothing-is-heard",
        DUTY,
        "asked_ns + limits.due_relieved_ms * 1_000_000",
        "1 << 62",
        (f"{RELIEVED}::test_all_look_while_nobody_is_told_who_is_live",),
    ),
    Mutant(
        "leave-what-is-due-to-each-other",
        "fastpay/engine/homes/membership.py",
        "load.looks and one < own.member_id",
        "load.looks",
        (f"{RELIEVED}::test_the_oldest_one_looks_and_no_other",),
    ),
    Mutant(
        "take-what-a-home-shows-for-newer-than-it-is",
        MISSED,
        "asked_ns - one.age_ns, now_ns",
        "now_ns - one.age_ns, now_ns",
        (MODEL,),
    ),
    Mutant(
        "forget-how-old-the-proof-of-a-home-is",
        MISSED,
        "asked_ns - one.age_ns, now_ns",
        "asked_ns, now_ns",
        (f"{SEEN}::test_what_a_home_shows_ends_with_its_proof_and_not_a_bound_later",),
    ),
    Mutant(
        "show-a-borrowed-copy-to-another-instance",
        "fastpay/engine/read/object_cache.py",
        "entry.until_ns == FOREVER_NS",
        "entry.until_ns",
        (f"{SEEN}::test_a_copy_with_an_end_of_its_own_is_not_shown_to_others",),
    ),
    Mutant(
        "believe-whatever-object-a-home-shows",
        "fastpay/engine/homes/finding.py",
        'if getattr(stored, "id", None) != key[1]:',
        "if False:",
        (f"{FOUND}::test_an_object_of_another_tenant_is_not_believed",),
    ),
    Mutant(
        "wait-for-a-home-that-says-nothing",
        LINK,
        "        self._finder.expire(now_ns)\n",
        "",
        (f"{FOUND}::test_a_home_that_says_nothing_is_waited_for_a_moment_and_then_not_asked",),
    ),
    Mutant(
        "let-reads-wait-for-a-home-that-is-gone",
        LINK,
        "        self._finder.lose()\n",
        "",
        (f"{FOUND}::test_nobody_waits_for_a_home_whose_connection_has_ended",),
    ),
)
