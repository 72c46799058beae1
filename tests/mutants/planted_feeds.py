"""Bugs that a stream of events must not have."""

from tests.mutants.mutant import Mutant

FILE = "fastpay/engine/feeds.py"
STREAM = "fastpay/api/resources/events/stream.py"
TESTS = "tests/unit/engine/test_feeds.py"
LIVE = "tests/http/test_event_stream.py"

FEEDS = (
    Mutant(
        "wake-no-follower-after-a-commit",
        FILE,
        "feed.wake(commit.after)",
        "feed.wake(0)",
        (f"{TESTS}::test_a_follower_gets_what_was_and_then_what_comes",),
    ),
    Mutant(
        "keep-all-that-a-slow-follower-has-not-sent",
        FILE,
        "while len(self._kept) > 1 and self._kept_bytes > limits.feed_bytes_max:",
        "while False:",
        (f"{TESTS}::test_a_follower_who_is_too_slow_is_dropped_and_others_are_not",),
    ),
    Mutant(
        "begin-where-a-follower-says-it-is",
        FILE,
        "self._feed.begin(news.end)",
        "self._feed.begin(news.through)",
        (f"{TESTS}::test_a_position_that_was_never_reached_does_not_mislead_others",),
    ),
    Mutant(
        "forget-where-a-client-was",
        STREAM,
        "return int(value)",
        "return None",
        (f"{LIVE}::test_a_stream_resumes_after_the_last_event_that_it_had",),
    ),
)
