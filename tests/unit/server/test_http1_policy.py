"""Every case of the policy: whole, cut at every place, byte by byte, and with a request after it."""

import pytest

from tests.support.http1_cases import LEGAL, REFUSED, SECOND, get
from tests.support.http1_wire import Wire, cuts
from tests.support.http_server import run

SMALL = {
    "target_bytes_max": 120,
    "header_bytes_max": 300,
    "header_count_max": 8,
    "body_bytes_max": 100,
    "ahead_bytes_max": 1000,
}


@pytest.mark.parametrize("group", REFUSED)
def test_a_refused_request_gets_one_answer_runs_no_handler_and_ends_the_stream(group: str) -> None:
    async def main() -> None:
        wire = Wire(**SMALL)
        for status, stream in REFUSED[group]:
            for pieces in cuts(stream + SECOND):
                assert wire.feed(*pieces) == ([status], [], 0), pieces

    run(main())


@pytest.mark.parametrize("group", REFUSED)
def test_what_stood_before_a_refused_request_is_answered(group: str) -> None:
    async def main() -> None:
        wire = Wire(**SMALL)
        for status, stream in REFUSED[group]:
            for pieces in cuts(get() + stream):
                assert wire.feed(*pieces) == ([200, status], [b""], 1), pieces

    run(main())


@pytest.mark.parametrize(("stream", "bodies"), LEGAL)
def test_legal_requests_each_run_one_handler(stream: bytes, bodies: list[bytes]) -> None:
    async def main() -> None:
        wire = Wire(**SMALL)
        for pieces in cuts(stream + SECOND):
            assert wire.feed(*pieces) == ([200] * (len(bodies) + 1), [*bodies, b""], len(bodies) + 1), pieces

    run(main())


def test_there_are_more_than_a_hundred_cases() -> None:
    assert sum(map(len, REFUSED.values())) + len(LEGAL) > 200


def test_an_expectation_is_met_and_the_answer_is_the_same_at_every_cut() -> None:
    async def main() -> None:
        wire = Wire(**SMALL)
        stream = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"
        for pieces in cuts(stream + SECOND):
            statuses, bodies, count = wire.feed(*pieces)
            assert [status for status in statuses if status != 100] == [200, 200]
            assert (bodies, count) == ([b"abc", b""], 2)

    run(main())
