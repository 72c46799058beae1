"""Traces beside the short way: what is sampled has its span, and what is not goes as fast as without."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind

from fastpay.observability import telemetry
from fastpay.observability.tracing import DrawnSampler
from tests.http.instances import Instance, running

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of requests that a draw or a caller has asked for, and no others."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=DrawnSampler(ParentBased(ALWAYS_OFF)))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(telemetry, "_root_share", 0.25)
    yield exporter
    provider.shutdown()


def requests_in(spans: InMemorySpanExporter) -> list[str]:
    """Return the names of the requests' spans, and forget them."""
    found = [span.name for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]
    spans.clear()
    return found


@asynccontextmanager
async def traced(database_url: str, spans: InMemorySpanExporter) -> AsyncIterator[tuple[Instance, str]]:
    """Run an instance that knows its key, and return the path of an object in it; no span is there yet."""
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        # The key is known from the first request on the long way.
        await instance.get_long(path)
        spans.clear()
        yield instance, path


async def test_what_is_drawn_is_traced_and_everything_else_goes_the_short_way(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    async with traced(database_url, spans) as (instance, path):
        before = instance.answered
        answers = [await instance.send("GET", path) for _ in range(300)]
        names = requests_in(spans)
        assert {answer.status_code for answer in answers} == {200}
        assert len(names) + instance.answered - before == len(answers)
        assert set(names) == {"GET /v1/payment_intents/{id}"}
        # Sixteen standard deviations either way are not luck.
        assert 15 < len(names) < 195


async def test_what_was_not_drawn_is_not_traced_on_the_long_way_either(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    async with traced(database_url, spans) as (instance, path):
        missing = path[:-32] + "0" * 32
        answers = [await instance.send("GET", missing) for _ in range(100)]
        assert {answer.status_code for answer in answers} == {404}
        assert 0 < len(requests_in(spans)) < 70


async def test_a_callers_trace_is_followed_and_his_no_is_too(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    async with traced(database_url, spans) as (instance, path):
        before = instance.answered
        for _ in range(20):
            await instance.send("GET", path, headers=SAMPLED)
        found = spans.get_finished_spans()
        assert len(found) == 20
        assert {span.parent.trace_id for span in found if span.parent is not None} == {int(TRACE, 16)}
        spans.clear()
        for _ in range(20):
            await instance.send("GET", path, headers=NOT_SAMPLED)
        assert requests_in(spans) == []
        assert instance.answered == before


async def test_without_tracing_a_callers_trace_is_no_reason_for_the_long_way(database_url: str) -> None:
    async with running(database_url) as instance:
        path, *_ = await instance.make_objects()
        await instance.get_both(path, headers=SAMPLED)
