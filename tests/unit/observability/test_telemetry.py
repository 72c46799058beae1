"""fastpay/observability/telemetry.py"""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry
from fastpay.observability.tracing import DrawnSampler

CALLER = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    [span] = spans.get_finished_spans()
    return span


def test_tracing_is_off_without_an_exporter() -> None:
    assert telemetry.set_up_tracing({}) is False
    assert telemetry.request_span("GET", "/v1/charges") is telemetry.NO_SPAN
    assert telemetry.batch_span(3) is telemetry.NO_SPAN
    with telemetry.request_span("GET", "/") as span:
        span.answered(200)
        assert span.context is None


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_SERVICE_NAME": "pay"},
    ],
)
def test_tracing_stays_off_when_the_variables_say_so(environment: dict[str, str]) -> None:
    assert telemetry.set_up_tracing(environment) is False


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_an_exporter_that_is_not_there_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="is not allowed; it must be"):
        telemetry.set_up_tracing(environment)


def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fastpay.observability.tracing", raising=False)
    monkeypatch.delattr("fastpay.observability.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigurationError, match="-m pip install 'fastpay"):
        telemetry.set_up_tracing({"OTEL_TRACES_EXPORTER": "console"})


@pytest.mark.parametrize(
    ("sampler", "argument", "share"),
    [
        (None, None, 1.0),
        ("parentbased_always_on", None, 1.0),
        ("always_off", None, 0.0),
        ("parentbased_always_off", "0.5", 0.0),
        ("traceidratio", "0.01", 0.01),
        ("parentbased_traceidratio", "0.25", 0.25),
        # What the SDK makes of them.
        ("traceidratio", "nonsense", 1.0),
        ("traceidratio", None, 1.0),
        ("unheard_of", "0.1", 1.0),
    ],
)
def test_the_share_of_traced_requests_is_the_one_that_the_sdk_takes_from_the_variables(
    monkeypatch: pytest.MonkeyPatch, sampler: str | None, argument: str | None, share: float
) -> None:
    for name, value in (("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert telemetry.root_share() == 0.0
    try:
        assert telemetry.set_up_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
        assert telemetry.root_share() == share
        assert telemetry._provider is not None
        sampler_used = telemetry._provider.sampler
        # The same of the SDK's own mouth: identifiers just below and just above the share.
        for draw, is_taken in ((share - 0.001, True), (share + 0.001, False)):
            if 0 < draw < 1:
                taken = sampler_used.should_sample(None, int(draw * 2**64), "GET /").decision
                assert taken.is_sampled() is is_taken
    finally:
        telemetry.stop_tracing()


def test_what_was_drawn_before_is_decided(spans: InMemorySpanExporter) -> None:
    with telemetry.request_span("GET", "/", is_drawn=False) as span:
        assert span.context is None
    assert spans.get_finished_spans() == ()


def test_what_was_drawn_is_sampled_whatever_the_sampler_says(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=DrawnSampler(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    for is_drawn in (None, True):
        with telemetry.request_span("GET", "/", headers=[CALLER], is_drawn=is_drawn):
            pass
    found = only(exporter)
    assert found.parent is not None
    provider.shutdown()


def test_an_endpoint_alone_turns_tracing_on_and_a_stop_turns_it_off() -> None:
    try:
        # Nobody listens on port 9: with nothing recorded, nothing is sent.
        assert telemetry.set_up_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) is True
        assert telemetry.request_span("GET", "/") is not telemetry.NO_SPAN
    finally:
        telemetry.stop_tracing()
    assert telemetry.request_span("GET", "/") is telemetry.NO_SPAN


def test_a_request_span_follows_the_http_conventions(spans: InMemorySpanExporter) -> None:
    with telemetry.request_span("POST", "/v1/refunds", headers=[CALLER, (b"authorization", b"x")]) as span:
        span.answered(201)
    done = only(spans)
    assert (done.name, done.kind) == ("POST /v1/refunds", SpanKind.SERVER)
    assert dict(done.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/refunds",
        "url.scheme": "http",
        "http.response.status_code": 201,
    }
    assert done.parent is not None
    assert f"{done.parent.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_an_unknown_method_does_not_become_a_label(spans: InMemorySpanExporter) -> None:
    with telemetry.request_span("BREW", "/v1/tea"):
        pass
    done = only(spans)
    assert done.name == "HTTP /v1/tea"
    assert (done.attributes or {})["http.request.method"] == "_OTHER"


@pytest.mark.parametrize(("status", "code"), [(404, StatusCode.UNSET), (503, StatusCode.ERROR)])
def test_only_our_own_failures_are_errors(spans: InMemorySpanExporter, status: int, code: StatusCode) -> None:
    with telemetry.request_span("GET", "/") as span:
        span.answered(status)
    assert only(spans).status.status_code is code


def test_an_exception_marks_the_span(spans: InMemorySpanExporter) -> None:
    with pytest.raises(KeyError), telemetry.request_span("GET", "/"):
        raise KeyError("x")
    assert (only(spans).attributes or {})["error.type"] == "KeyError"


def test_a_batch_span_is_linked_to_its_requests(spans: InMemorySpanExporter) -> None:
    contexts = []
    for _ in range(2):
        with telemetry.request_span("POST", "/") as request:
            contexts.append(request.context)
    spans.clear()
    with telemetry.batch_span(2, links=[*contexts, None]):
        pass
    done = only(spans)
    assert done.kind is SpanKind.CLIENT
    assert (done.attributes or {})["db.operation.batch.size"] == 2
    assert (done.attributes or {})["db.system.name"] == "postgresql"
    assert [link.context.span_id for link in done.links] == [
        context.span_id for context in contexts if context
    ]


def test_a_batch_of_one_has_no_size(spans: InMemorySpanExporter) -> None:
    with telemetry.batch_span(1):
        pass
    assert "db.operation.batch.size" not in (only(spans).attributes or {})


def render(event: str, **fields: object) -> str:
    record = logging.LogRecord("fastpay", logging.INFO, "", 0, event, None, None)
    record.fields = fields
    return telemetry.FieldFormatter().format(record)


def test_a_line_has_time_level_event_and_fields() -> None:
    assert (
        render("process_started", url="http://x", pid=1).split(" ", 1)[1]
        == "info process_started url=http://x pid=1"
    )


def test_a_value_cannot_forge_a_line() -> None:
    line = render("x", name='a b\n2026 error "stolen"')
    assert "\n" not in line
    assert line.endswith(r'''name="a b\n2026 error \"stolen\""''')


def test_a_long_value_is_cut() -> None:
    assert len(render("x", name="y" * 10_000)) < 700


def test_the_log_writes_only_what_the_level_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="fastpay"):
        telemetry.log.debug("a")
        telemetry.log.info("b")
        telemetry.log.warning("c")
        telemetry.log.error("d")
    assert [record.getMessage() for record in caplog.records] == ["c", "d"]


def render_json(event: str, **fields: object) -> Any:
    record = logging.LogRecord("fastpay", logging.WARNING, "", 0, event, None, None)
    record.created = 1_790_000_000.9996
    record.fields = fields
    line = telemetry.JsonFormatter().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_line_in_json_has_time_level_event_and_fields() -> None:
    told = render_json(
        "dependency_lost", dependency="redis", away_s=12.5, new=True, address=None, path=Path("/x")
    )
    assert told == {
        "time": "2026-09-21T14:13:21.000Z",
        "level": "warning",
        "event": "dependency_lost",
        "dependency": "redis",
        "away_s": 12.5,
        "new": True,
        "address": None,
        "path": "/x",
    }


def test_a_value_cannot_forge_a_line_in_json_and_is_bounded() -> None:
    told = render_json("x", name='a b\n{"level":"error"}\u2028', half="\ud800", long="x" * 10_000)
    assert told["name"] == 'a b\n{"level":"error"}\u2028'
    assert told["half"] == "?"
    assert len(told["long"]) == limits.log_value_chars_max + len("...")


def test_a_traceback_is_a_field_of_a_line_in_json() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("fastpay", logging.ERROR, "", 0, "x_failed", None, sys.exc_info())
    told = json.loads(telemetry.JsonFormatter().format(record))
    assert told["event"] == "x_failed"
    assert told["traceback"].endswith("ValueError: no")


def test_lines_go_where_the_log_goes(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        telemetry.set_up_logging("info", is_json=True)
        telemetry.write_lines(["{}", "{}"])
        telemetry.log.info("process_started", pid=1)
    finally:
        root.handlers, root.level = before, level
    first, second, third = capsys.readouterr().err.splitlines()
    assert (first, second) == ("{}", "{}")
    assert json.loads(third)["event"] == "process_started"
