"""Traces beside the short way: what is drawn has its span, and both ways go on as without traces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.observability import traces
from fastpay.observability.traces import Span, Tracer
from tests.http.instances import Instance, running

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}


def requests_in(tracer: Tracer) -> list[Span]:
    """Return the spans of requests, and forget them."""
    return [span for span in tracer.drain() if span.about.kind == "server"]


@asynccontextmanager
async def traced(
    database_url: str, monkeypatch: pytest.MonkeyPatch, *, share: float = 0.25
) -> AsyncIterator[tuple[Instance, str, Tracer]]:
    """Run an instance that knows its key, and return the path of an object in it; no span is there yet."""
    sampler = Sampler(share, b"8 bytes!", follows_callers=True, per_second_max=1 << 30)
    tracer = Tracer(sampler, SystemClock(), slow_ms=600_000)
    monkeypatch.setattr(traces, "_tracer", tracer)
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        # The key is known from the first request on the long way.
        await instance.get_long(path)
        tracer.drain()
        yield instance, path, tracer


async def test_what_is_drawn_is_traced_and_goes_the_short_way_too(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traced(database_url, monkeypatch) as (instance, path, tracer):
        before = instance.answered
        answers = [await instance.send("GET", path) for _ in range(300)]
        found = requests_in(tracer)
        assert instance.answered - before == len(answers)
        # Sixteen standard deviations either way are not luck.
        assert 15 < len(found) < 195
        assert {span.name for span in found} == {"GET /v1/payment_intents/{id}"}
        named = {span.attributes["fastpay.request_id"] for span in found}
        assert named < {answer.headers["request-id"] for answer in answers}
        assert {span.attributes["http.response.status_code"] for span in found} == {200}


async def test_the_same_share_is_drawn_on_the_long_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traced(database_url, monkeypatch) as (instance, path, tracer):
        missing = path[:-32] + "0" * 32
        answers = [await instance.send("GET", missing) for _ in range(100)]
        assert {answer.status_code for answer in answers} == {404}
        assert 0 < len(requests_in(tracer)) < 70


async def test_a_callers_trace_is_followed_on_both_ways_and_so_is_its_decision(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traced(database_url, monkeypatch) as (instance, path, tracer):
        before = instance.answered
        for way in (path, path[:-32] + "0" * 32):
            for _ in range(20):
                await instance.send("GET", way, headers=SAMPLED)
            found = requests_in(tracer)
            assert len(found) == 20
            assert {span.trace.trace_id for span in found} == {int(TRACE, 16)}
            assert {span.trace.state for span in found} == {"a=b"}
            for _ in range(20):
                await instance.send("GET", way, headers=NOT_SAMPLED)
            assert requests_in(tracer) == []
        assert instance.answered - before == 40


async def test_two_traceparents_are_none(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with traced(database_url, monkeypatch, share=0.0) as (instance, path, tracer):
        authorization = ("authorization", f"Bearer {instance.keys['owner']}")
        twice = [authorization, *[("traceparent", SAMPLED["traceparent"])] * 2]
        answer = await instance.client.get(path, headers=twice)
        assert answer.status_code == 200
        assert requests_in(tracer) == []


async def test_without_tracing_a_callers_trace_is_no_reason_for_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        await instance.get_both(path, headers=SAMPLED)
