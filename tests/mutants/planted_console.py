"""Bugs that would let the wrong people into the console, or keep the right ones out."""

from tests.mutants.mutant import Mutant

_CONSOLE = "fastpay/admin/console"
_SQL = "fastpay/store/sql"
_CHALLENGES = "tests/unit/admin/test_challenges.py"
_OWN = "tests/console/test_own_page.py"
_PASSKEYS = "tests/console/test_passkeys.py"
_RACES = "tests/store/test_operator_races.py"

CONSOLE = (
    Mutant(
        "take-a-challenge-past-its-end",
        f"{_CONSOLE}/challenges.py",
        "if expires_ms <= self._clock.now_ms():",
        "if expires_ms <= 0:",
        (_CHALLENGES,),
    ),
    Mutant(
        "take-a-challenge-for-another-purpose",
        f"{_CONSOLE}/challenges.py",
        'purpose.encode() + b"\\0"',
        'b"\\0"',
        (_CHALLENGES,),
    ),
    Mutant(
        "take-a-challenge-twice",
        f"{_SQL}/operator_passkey_sign_in.sql",
        "        and exists (select from spent)\n",
        "",
        (f"{_PASSKEYS}::test_a_challenge_is_good_once_for_one_browser_and_one_purpose",),
    ),
    Mutant(
        "take-a-passkey-of-anybody-who-holds-the-device",
        f"{_CONSOLE}/passkeys.py",
        "credential_current_sign_count=0,\n                require_user_verification=True,",
        "credential_current_sign_count=0,\n                require_user_verification=False,",
        (f"{_PASSKEYS}::test_what_is_signed_by_others_or_for_others_is_refused",),
    ),
    Mutant(
        "take-a-passkey-for-another-operator",
        f"{_CONSOLE}/passkeys.py",
        "if response.user_handle != passkey.operator.operator_id.bytes:",
        "if not passkey.operator.operator_id.bytes:",
        (f"{_PASSKEYS}::test_what_is_signed_by_others_or_for_others_is_refused",),
    ),
    Mutant(
        "say-nothing-of-a-copied-passkey",
        f"{_CONSOLE}/passkeys.py",
        "if (count or passkey.sign_count) and count <= passkey.sign_count:",
        "if count < 0:",
        (f"{_PASSKEYS}::test_a_counter_that_goes_back_is_refused_and_noted",),
    ),
    Mutant(
        "remove-the-passkey-of-another",
        f"{_SQL}/operator_passkey_remove.sql",
        "where passkey_id = $2::uuid and operator_id = $1::uuid",
        "where passkey_id = $2::uuid",
        (f"{_PASSKEYS}::test_nobody_removes_or_uses_the_passkey_of_another",),
    ),
    Mutant(
        "remove-the-last-way-in-by-two-at-a-time",
        f"{_SQL}/operator_password_remove.sql",
        "    where operator_id = (select operator_id from owner)\n    order by passkey_id\n    for update\n",
        "    where operator_id = $1::uuid\n",
        (_RACES,),
    ),
    Mutant(
        "suspend-the-last-administrators-by-two-at-a-time",
        f"{_SQL}/operator_suspend.sql",
        "    order by operator_id\n    for update\n",
        "",
        (_RACES,),
    ),
    Mutant(
        "change-a-way-in-without-a-proof",
        f"{_CONSOLE}/own_pages.py",
        "if not operator.is_proved:",
        "if not operator.name:",
        (f"{_OWN}::test_what_changes_the_way_in_wants_a_recent_proof",),
    ),
    Mutant(
        "guess-codes-without-a-lock",
        f"{_CONSOLE}/sign_in.py",
        "await self._store.sign_in_failed(found.operator.operator_id)",
        "pass",
        (f"{_OWN}::test_guessing_codes_in_a_stolen_session_is_throttled",),
    ),
    Mutant(
        "keep-other-sessions-after-a-new-password",
        f"{_SQL}/operator_change_password.sql",
        "and digest <> $3::bytea and ended_at is null",
        "and digest = $3::bytea and ended_at is not null",
        (f"{_OWN}::test_a_changed_password_ends_the_other_sessions",),
    ),
    Mutant(
        "let-everybody-change-operators",
        f"{_CONSOLE}/operator_pages.py",
        'if operator.role != "admin":',
        'if operator.role == "":',
        ("tests/console/test_operator_pages.py::test_only_administrators_see_and_change_operators",),
    ),
)
