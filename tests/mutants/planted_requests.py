"""Bugs of the request log: what it must not hold, whose it is, and what it must not delay."""

from tests.mutants.mutant import Mutant

REDACTION = "fastpay/api/redaction.py"
NOTES = "fastpay/api/request_notes.py"
LOG = "fastpay/engine/request_log.py"
SECRECY = "tests/http/test_request_log_secrecy.py::test_no_row_holds_what_a_client_wrote"
REDACTED = "tests/unit/api/test_redaction.py"
HTTP = "tests/http/test_request_log.py"
UNIT = "tests/unit/engine/test_request_log.py"
STORE = "tests/store/test_request_log.py"

REQUESTS: tuple[Mutant, ...] = (
    Mutant(
        "log-texts-without-card-numbers",
        REDACTION,
        'return text if "_" in text and is_identifier(text) else REDACTED',
        'return text if not text.startswith("4") else REDACTED',
        (SECRECY,),
    ),
    Mutant(
        "log-what-is-inside-of-a-card",
        REDACTION,
        "return REDACTED if rule.is_forgotten else parameters(rule, value)",
        "return parameters(rule, value)",
        (f"{REDACTED}::test_a_value_is_kept_only_if_it_is_known_to_be_harmless",),
    ),
    Mutant(
        "log-misspelt-parameters",
        REDACTION,
        "return {key: _value(fields[key], value) for key, value in tree.items() if key in fields}",
        "return {key: _value(fields[key], value) if key in fields else 0 for key, value in tree.items()}",
        (SECRECY,),
    ),
    Mutant(
        "log-what-an-error-quotes",
        NOTES,
        "message = redaction.message(without_card_numbers(error.message))",
        "message = without_card_numbers(error.message)",
        (SECRECY,),
    ),
    Mutant(
        "log-paths-as-they-came",
        NOTES,
        "path=redaction.path(note.path),",
        "path=note.path,",
        ("tests/http/test_request_log_secrecy.py::test_no_line_holds_what_a_client_wrote",),
    ),
    Mutant(
        "show-a-replay-the-url-of-its-own-request",
        "fastpay/api/answers.py",
        "url = _request_log_url(call, outcome.original_request_id or call.request_id)",
        "url = _request_log_url(call, call.request_id)",
        (f"{HTTP}::test_a_decline_shows_where_it_can_be_looked_up_and_its_replay_shows_the_same",),
    ),
    Mutant(
        "find-requests-of-the-other-mode",
        "fastpay/store/sql/request_log_find.sql",
        "where tenant_id = $1::uuid and livemode = $2::boolean and request_id = $3::text",
        "where tenant_id = $1::uuid and $2::boolean is not null and request_id = $3::text",
        (f"{HTTP}::test_only_the_tenant_and_mode_of_a_request_find_it",),
    ),
    Mutant(
        "queue-notes-without-a-bound",
        LOG,
        "if len(notes) + len(self._unstored) >= limits.request_log_queue_max:",
        "if len(notes) >= limits.request_log_queue_max:",
        (f"{UNIT}::test_what_waits_for_the_database_counts_against_the_queue",),
    ),
    Mutant(
        "describe-a-whole-queue-in-one-turn",
        LOG,
        "taken = self._notes[: min(left, limits.request_log_turn_max)]",
        "taken = self._notes[:left]",
        (f"{UNIT}::test_the_loop_is_free_while_a_long_queue_is_described",),
    ),
    Mutant(
        "try-to-store-a-refused-batch-for-ever",
        LOG,
        "self._failures = 0 if self._is_away() else self._failures + 1",
        "self._failures = 0",
        (f"{UNIT}::test_a_batch_that_a_database_refuses_is_let_go_and_the_next_one_is_stored",),
    ),
    Mutant(
        "keep-requests-of-anybody-in-a-sample",
        NOTES,
        "if not self._keeps_strangers or note.request_id >= self.drawn_below:",
        "if not self._keeps_strangers:",
        (
            "tests/unit/api/test_request_notes.py::"
            "test_requests_of_nobody_are_kept_only_as_lines_and_then_by_the_draw",
        ),
    ),
    Mutant(
        "keep-a-batch-twice",
        "fastpay/store/sql/request_log_write.sql",
        "on conflict (tenant_id, livemode, request_id, received_at) do nothing",
        "where true",
        (f"{STORE}::test_a_request_is_found_as_it_was_kept_by_its_tenant_and_mode_only",),
    ),
)
