"""Bugs with pages: those of other origins, and the one on which a cardholder authenticates."""

from tests.mutants.mutant import Mutant

PAGE = "fastpay/api/challenge_page.py"
CHALLENGES = "tests/unit/api/test_challenge_page.py"
BROWSERS = "tests/unit/api/test_browsers.py"

PAGES: tuple[Mutant, ...] = (
    Mutant(
        "take-a-secret-key-from-a-page",
        "fastpay/api/browsers.py",
        'if "origin" not in headers:',
        "if headers:",
        (f"{BROWSERS}::test_a_secret_key_from_a_page_is_refused_whether_it_is_valid_or_not",),
    ),
    Mutant(
        "take-an-answer-from-the-page-of-an-earlier-attempt",
        PAGE,
        "if hmac.compare_digest(current[-len(page) :].encode(), page.encode()):",
        "if current and page and hmac:",
        (
            f"{CHALLENGES}::test_the_page_of_an_earlier_attempt_answers_nothing",
            f"{CHALLENGES}::test_a_page_put_together_of_two_answers_nothing",
        ),
    ),
    Mutant(
        "take-an-answer-after-the-page-has-expired",
        PAGE,
        "challenge is None or challenge.until_s < services.clock.now_ms() // 1000",
        "challenge is None",
        (f"{CHALLENGES}::test_a_page_expires",),
    ),
    Mutant(
        "take-the-form-of-another-site",
        PAGE,
        'if headers.get("sec-fetch-site", "same-origin") != "same-origin":',
        "if False:",
        (f"{CHALLENGES}::test_every_answer_forbids_scripts_frames_referrers_and_caches",),
    ),
)
