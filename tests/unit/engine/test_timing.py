"""How stages are timed."""

from fastpay.engine.timing import Timing


def test_each_stage_lasts_from_the_end_of_the_one_before() -> None:
    timing = Timing(100)
    timing.end("auth", 107)
    timing.end("queue", 150)
    timing.end("commit", 151)
    assert timing.stages == {"auth": 7, "queue": 43, "commit": 1}


def test_a_stage_that_comes_again_is_added_up() -> None:
    timing = Timing(0)
    timing.end("read", 5)
    timing.end("render", 6)
    timing.end("read", 10)
    assert timing.stages == {"read": 9, "render": 1}
